import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository that the tests run in. */
export const repository: string = dirname(dirname(fileURLToPath(import.meta.url)))

/** Paths to their text, or to what becomes JSON. */
export type Files = Readonly<Record<string, string | object>>

/** A folder that stands for a clone of the repository, in a folder of its own. */
export class TemporaryTree implements Disposable {
  readonly root: string = join(mkdtempSync(join(tmpdir(), 'enclavejs-tree-')), 'clone')
  /** Where `../shared` would lie. */
  readonly beside: string = dirname(this.root)

  constructor(files: Files = {}) {
    mkdirSync(this.root)
    this.write(files)
  }

  write(files: Files): void {
    for (const [path, content] of Object.entries(files)) {
      const file = this.path(path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
    }
  }

  path(path: string): string {
    return join(this.root, path)
  }

  /** Copies of files of the repository, and a link to its node_modules. */
  borrow(...paths: readonly string[]): void {
    symlinkSync(join(repository, 'node_modules'), this.path('node_modules'))
    for (const path of paths) copyFileSync(join(repository, path), this.path(path))
  }

  /** Runs a script under this Node, in the tree. */
  execute(
    script: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Execution {
    // What vitest and CI put into the environment of this test belongs to it alone.
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(?:VITEST|CI$|ENCLAVEJS_)/.test(name),
    )
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      cwd: this.root,
      encoding: 'utf8',
      env: { ...Object.fromEntries(kept), NO_COLOR: '1', ...env },
    })
    return { status, output: `${stdout}${stderr}`, last: stdout.trimEnd().split('\n').at(-1) }
  }

  [Symbol.dispose](): void {
    rmSync(this.beside, { recursive: true, force: true })
  }
}

export interface Execution {
  readonly status: number | null
  readonly output: string
  /** The last line of stdout. */
  readonly last: string | undefined
}

/** The package.json of a package that is sound. */
export function manifest(folder: string, rest: object = {}): object {
  return {
    name: `@enclavejs/${folder}`,
    version: '0.1.0',
    type: 'module',
    license: 'Apache-2.0',
    engines: { node: '>=22.19.0' },
    files: ['dist'],
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
    ...rest,
  }
}

/** A repository of two packages that no check refuses. */
export const sound: Files = {
  'package.json': { private: true, devDependencies: { vitest: '5.1.0' } },
  LICENSE: 'Apache\n',
  'packages/attestation/LICENSE': 'Apache\n',
  'decisions/001-first.md': 'First.\n',
  'packages/cbor/package.json': manifest('cbor', { private: true }),
  'packages/cbor/README.md': 'CBOR.\n',
  'packages/cbor/src/index.ts': `export { decode } from './decode.ts'\n`,
  'packages/cbor/src/decode.ts': 'export const decode = (): number => 1\n',
  'packages/attestation/package.json': manifest('attestation', {
    devDependencies: { '@enclavejs/cbor': '0.0.0' },
  }),
  'packages/attestation/README.md': 'Verifies.\n',
  'packages/attestation/src/index.ts': `export { verify } from './verify.ts'\n`,
  'packages/attestation/src/verify.ts': `import { decode } from '@enclavejs/cbor'\nexport const verify = (): number => decode()\n`,
  'packages/attestation/src/error.ts': `export type Code = 'ERR_ATTESTATION_PCR'\n`,
  'packages/attestation/test/verify.test.ts': `const code = 'ERR_ATTESTATION_PCR'\n`,
  'packages/attestation/dist/index.js': 'export const verify = () => 1\n',
  'packages/attestation/dist/index.d.ts': 'export declare const verify: () => number;\n',
  'scripts/check-it.ts': '// Refuses it.\nexport const it = 1\n',
}
