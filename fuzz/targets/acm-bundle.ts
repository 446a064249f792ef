import { createECDH, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decodeBundle, encodeBundle } from '../../packages/acm-enclave/src/bundle.ts'
import { readCertificationPath } from '../../packages/acm-enclave/src/certification-path.ts'
import { AcmError } from '../../packages/acm-enclave/src/error.ts'
import { isSameBundle } from '../../packages/acm-enclave/src/loaded-certificate.ts'
import { readPem, writePem } from '../../packages/acm-enclave/src/pem.ts'
import { readPrivateKey } from '../../packages/acm-enclave/src/private-key.ts'
import { vectors } from '../../test/vectors.ts'
import { LawBroken, type FuzzTarget } from '../target.ts'

const expected = { hostNames: ['www.example.com'], currentDate: new Date('2026-11-21T18:00:00Z') }

/** What is refused in our own words, and why; undefined where it was accepted. */
function refusal(run: () => void, codes: RegExp): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (!(error instanceof AcmError && codes.test(error.code))) throw error
    if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(error.message)) throw new LawBroken('a message has lines')
    return error.code
  }
}

/** As the object of a bucket. */
function asBundle(input: Uint8Array): void {
  refusal(() => {
    const bundle = decodeBundle(input)
    if (!isSameBundle(decodeBundle(encodeBundle(bundle)), bundle)) {
      throw new LawBroken('what is written is not what was read')
    }
    const theirs = JSON.parse(new TextDecoder().decode(input)) as Record<string, unknown>
    const ciphertext = Buffer.from(bundle.encryptedPrivateKey).toString('base64')
    const same =
      theirs['certificate'] === bundle.certificate &&
      theirs['certificateChain'] === bundle.certificateChain &&
      theirs['encryptedPrivateKey'] === ciphertext
    if (!same) throw new LawBroken('JSON.parse reads something else')
    asPath(bundle.certificate, bundle.certificateChain)
  }, /^ERR_ACM_BUNDLE_/)
}

const PATH = /^ERR_ACM_(?:CERTIFICATE|PATH|EXPIRED|NOT_YET|NAME|CRITICAL)/

function asPath(certificate: string, certificateChain: string): void {
  refusal(() => {
    const path = readCertificationPath({ certificate, certificateChain }, expected)
    if (new X509Certificate(path.pem).fingerprint256 !== path.leaf.fingerprint256) {
      throw new LawBroken('what is sent does not begin with the leaf')
    }
  }, PATH)
}

/** As what KMS decrypted. */
function asKey(input: Uint8Array): void {
  const before = Buffer.from(input)
  refusal(() => {
    using key = readPrivateKey(input)
    const theirs = createPublicKey(createPrivateKey(Buffer.from(key.pem)))
    if (!theirs.equals(createPublicKey(key.keyObject))) throw new LawBroken('it is another key')
  }, /^ERR_ACM_KEY_/)
  if (!before.equals(input)) throw new LawBroken('the input was changed')
}

function asPem(input: Uint8Array): void {
  for (const { label, der } of readPem(input, 11) ?? []) {
    const again = readPem(writePem(label, der), 1)?.[0]
    if (again?.label !== label || !Buffer.from(again.der).equals(der)) {
      throw new LawBroken('a block is read otherwise than it is written')
    }
  }
}

const WAYS = [asBundle, asKey, asPem]

/** The first byte says as what the others are read. */
function run(input: Uint8Array): void {
  const way = WAYS[(input[0] ?? 0) % WAYS.length]
  way?.(input.subarray(1))
}

/** The key whose secret is `scalar`, in SEC 1: known to everybody. */
function knownKey(scalar: number): Uint8Array {
  const ecdh = createECDH('prime256v1')
  const secret = Buffer.alloc(32)
  secret[31] = scalar
  ecdh.setPrivateKey(secret)
  const point = ecdh.getPublicKey()
  const hex = `30770201010420${secret.toString('hex')}a00a06082a8648ce3d030107a144034200${point.toString('hex')}`
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

export const target: FuzzTarget = {
  format: undefined,
  maxLength: 8192,
  dictionary: [
    ...['"certificate":"', '"version":"1"', '\\n', '\\u0000', '},', ',"x":""', '=='],
    ...['-----BEGIN ', '-----END ', 'EC PARAMETERS-----', 'PRIVATE KEY-----', 'CERTIFICATE-----'],
  ].map((text) => new TextEncoder().encode(text)),
  seeds() {
    const bundle = readFileSync(fileURLToPath(new URL('../seeds/acm-bundle.json', import.meta.url)))
    const { certificate, certificateChain } = decodeBundle(bundle)
    const key = knownKey(1)
    const pkcs8 = createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'sec1' })
    const seeds: [number, Uint8Array][] = [
      [0, bundle],
      [1, key],
      [1, writePem('EC PRIVATE KEY', key)],
      [1, pkcs8.export({ type: 'pkcs8', format: 'der' })],
      [1, Buffer.from(pkcs8.export({ type: 'pkcs8', format: 'pem' }))],
      [2, Buffer.from(certificate + certificateChain)],
      ...realKeys().map((one): [number, Uint8Array] => [1, one]),
    ]
    return seeds.map(([way, bytes]) => Uint8Array.from([way, ...bytes]))
  },
  run,
}

/** Key files of OpenSSL and others, those of moderate size. */
function realKeys(): readonly Uint8Array[] {
  const file = vectors('keys/keys.json')
  if (file === undefined) return []
  const all = JSON.parse(readFileSync(file, 'utf8')) as { b64: string }[]
  return all.map(({ b64 }) => Buffer.from(b64, 'base64')).filter(({ length }) => length < 2000)
}
