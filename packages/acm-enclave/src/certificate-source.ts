import type { UnverifiedBundle } from './bundle.ts'

/** A bundle as it was fetched, and what to ask with the next time. */
interface FetchedBundle {
  readonly bundle: UnverifiedBundle
  readonly etag: string | undefined
}

/** What a source does; for this package alone, because it gives the private key. */
export interface SourceParts {
  readonly description: string
  /** Undefined where it is still the bundle of `etag`. */
  fetch(etag: string | undefined, signal: AbortSignal): Promise<FetchedBundle | undefined>
  /** The private key's bytes. Whoever called overwrites them. */
  decrypt(bundle: UnverifiedBundle, signal: AbortSignal): Promise<Uint8Array>
  close(): Promise<void>
}

let open: (source: CertificateSource) => SourceParts

/**
 * Where a certificate comes from: {@link fromAssociatedCertificate}, {@link fromBundleObject} or {@link fromBytes}. It belongs to the
 * one `createAcmCertificate` that it is given to, which closes it.
 */
export class CertificateSource {
  readonly #parts: SourceParts

  static {
    open = (source) => source.#parts
  }

  constructor(parts: SourceParts) {
    this.#parts = parts
  }

  /** What it is, for logs: `s3://bucket/key`. */
  get description(): string {
    return this.#parts.description
  }
}

/** @throws {TypeError} for what is no source */
export function partsOf(source: CertificateSource): SourceParts {
  if (source instanceof CertificateSource) return open(source)
  throw new TypeError(
    'source must come from fromAssociatedCertificate, fromBundleObject or fromBytes',
  )
}
