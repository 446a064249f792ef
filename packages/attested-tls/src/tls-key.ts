import { generateKeyPair, randomBytes, sign, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'

/** A curve of TLS 1.3 certificates. */
export type TlsCurve = 'P-256' | 'P-384'

/** What `https.createServer` takes. */
export interface TlsKey {
  readonly key: string
  readonly cert: string
}

const generate = promisify(generateKeyPair) as (
  type: 'ec',
  options: { readonly namedCurve: string },
) => Promise<{ privateKey: KeyObject; publicKey: KeyObject }>

/** DER of AlgorithmIdentifiers, RFC 5758 §3.2. */
const SIGNATURE = {
  'P-256': { hash: 'sha256', algorithm: hex('300a06082a8648ce3d040302') },
  'P-384': { hash: 'sha384', algorithm: hex('300a06082a8648ce3d040303') },
} as const
/** CN=enclave.invalid, a name that nobody can have (RFC 6761 §6.4). */
const NAME = der(0x30, der(0x31, der(0x30, hex('0603550403'), text(0x0c, 'enclave.invalid'))))
/** From before every clock to RFC 5280's "no well-defined expiration date" (§4.1.2.5): the clock of an enclave is its parent's. */
const VALIDITY = der(0x30, text(0x17, '700101000000Z'), text(0x18, '99991231235959Z'))
/** keyUsage digitalSignature, critical; extKeyUsage serverAuth. */
const EXTENSIONS = der(
  0xa3,
  der(
    0x30,
    hex('300e0603551d0f0101ff040403020780'),
    hex('30130603551d25040c300a06082b06010505070301'),
  ),
)

/**
 * A key that was made here, and a certificate (RFC 5280 §4.1) that it signed itself, because TLS wants one. Attested clients look at
 * its key alone: its name and its dates say nothing that anybody verifies.
 */
export async function makeTlsKey(curve: TlsCurve): Promise<TlsKey> {
  const { privateKey, publicKey } = await generate('ec', { namedCurve: curve })
  const { algorithm, hash } = SIGNATURE[curve]
  const serial = randomBytes(16)
  // Positive, and of the same length each time.
  serial[0] = ((serial[0] as number) & 0x3f) | 0x40
  const certificate = der(
    0x30,
    ...[hex('a003020102'), der(0x02, serial), algorithm, NAME, VALIDITY, NAME],
    publicKey.export({ type: 'spki', format: 'der' }),
    EXTENSIONS,
  )
  const signature = sign(hash, certificate, privateKey)
  const signed = der(0x30, certificate, algorithm, der(0x03, Buffer.of(0), signature))
  const lines = signed.toString('base64').match(/.{1,64}/g) ?? []
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
  }
}

/** One element of X.690, definite length. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  const { length } = body
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), body])
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...long), body])
}

function text(tag: number, value: string): Buffer {
  return der(tag, Buffer.from(value, 'latin1'))
}

function hex(digits: string): Buffer {
  return Buffer.from(digits, 'hex')
}
