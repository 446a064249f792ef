import type { Certificate } from '@enclavejs/der'
import { equalBytes } from './bytes.ts'
import type { SubtleKey } from './signature.ts'

/** A certificate whose signature was verified, with its own key as imported. */
interface VerifiedLink {
  readonly certificate: Uint8Array
  readonly issuerKey: Uint8Array
  readonly key: SubtleKey
}

/**
 * Remembers one fact: these certificate bytes carry a valid signature under this public key. That fact does not age;
 * names, dates, path length, usage and anchor are judged anew on every call. Only a document that was accepted adds to
 * it, so refused ones evict nothing. Bounded; the link that was used longest ago goes first.
 */
export class VerifiedLinks {
  readonly #limit: number
  readonly #links = new Map<string, VerifiedLink>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#links.size
  }

  /** The certificate's imported key, if its signature is known to verify under `issuerKey` (SubjectPublicKeyInfo). */
  get(certificate: Certificate, issuerKey: Uint8Array): SubtleKey | undefined {
    const link = this.#links.get(slot(certificate))
    if (link === undefined) return undefined
    // The slot only finds; equality of all bytes decides.
    const known =
      equalBytes(link.certificate, certificate.bytes) && equalBytes(link.issuerKey, issuerKey)
    return known ? link.key : undefined
  }

  add(certificate: Certificate, issuerKey: Uint8Array, key: SubtleKey): void {
    const name = slot(certificate)
    const known = this.get(certificate, issuerKey) !== undefined
    const link = known
      ? (this.#links.get(name) as VerifiedLink)
      : { certificate: certificate.bytes.slice(), issuerKey: issuerKey.slice(), key }
    this.#links.delete(name)
    this.#links.set(name, link)
    if (this.#links.size > this.#limit) {
      const [oldest] = this.#links.keys()
      this.#links.delete(oldest as string)
    }
  }
}

/** 24 bytes of the signature: they differ between any two certificates that a CA made. */
function slot(certificate: Certificate): string {
  return String.fromCharCode(...certificate.signature.subarray(-24))
}
