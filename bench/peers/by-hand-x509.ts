import type { webcrypto } from 'node:crypto'
import { expectedPcrs, load, type Peer } from './peer.ts'

interface CborX {
  readonly Encoder: new (options: object) => {
    decode(bytes: Uint8Array): unknown
    encode(value: unknown): Uint8Array<ArrayBuffer>
  }
}

interface Certificate {
  readonly publicKey: {
    export(algorithm: object, usages: readonly string[]): Promise<webcrypto.CryptoKey>
  }
  readonly issuer: string
  readonly subject: string
  getThumbprint(algorithm: string): Promise<ArrayBuffer>
  verify(input: { readonly publicKey?: unknown; readonly date: Date }): Promise<boolean>
}

interface X509 {
  readonly X509Certificate: new (der: Uint8Array) => Certificate
}

interface Payload {
  readonly certificate: Uint8Array
  readonly cabundle: readonly Uint8Array[]
  readonly pcrs: Readonly<Record<number, Uint8Array>>
}

const ROOT = '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b'
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-384' }

/** As by-hand.ts, with what runs in a browser too. */
export async function createPeer(document: Uint8Array): Promise<Peer> {
  const { Encoder } = await load<CborX>('cbor-x')
  // Its dependency injection needs this first.
  await load('reflect-metadata')
  const { X509Certificate } = await load<X509>('@peculiar/x509')
  const codec = new Encoder({ tagUint8Array: false, useRecords: false })
  const expected = [...expectedPcrs(document)].slice(0, 3)
  return async (bytes) => {
    const [protectedHeader, , payload, signature] = codec.decode(bytes) as Uint8Array<ArrayBuffer>[]
    const fields = codec.decode(payload as Uint8Array) as Payload
    const path = [...fields.cabundle, fields.certificate].map((der) => new X509Certificate(der))
    const date = new Date()
    const [root, leaf] = [path[0] as Certificate, path.at(-1) as Certificate]
    if (Buffer.from(await root.getThumbprint('SHA-256')).toString('hex') !== ROOT) return false
    for (const [index, certificate] of path.entries()) {
      const issuer = path[index - 1]
      if (issuer === undefined) continue
      if (certificate.issuer !== issuer.subject) return false
      if (!(await certificate.verify({ publicKey: issuer.publicKey, date }))) return false
    }
    const signed = codec.encode(['Signature1', protectedHeader, new Uint8Array(), payload])
    const key = await leaf.publicKey.export(ALGORITHM, ['verify'])
    const { subtle } = globalThis.crypto
    const algorithm = { name: 'ECDSA', hash: 'SHA-384' }
    const good = await subtle.verify(algorithm, key, signature as Uint8Array<ArrayBuffer>, signed)
    if (!good) return false
    return expected.every(
      ([index, value]) =>
        Buffer.from(fields.pcrs[index] ?? new Uint8Array()).toString('hex') === value,
    )
  }
}
