import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

const SEQUENCE = 0x30

/** A DER element; lengths up to 65,535. */
function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), body])
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const utcTime = (date: Date): Buffer =>
  element(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`))

/** What a test may ask of its certificate. */
export interface CertificateOptions {
  readonly curve?: 'P-256' | 'P-384' | 'P-521'
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** `openssl x509 -req` writes version 1. */
  readonly version?: 1 | 3
  /** Replaces what stands in the place of the whole validity. */
  readonly validity?: Uint8Array
  readonly key?: KeyObject
}

/** A key and a self-signed certificate for it, made here. */
export function makeSigningKey(options: CertificateOptions = {}): {
  readonly privateKey: KeyObject
  readonly privateKeyPem: string
  readonly certificate: string
  readonly der: Buffer
} {
  const { curve = 'P-384', version = 3 } = options
  const privateKey = options.key ?? generateKeyPairSync('ec', { namedCurve: curve }).privateKey
  const algorithm = element(SEQUENCE, hex('06082a8648ce3d040303'))
  const name = element(
    SEQUENCE,
    element(0x31, element(SEQUENCE, hex('0603550403'), element(0x0c, Buffer.from('fixture')))),
    element(0x31, element(SEQUENCE, hex('060355040a'), element(0x13, Buffer.from('Test "A"')))),
  )
  const validity =
    options.validity ??
    element(
      SEQUENCE,
      utcTime(options.notBefore ?? new Date('2026-01-01T00:00:00Z')),
      utcTime(options.notAfter ?? new Date('2030-01-09T01:02:03Z')),
    )
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const tbs = element(
    SEQUENCE,
    ...(version === 3 ? [hex('a003020102')] : []),
    ...[hex('020107'), algorithm, name, validity, name, spki],
  )
  const signature = sign('sha384', tbs, privateKey)
  const der = element(SEQUENCE, tbs, algorithm, element(0x03, Buffer.from([0]), signature))
  const body = der.toString('base64').replace(/.{64}/g, '$&\n')
  return {
    privateKey,
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    certificate: `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`,
    der,
  }
}
