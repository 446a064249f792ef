// Reads the packages of the workspace for the checks. It refuses nothing itself: what a manifest must say is in
// check-arrows.ts and check-habits.ts.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The parts of a package.json that the checks look at. */
export interface Manifest {
  readonly name: string
  readonly version?: string
  readonly repository?: string | { readonly url?: string; readonly directory?: string }
  readonly private?: boolean
  readonly license?: string
  readonly engines?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface WorkspacePackage {
  /** The folder's name in `packages/`. */
  readonly folder: string
  readonly manifest: Manifest
}

export const SCOPE = '@enclavejs/'

export function workspacePackages(root: string): readonly WorkspacePackage[] {
  return readdirSync(join(root, 'packages'))
    .sort()
    .filter((folder) => existsSync(join(root, 'packages', folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readManifest(join(root, 'packages', folder)) }))
}

/** Those that npm users get. */
export function publicPackages(root: string): readonly WorkspacePackage[] {
  return workspacePackages(root).filter(({ manifest }) => manifest.private !== true)
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** What can be imported of a package by name, `.` first; package.json is not code. */
export function entries({ manifest }: WorkspacePackage): readonly string[] {
  return Object.keys(manifest.exports ?? {})
    .filter((entry) => entry !== './package.json')
    .map((entry) => `${manifest.name}${entry.slice(1)}`)
}
