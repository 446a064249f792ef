import { encodeCbor } from './cbor.ts'
import type { Leaf } from './certification-path.ts'
import { signCoseSign1 } from './cose-sign1.ts'
import { concat } from './der.ts'

/** What an attestation document says, apart from its certificates. */
export interface AttestationFields {
  readonly moduleId: string
  /** Milliseconds since 1970. */
  readonly timestamp: number
  /** The PCRs by index, in the order in which they are to be written. */
  readonly pcrs: ReadonlyMap<number, Uint8Array>
  /** Default `SHA384`. */
  readonly digest?: string | undefined
  /** Left out or null: written as null, as Nitro does. Empty stays empty. */
  readonly publicKey?: Uint8Array | null | undefined
  readonly userData?: Uint8Array | null | undefined
  readonly nonce?: Uint8Array | null | undefined
}

/** One pair of the payload's map, key and value each as one CBOR item. */
export type PayloadEntry = readonly [key: Uint8Array, value: Uint8Array]

/** The nine pairs of a document in Nitro's order. */
export function attestationEntries(
  fields: AttestationFields,
  leaf: Pick<Leaf, 'certificate' | 'cabundle'>,
): PayloadEntry[] {
  const { moduleId, timestamp, pcrs, digest = 'SHA384' } = fields
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw new RangeError('timestamp: expected whole milliseconds since 1970')
  }
  return [
    entry('module_id', encodeCbor(moduleId)),
    entry('digest', encodeCbor(digest)),
    entry('timestamp', encodeCbor(BigInt(timestamp))),
    entry('pcrs', encodeCbor(pcrs)),
    entry('certificate', encodeCbor(leaf.certificate)),
    entry('cabundle', encodeCbor(leaf.cabundle)),
    entry('public_key', encodeCbor(fields.publicKey ?? null)),
    entry('user_data', encodeCbor(fields.userData ?? null)),
    entry('nonce', encodeCbor(fields.nonce ?? null)),
  ]
}

/** A pair whose key is text. */
export function entry(key: string, value: Uint8Array): PayloadEntry {
  return [encodeCbor(key), value]
}

/**
 * The payload's map from its pairs: of indefinite length, `bf … ff`, as since August 2025, or with
 * `definite: true` of definite length, `a9 …`, as before.
 */
export function encodePayload(
  entries: readonly PayloadEntry[],
  options: { readonly definite?: boolean | undefined } = {},
): Uint8Array {
  const pairs = entries.flat()
  if (options.definite !== true) return concat(Uint8Array.of(0xbf), ...pairs, Uint8Array.of(0xff))
  if (entries.length > 23) throw new RangeError('entries: at most 23 were expected')
  return concat(Uint8Array.of(0xa0 | entries.length), ...pairs)
}

/**
 * An attestation document, byte for byte in the form of Nitro's: an untagged COSE_Sign1 with
 * ES384, an empty unprotected header and the nine fields in Nitro's order, those that are not
 * given as null.
 *
 * Whoever has the leaf can say anything with it: what the document states is proven by nothing.
 */
export function issueAttestationDocument(
  fields: AttestationFields,
  leaf: Leaf,
  options: { readonly definite?: boolean | undefined } = {},
): Uint8Array {
  const payload = encodePayload(attestationEntries(fields, leaf), options)
  return signCoseSign1({ payload, privateKey: leaf.privateKey })
}
