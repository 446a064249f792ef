import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MODULE } from './program.ts'

/** Debian releases whose p11-kit differs from that of Debian 12: 0.25.5 with the old encoding, 0.26 with the new one. */
export type Release = 'trixie' | 'forky'

/** Programs of another Debian, unpacked into a folder by `.ci/debian-roots`; they run here through their own ld.so. */
export class OtherDebian {
  readonly release: Release
  readonly #root: string

  /** `ENCLAVEJS_DEBIAN_ROOTS` has a folder for each release. */
  constructor(release: Release) {
    this.release = release
    this.#root = join(process.env['ENCLAVEJS_DEBIAN_ROOTS'] ?? '/nonexistent', release)
  }

  /** Why nothing of it can run. */
  get absent(): string | undefined {
    if (existsSync(this.module)) return undefined
    return `no ${this.release} in ENCLAVEJS_DEBIAN_ROOTS: see .ci/debian-roots`
  }

  /** p11-kit's client as a PKCS #11 module. */
  get module(): string {
    return join(this.#root, MODULE)
  }

  /** OpenSSL's provider over PKCS #11. */
  get provider(): string {
    return join(this.#libraries, 'ossl-modules/pkcs11.so')
  }

  /** OpenSSL's engine over PKCS #11. */
  get engine(): string {
    return join(this.#libraries, 'engines-3/pkcs11.so')
  }

  get #libraries(): string {
    return join(this.#root, MODULE, '../..')
  }

  /** One of its files. */
  file(path: string): string {
    return join(this.#root, path)
  }

  /** The command line of a program, which is this machine's where the other Debian lacks it. */
  command(program: string, args: readonly string[]): readonly [string, readonly string[]] {
    const own = join(this.#root, program)
    if (!existsSync(own)) return [program, args]
    const loader = readdirSync(join(this.#root, 'usr/lib64')).find((name) => name.startsWith('ld-'))
    const ld = join(this.#root, 'usr/lib64', loader ?? '')
    return [ld, ['--library-path', this.#libraries, own, ...args]]
  }
}
