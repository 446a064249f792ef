import { createPublicKey, verify, X509Certificate, type KeyObject } from 'node:crypto'
import { Decoder } from 'cbor-x'

const decoder = new Decoder({ mapsAsObjects: false, useRecords: false })

/**
 * Whether all signatures of a document are right, by OpenSSL and cbor-x, which read leniently; undefined where even they
 * cannot read it.
 */
export function rightlySigned(document: Uint8Array): boolean | undefined {
  try {
    const message = untagged(decoder.decode(document) as unknown) as Uint8Array[]
    const [protectedHeader, , payload, signature] = message
    if (!protectedHeader || !payload || !signature) return undefined
    const fields = decoder.decode(payload) as Map<string, unknown>
    const path = [...(fields.get('cabundle') as Uint8Array[]), fields.get('certificate')].map(
      (der) => new X509Certificate(der as Uint8Array),
    )
    const linked = path.every((one, index) => one.verify((path[index - 1] ?? one).publicKey))
    const key = (path.at(-1) as X509Certificate).publicKey
    return linked && signedBy(key, protectedHeader, payload, signature)
  } catch {
    return undefined
  }
}

function untagged(item: unknown): unknown {
  const { tag, value } = item as { tag?: number; value?: unknown }
  return tag === undefined ? item : value
}

function signedBy(
  key: KeyObject,
  protectedHeader: Uint8Array,
  payload: Uint8Array,
  signature: Uint8Array,
): boolean {
  const structure = Buffer.concat([
    Buffer.from('846a5369676e617475726531', 'hex'),
    bytes(protectedHeader),
    bytes(new Uint8Array()),
    bytes(payload),
  ])
  const publicKey = createPublicKey(key.export({ format: 'pem', type: 'spki' }))
  return ['sha256', 'sha384', 'sha512'].some((hash) =>
    verify(hash, structure, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature),
  )
}

/** A byte string of CBOR. */
function bytes(value: Uint8Array): Buffer {
  const { length } = value
  const head =
    length < 24
      ? [0x40 | length]
      : length < 256
        ? [0x58, length]
        : [0x59, length >> 8, length & 0xff]
  return Buffer.concat([Uint8Array.from(head), value])
}
