// Refuses an import between packages that the table below does not allow, and every cycle. A verifier that imports the
// attester would carry a device into browsers, and a simulator that reads with the verifier's own codec would agree with
// its mistakes. It also refuses what would break at a user's: an import that package.json does not declare, a way into
// another package's files around its exports, and a dependency on a package that is not published.
import { posix } from 'node:path'
import ts from 'typescript'
import { codeFiles } from './source-file.ts'
import { SCOPE, workspacePackages, type WorkspacePackage } from './workspace-package.ts'

/** What each package may import of ours. `inOneFile` is allowed as well, in one file of the package. */
interface Row {
  readonly imports: readonly string[]
  readonly inOneFile?: readonly string[]
  /** No runtime dependency at all, of whomever. */
  readonly alone?: true
  /** Of a package with several ways in: what no file that `src/NAME.ts` leads to may import, by the beginning of its name. */
  readonly doors?: Readonly<Record<string, readonly string[]>>
}

const ARROWS: Readonly<Record<string, Row>> = {
  cbor: { imports: [], alone: true },
  der: { imports: [], alone: true },
  vsock: { imports: [] },
  nsm: { imports: ['cbor'] },
  eif: { imports: ['cbor', 'der'] },
  attestation: { imports: ['cbor', 'der'], alone: true },
  'kms-enclave': { imports: [], inOneFile: ['nsm', 'vsock'] },
  'acm-enclave': { imports: ['kms-enclave'], inOneFile: ['vsock'] },
  'attested-tls': {
    imports: ['attestation'],
    inOneFile: ['nsm'],
    doors: {
      index: ['@enclavejs/', 'node:'],
      server: ['@enclavejs/attestation'],
      client: ['@enclavejs/nsm'],
      browser: ['@enclavejs/nsm', 'node:'],
    },
  },
  launcher: { imports: ['attestation', 'eif', 'vsock'] },
  simulator: { imports: ['cbor'] },
  cli: {
    imports: [
      ...['acm-enclave', 'attestation', 'cbor', 'der', 'eif', 'kms-enclave', 'launcher', 'nsm'],
      ...['simulator', 'vsock'],
    ],
  },
}

interface Arrow {
  readonly from: string
  readonly to: string
  readonly path: string
}

export function refusals(root: string): readonly string[] {
  const packages = workspacePackages(root)
  const found: string[] = []
  const arrows: Arrow[] = []
  for (const one of packages) {
    for (const { path, text } of codeFiles(root, [`packages/${one.folder}/src`])) {
      for (const specifier of importedNames(text)) {
        if (specifier.startsWith('.')) {
          const target = posix.join(posix.dirname(path), specifier)
          if (!target.startsWith(`packages/${one.folder}/`)) {
            found.push(`${path} imports ${specifier}, which lies outside of its package`)
          }
          continue
        }
        found.push(...refuseUndeclared(one, packages, path, specifier))
        if (specifier.startsWith(SCOPE)) {
          const to = specifier.slice(SCOPE.length).split('/')[0] as string
          if (to !== one.folder) arrows.push({ from: one.folder, to, path })
        }
      }
    }
    found.push(...refuseManifest(one, packages))
  }
  return [...found, ...refuseDoors(root), ...refuseArrows(arrows), ...refuseCycles(arrows)]
}

/** A verifier behind the attester's door, or the reverse, would be what the door is there to keep out. */
function refuseDoors(root: string): readonly string[] {
  return Object.entries(ARROWS).flatMap(([folder, { doors = {} }]) => {
    const files = new Map(
      codeFiles(root, [`packages/${folder}/src`]).map(({ path, text }) => [path, text]),
    )
    return Object.entries(doors).flatMap(([door, refused]) => {
      const found: string[] = []
      const reached = new Set([`packages/${folder}/src/${door}.ts`])
      for (const path of reached) {
        for (const specifier of importedNames(files.get(path) ?? '')) {
          if (specifier.startsWith('.')) reached.add(posix.join(posix.dirname(path), specifier))
          else if (refused.some((beginning) => specifier.startsWith(beginning))) {
            found.push(
              `${path} imports ${specifier}, and src/${door}.ts, which may not, leads to it`,
            )
          }
        }
      }
      return found
    })
  })
}

