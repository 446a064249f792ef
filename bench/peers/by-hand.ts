import { verify, X509Certificate } from 'node:crypto'
import { expectedPcrs, load, type Peer } from './peer.ts'

interface CborX {
  readonly Encoder: new (options: object) => {
    decode(bytes: Uint8Array): unknown
    encode(value: unknown): Uint8Array
  }
}

interface Payload {
  readonly certificate: Uint8Array
  readonly cabundle: readonly Uint8Array[]
  readonly pcrs: Readonly<Record<number, Uint8Array>>
}

const ROOT = '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b'

/** The two hundred lines that everyone writes, in twenty: decode, five certificates, path, dates, signature, PCRs. */
export async function createPeer(document: Uint8Array): Promise<Peer> {
  const { Encoder } = await load<CborX>('cbor-x')
  const codec = new Encoder({ tagUint8Array: false, useRecords: false })
  const expected = [...expectedPcrs(document)].slice(0, 3)
  return async (bytes) => {
    const [protectedHeader, , payload, signature] = codec.decode(bytes) as Uint8Array[]
    const fields = codec.decode(payload as Uint8Array) as Payload
    const path = [...fields.cabundle, fields.certificate].map((der) => new X509Certificate(der))
    const now = new Date()
    const [root, leaf] = [path[0] as X509Certificate, path.at(-1) as X509Certificate]
    if (root.fingerprint256.replaceAll(':', '').toLowerCase() !== ROOT) return false
    for (const [index, certificate] of path.entries()) {
      if (certificate.validFromDate > now || certificate.validToDate < now) return false
      const issuer = path[index - 1]
      if (issuer === undefined) continue
      if (!issuer.ca || !certificate.checkIssued(issuer)) return false
      if (!certificate.verify(issuer.publicKey)) return false
    }
    const signed = codec.encode(['Signature1', protectedHeader, new Uint8Array(), payload])
    const key = { key: leaf.publicKey, dsaEncoding: 'ieee-p1363' } as const
    if (!verify('sha384', signed, key, signature as Uint8Array)) return false
    return expected.every(
      ([index, value]) =>
        Buffer.from(fields.pcrs[index] ?? new Uint8Array()).toString('hex') === value,
    )
  }
}
