// Packs the public packages as npm would publish them, for the checks that look at a package as its user gets it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './step.ts'
import { publicPackages, type WorkspacePackage } from './workspace-package.ts'

export interface PackedPackage extends WorkspacePackage {
  readonly tarball: string
}

/** A folder of its own for one check, removed afterwards. */
export async function inTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'enclavejs-check-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @throws {Error} when npm does not pack a package. */
export async function pack(root: string, folder: string): Promise<readonly PackedPackage[]> {
  const packages = publicPackages(root)
  const folders = packages.map((one) => `./packages/${one.folder}`)
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder, ...folders]
  const { status, stdout, stderr } = await run('npm', args, root)
  if (status !== 0) throw new Error(`npm pack ${folders.join(' ')}: ${stderr}`)
  const made = JSON.parse(stdout) as { readonly name: string; readonly filename: string }[]
  return packages.map((one) => {
    const file = made.find(({ name }) => name === one.manifest.name)?.filename
    if (file === undefined) throw new Error(`npm pack made no file of ${one.manifest.name}`)
    return { ...one, tarball: join(folder, file) }
  })
}

/** Unpacks a tarball where Node looks for the package. */
export async function unpack({ manifest, tarball }: PackedPackage, project: string): Promise<void> {
  const target = join(project, 'node_modules', manifest.name)
  mkdirSync(target, { recursive: true })
  const args = ['-xzf', tarball, '--strip-components=1', '-C', target]
  const { status, stderr } = await run('tar', args, project)
  if (status !== 0) throw new Error(`${tarball}: ${stderr}`)
}