function importedNames(text: string): readonly string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
}

/** An external package must be a dependency; so must a public one of ours. A private one is inlined at build. */
function refuseUndeclared(
  { folder, manifest }: WorkspacePackage,
  packages: readonly WorkspacePackage[],
  path: string,
  specifier: string,
): readonly string[] {
  if (/^(?:node|bun|cloudflare):/.test(specifier)) return []
  const parts = specifier.split('/')
  const name = parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  const ours = packages.find((one) => one.manifest.name === name)
  if (name === manifest.name) return []
  if (name.startsWith(SCOPE) && ours === undefined) {
    return [`${path} imports ${name}, and there is no such package`]
  }
  const inlined = ours?.manifest.private === true
  // A private package has no users: what it needs, the package that inlines it declares.
  const runtime = { ...manifest.dependencies, ...manifest.peerDependencies }
  const declared = inlined ? { ...manifest.devDependencies, ...runtime } : runtime
  if (Object.hasOwn({ ...declared, ...manifest.optionalDependencies }, name)) return []
  const where = inlined ? 'devDependencies (it is inlined at build)' : 'dependencies'
  return [`${path} imports ${name}: declare it in ${where} of packages/${folder}/package.json`]
}

function refuseManifest(
  { folder, manifest }: WorkspacePackage,
  packages: readonly WorkspacePackage[],
): readonly string[] {
  const place = `packages/${folder}/package.json`
  const runtime = Object.keys({
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  })
  const row = ARROWS[folder]
  if (row === undefined) return [`${place}: ${folder} has no row in scripts/check-arrows.ts`]
  const found: string[] = []
  if (row.alone === true && runtime.length > 0) {
    found.push(
      `${place}: ${folder} has no runtime dependency, and this declares ${runtime.join(', ')}`,
    )
  }
  for (const name of runtime.filter((name) => name.startsWith(SCOPE))) {
    const target = packages.find((one) => one.manifest.name === name)
    if (target?.manifest.private === true && manifest.private !== true) {
      found.push(`${place}: ${name} is private and not on npm: inline it, as a devDependency`)
    }
    if (!allowed(row).includes(name.slice(SCOPE.length))) {
      found.push(`${place}: ${folder} may not depend on ${name}`)
    }
  }
  return found
}

function allowed(row: Row): readonly string[] {
  return [...row.imports, ...(row.inOneFile ?? [])]
}

function refuseArrows(arrows: readonly Arrow[]): readonly string[] {
  const found: string[] = []
  const narrow = new Map<string, Set<string>>()
  for (const { from, to, path } of arrows) {
    const row = ARROWS[from]
    if (row === undefined || row.imports.includes(to)) continue
    if (row.inOneFile?.includes(to) === true) {
      narrow.set(from, (narrow.get(from) ?? new Set()).add(path))
    } else {
      found.push(
        `${path}: ${from} may not import ${to}; it may import ${allowed(row).join(', ') || 'nothing of ours'}`,
      )
    }
  }
  for (const [from, paths] of narrow) {
    if (paths.size > 1) {
      found.push(
        `packages/${from}: its defaults are offered by one file, and ${[...paths].join(', ')} import them`,
      )
    }
  }
  return found
}

function refuseCycles(arrows: readonly Arrow[]): readonly string[] {
  const targets = new Map<string, Set<string>>()
  for (const { from, to } of arrows) targets.set(from, (targets.get(from) ?? new Set()).add(to))
  const done = new Set<string>()
  const found: string[] = []
  const visit = (name: string, trail: readonly string[]): void => {
    const start = trail.indexOf(name)
    if (start >= 0) {
      found.push(`a cycle: ${[...trail.slice(start), name].join(' → ')}`)
      return
    }
    if (done.has(name)) return
    for (const next of targets.get(name) ?? []) visit(next, [...trail, name])
    done.add(name)
  }
  for (const name of targets.keys()) visit(name, [])
  return found
}
