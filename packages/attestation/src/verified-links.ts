import { decodeCertificate, type Certificate } from '@enclavejs/der'
import { equalBytes } from './bytes.ts'
import type { SubtleKey } from './signature.ts'

/** A certificate whose signature was verified, with its own key as imported. */
interface VerifiedLink {
  readonly certificate: Uint8Array
  readonly issuerKey: Uint8Array
  readonly key: SubtleKey
  /** What `certificate` says, once it came a second time: the same bytes say the same. */
  decoded?: Certificate
}

/**
 * Remembers one fact: these certificate bytes carry a valid signature under this public key. That fact does not age;
 * names, dates, path length, usage and anchor are judged anew on every call. Only a document that was accepted adds to
 * it, so refused ones evict nothing. Bounded; the link that was used longest ago goes first.
 */
export class VerifiedLinks {
  readonly #limit: number
  readonly #links = new Map<number, VerifiedLink>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#links.size
  }

  /**
   * The certificate that these bytes are, read before; undefined for one that is not remembered. The slot only finds:
   * here and below, equality of all bytes decides.
   */
  read(certificate: Uint8Array): Certificate | undefined {
    const link = this.#links.get(slot(certificate))
    if (link === undefined || !equalBytes(link.certificate, certificate)) return undefined
    return (link.decoded ??= decodeCertificate(link.certificate))
  }

  /** The certificate's imported key, if its signature is known to verify under `issuerKey` (SubjectPublicKeyInfo). */
  get(certificate: Certificate, issuerKey: Uint8Array): SubtleKey | undefined {
    const link = this.#links.get(slot(certificate.bytes))
    if (link === undefined || !equalBytes(link.issuerKey, issuerKey)) return undefined
    const same = link.decoded === certificate || equalBytes(link.certificate, certificate.bytes)
    return same ? link.key : undefined
  }

  add(certificate: Certificate, issuerKey: Uint8Array, key: SubtleKey): void {
    const name = slot(certificate.bytes)
    const known = this.get(certificate, issuerKey) && this.#links.get(name)
    const link = known ?? {
      certificate: certificate.bytes.slice(),
      issuerKey: issuerKey.slice(),
      key,
    }
    this.#links.delete(name)
    this.#links.set(name, link)
    if (this.#links.size > this.#limit) {
      const [oldest] = this.#links.keys()
      this.#links.delete(oldest as number)
    }
  }
}

/** The last six bytes: the end of the signature, which differs between any two certificates that a CA made. */
function slot(certificate: Uint8Array): number {
  let number = 0
  for (let at = 1; at < 7; at++) number = number * 256 + (certificate[certificate.length - at] ?? 0)
  return number
}
