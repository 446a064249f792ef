import {
  decodeAttestationDocument,
  verifyArchivedAttestation,
  verifyAttestation,
  type AttestationResult,
  type ReferenceValues,
  type UnverifiedAttestationDocument,
} from '@enclavejs/attestation'
import type { Settings } from './settings.ts'

/** What became of a document. Only `accepted` holds anything that was verified. */
export type Inspection =
  /** It is no document, so there is nothing to show but why. */
  | { readonly kind: 'unreadable'; readonly error: Error }
  /** The settings cannot be used: it was decoded, and not judged. */
  | {
      readonly kind: 'unjudged'
      readonly document: UnverifiedAttestationDocument
      readonly error: Error
    }
  /** A rule refused it. */
  | {
      readonly kind: 'refused'
      readonly document: UnverifiedAttestationDocument
      readonly error: Error
      readonly at: Date
    }
  | {
      readonly kind: 'accepted'
      readonly document: AttestationResult
      /** Judged at a time of the past. */
      readonly archived: boolean
      readonly at: Date
      /** Whether the PCRs were compared with those of an image. */
      readonly imageCompared: boolean
      readonly nonceCompared: boolean
      readonly settings: Settings
    }

/**
 * Decodes and verifies a document under the page's settings.
 *
 * @param image What the image beside it measures to; undefined accepts any image, and the verdict says so.
 */
export async function inspect(
  bytes: Uint8Array,
  readSettings: () => Settings,
  image: ReferenceValues | undefined,
): Promise<Inspection> {
  let document: UnverifiedAttestationDocument
  try {
    document = decodeAttestationDocument(bytes)
  } catch (cause) {
    return { kind: 'unreadable', error: asError(cause) }
  }
  const now = new Date()
  let settings: Settings | undefined
  try {
    settings = readSettings()
    const { at, archived, result } = await verify(bytes, settings, image, now)
    return {
      ...{ kind: 'accepted', document: result, archived, at, settings },
      ...{ imageCompared: image !== undefined, nonceCompared: settings.nonce !== undefined },
    }
  } catch (cause) {
    const error = asError(cause)
    // TypeError and RangeError speak of the settings, everything else of the document.
    const code = codeOf(error)
    if (settings === undefined || code?.startsWith('ERR_ATTESTATION_') !== true) {
      return { kind: 'unjudged', document, error }
    }
    const at =
      settings.at === 'now' ? now : settings.at === 'document' ? document.timestamp : settings.at
    return { kind: 'refused', document, error, at }
  }
}

async function verify(
  bytes: Uint8Array,
  settings: Settings,
  image: ReferenceValues | undefined,
  now: Date,
): Promise<{ at: Date; archived: boolean; result: AttestationResult }> {
  const { anchor, nonce, allowDebugMode } = settings
  const options = {
    ...(image === undefined ? { acceptAnyImage: true } : { referenceValues: image }),
    ...(typeof anchor === 'string' ? { partition: anchor } : { trustAnchors: anchor }),
    ...(nonce === undefined ? {} : { nonce }),
    allowDebugMode,
  }
  if (settings.at === 'now') {
    const { maxAge } = settings
    const result = await verifyAttestation(bytes, { ...options, maxAge, currentDate: now })
    return { at: now, archived: false, result }
  }
  const { appraisedAt, archived } = await verifyArchivedAttestation(bytes, {
    ...options,
    at: settings.at,
  })
  return { at: appraisedAt, archived: true, result: archived }
}

/** The stable code of an error; undefined where it has none. */
export function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

export function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause))
}
