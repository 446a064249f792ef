import type { X509Certificate } from 'node:crypto'
import { AcmError } from './error.ts'
import { begin } from './path-profile.ts'

/** Replaced certificates that are remembered; those before them are told by their dates. */
const REMEMBERED = 1000

/**
 * Refuses what is older than the newest bundle that was accepted since this process began: a lower version, another bundle of
 * the same version, a leaf that begins earlier, a leaf that was replaced before. What came before this process it cannot know.
 */
export class RollbackGuard {
  #version: number
  #begin = Number.NEGATIVE_INFINITY
  #fingerprint: string | undefined
  readonly #replaced = new Set<string>()

  constructor(leastVersion: number) {
    this.#version = leastVersion
  }

  /**
   * @param version - what the bundle says; that it is true is known after decryption alone
   * @throws {AcmError} `ERR_ACM_ROLLBACK`
   */
  check(leaf: X509Certificate, version: number | undefined): void {
    const { fingerprint256 } = leaf
    if (version !== undefined && version < this.#version) {
      throw rollback(`version ${version}, and version ${this.#version} was there before`)
    }
    if (this.#replaced.has(fingerprint256)) throw rollback('its certificate was replaced before')
    if (begin(leaf).getTime() < this.#begin) {
      throw rollback(
        `its certificate is valid from ${begin(leaf).toISOString()}, and one from ${new Date(this.#begin).toISOString()} was there before`,
      )
    }
    const isOther = this.#fingerprint !== undefined && fingerprint256 !== this.#fingerprint
    if (isOther && version !== undefined && version === this.#version) {
      throw rollback(`version ${version} was there before, with another certificate`)
    }
  }

  /** A bundle was decrypted and is served from now on. */
  accept(leaf: X509Certificate, version: number | undefined): void {
    const { fingerprint256 } = leaf
    if (this.#fingerprint !== undefined && this.#fingerprint !== fingerprint256) {
      this.#replaced.add(this.#fingerprint)
      const [oldest] = this.#replaced
      if (this.#replaced.size > REMEMBERED && oldest !== undefined) this.#replaced.delete(oldest)
    }
    this.#fingerprint = fingerprint256
    this.#begin = Math.max(this.#begin, begin(leaf).getTime())
    this.#version = Math.max(this.#version, version ?? 0)
  }
}

function rollback(fault: string): AcmError {
  return new AcmError('ERR_ACM_ROLLBACK', `An older bundle came: ${fault}; the newer one is kept`)
}
