// Refuses tarballs that do not stand alone: types that lean on a private package, on @types/node where a browser has
// none, or on skipLibCheck; code that imports what its package.json does not declare. In the repository all of that is
// hidden by the workspace; only an empty project shows it. Nothing is downloaded: declared dependencies are linked from
// the repository's node_modules. Everything is imported and run, also on the oldest and the newest Node that is promised.
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inTemporaryFolder, pack, unpack, type PackedPackage } from './packed-package.ts'
import { runTool, toolFile } from './step.ts'
import { entries, SCOPE } from './workspace-package.ts'

/** Packages that must type-check and run in a page. */
const BROWSER = ['attestation']

const COMPILER_OPTIONS = {
  target: 'es2023',
  module: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
  allowImportingTsExtensions: true,
}
const BROWSER_OPTIONS = { ...COMPILER_OPTIONS, lib: ['es2023', 'dom'], types: [] }
const NODE_OPTIONS = { ...COMPILER_OPTIONS, lib: ['es2023'], types: ['node'] }

export function refusals(root: string): Promise<readonly string[]> {
  return inTemporaryFolder(async (folder) => {
    const packages = await pack(root, folder)
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    for (const one of packages) {
      await unpack(one, folder)
      linkDependencies(one, root, folder)
    }
    const found: string[] = []
    for (const one of packages.filter(({ folder }) => BROWSER.includes(folder))) {
      // Before @types/node is there, so that no reference to it can resolve.
      const file = writeImports(folder, `browser-${one.folder}.ts`, entries(one))
      found.push(...(await typeCheck(folder, BROWSER_OPTIONS, [file])))
    }
    for (const name of ['@types/node', 'undici-types']) link(root, folder, name)
    const files = packages.flatMap((one) =>
      entries(one).map((entry, index) =>
        writeImports(folder, `${one.folder}-${index}.ts`, [entry]),
      ),
    )
    if (packages.some(({ folder }) => folder === 'simulator')) {
      copyFileSync(new URL('./packed/verify.ts', import.meta.url), join(folder, 'verify.ts'))
      files.push('verify.ts')
    }
    found.push(...(await typeCheck(folder, NODE_OPTIONS, files)))
    for (const node of nodes(root)) {
      for (const file of files) {
        const refused = await runTool(join(folder, file), [], folder, node)
        found.push(...refused.map((text) => `running ${file} with ${node}: ${text}`))
      }
    }
    return found
  })
}

/** The repository's own Node, and the oldest and newest that the packages promise, where test/runtimes has them. */
function nodes(root: string): string[] {
  const others = ['node-22', 'node-26'].map((name) =>
    join(root, 'test/runtimes/node_modules', name, 'bin/node'),
  )
  return [process.execPath, ...others.filter((file) => existsSync(file))]
}

function linkDependencies({ manifest }: PackedPackage, root: string, project: string): void {
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (!name.startsWith(SCOPE)) link(root, project, name)
  }
}

function link(root: string, project: string, name: string): void {
  const target = join(project, 'node_modules', name)
  if (existsSync(target)) return
  mkdirSync(dirname(target), { recursive: true })
  symlinkSync(join(root, 'node_modules', name), target)
}

/** A program that imports entries and fails when one offers nothing; an entry that only acts is imported for that. */
function writeImports(project: string, file: string, specifiers: readonly string[]): string {
  const lines = specifiers.flatMap((specifier, index) => [
    `import * as entry${index} from '${specifier}'`,
    `if (typeof entry${index} !== 'object') throw new Error('${specifier}')`,
  ])
  writeFileSync(join(project, file), `${lines.join('\n')}\nexport {}\n`)
  return file
}

async function typeCheck(
  project: string,
  compilerOptions: object,
  files: readonly string[],
): Promise<readonly string[]> {
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  return runTool(
    toolFile('typescript', 'tsc'),
    ['-p', 'tsconfig.json', '--pretty', 'false'],
    project,
  )
}
