import { createPrivateKey, type KeyObject } from 'node:crypto'
import { AcmError } from './error.ts'
import { readPem, writePem } from './pem.ts'

/** A private key that was read: to compare with a certificate, and to be put into a TLS context. It stays in this package. */
export interface PrivateKey extends Disposable {
  readonly keyObject: KeyObject
  /** PEM for `createSecureContext`. Overwritten by disposing. */
  readonly pem: Uint8Array
}

type Encoding = 'pkcs8' | 'pkcs1' | 'sec1'

const LABELS: Readonly<Record<string, Encoding>> = {
  'PRIVATE KEY': 'pkcs8',
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
}
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])
const MODULUS_LEAST = 2048
const MODULUS_MOST = 8192
const INTEGER = 0x02
const SEQUENCE = 0x30
const OCTET_STRING = 0x04

/**
 * Reads a private key: PKCS #8, PKCS #1 (RSA) or SEC 1 (EC), in PEM or DER, not encrypted; RSA of 2048 to 8192 bits, or on P-256,
 * P-384 or P-521. `bytes` are the caller's to overwrite.
 *
 * @throws {AcmError} `ERR_ACM_KEY_FORM`, `ERR_ACM_KEY_KIND`
 */
export function readPrivateKey(bytes: Uint8Array): PrivateKey {
  const { der, encoding } = bytes[0] === SEQUENCE ? fromDer(bytes) : fromPem(bytes)
  try {
    const keyObject = parse(der, encoding)
    checkKind(keyObject)
    const label = Object.entries(LABELS).find(([, one]) => one === encoding)?.[0] as string
    const pem = writePem(label, der)
    return { keyObject, pem, [Symbol.dispose]: () => void pem.fill(0) }
  } finally {
    der.fill(0)
  }
}

function fromPem(bytes: Uint8Array): { der: Uint8Array; encoding: Encoding } {
  const blocks = readPem(bytes, 2)
  if (blocks === undefined) throw formError('it is no PEM, or has a passphrase')
  // `openssl ecparam -genkey` writes the curve's name in front.
  const keys = blocks.filter(({ label }) => label !== 'EC PARAMETERS')
  const [key] = keys
  const encoding = key === undefined ? undefined : LABELS[key.label]
  const isOne = key !== undefined && keys.length === 1 && encodingOf(key.der) === encoding
  if (!isOne || encoding === undefined) {
    for (const { der } of blocks) der.fill(0)
    throw formError('one block PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY expected')
  }
  return { der: key.der, encoding }
}

function fromDer(bytes: Uint8Array): { der: Uint8Array; encoding: Encoding } {
  const encoding = encodingOf(bytes)
  if (encoding === undefined) throw formError('it is no private key in DER')
  return { der: Uint8Array.from(bytes), encoding }
}

/** All begin with a version; what follows tells them apart. OpenSSL would take one for another. */
function encodingOf(der: Uint8Array): Encoding | undefined {
  const lengthOctet = der[1] ?? 0
  const header = 2 + (lengthOctet > 0x80 ? lengthOctet & 0x7f : 0)
  const [tag, length, , next] = der.subarray(header, header + 4)
  if (der[0] !== SEQUENCE || tag !== INTEGER || length !== 1) return undefined
  if (next === INTEGER) return 'pkcs1'
  if (next === SEQUENCE) return 'pkcs8'
  return next === OCTET_STRING ? 'sec1' : undefined
}

function parse(der: Uint8Array, type: Encoding): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type })
  } catch {
    // OpenSSL's message has no place here: `cause` would carry the bytes' story.
    throw formError(`its ${type.toUpperCase()} does not parse`)
  }
}

/** @throws {AcmError} `ERR_ACM_KEY_KIND` */
export function checkKind({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details = {},
}: KeyObject): void {
  const { modulusLength = 0, namedCurve = '' } = details
  if (type === 'rsa' && modulusLength >= MODULUS_LEAST && modulusLength <= MODULUS_MOST) return
  if (type === 'ec' && CURVES.has(namedCurve)) return
  const seen =
    type === 'rsa' ? `RSA of ${modulusLength} bits` : `${type ?? '?'} ${namedCurve}`.trim()
  throw new AcmError(
    'ERR_ACM_KEY_KIND',
    `The private key is ${seen}; RSA of ${MODULUS_LEAST} to ${MODULUS_MOST} bits, P-256, P-384 or P-521 expected`,
  )
}

function formError(fault: string): AcmError {
  return new AcmError('ERR_ACM_KEY_FORM', `What KMS decrypted is no private key: ${fault}`)
}
