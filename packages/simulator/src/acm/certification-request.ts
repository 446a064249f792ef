import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { BitString, fromBER, ObjectIdentifier, OctetString } from 'asn1js'

/** What a PKCS #10 request asks for. */
export interface ReadRequest {
  readonly names: readonly string[]
  readonly publicKey: KeyObject
}

/** Hashes by the signature algorithm's OID. */
const HASHES: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
}
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const SUBJECT_ALT_NAME = '2.5.29.17'
const DNS_NAME = 0x82

/**
 * Reads a request (RFC 2986), PEM or DER, and checks its signature.
 *
 * @throws TypeError where it is none, does not hold, or asks for no DNS name.
 */
export function readCertificationRequest(request: string | Uint8Array): ReadRequest {
  const der = typeof request === 'string' ? derOf(request) : Uint8Array.from(request)
  const [info, algorithm, signature] = children(fromBER(der).result)
  const [, , spki, attributes] = children(info)
  const [id] = children(algorithm)
  const hash = id instanceof ObjectIdentifier ? HASHES[id.valueBlock.toString()] : undefined
  if (hash === undefined || !(signature instanceof BitString)) {
    throw new TypeError('request: expected PKCS #10 signed with ECDSA or RSA')
  }
  const publicKey = createPublicKey({ key: encodingOf(spki), format: 'der', type: 'spki' })
  if (!verify(hash, encodingOf(info), publicKey, signature.valueBlock.valueHexView)) {
    throw new TypeError('request: its signature does not hold')
  }
  const names = namesOf(attributes)
  if (names.length === 0) throw new TypeError('request: it asks for no DNS names')
  return { names, publicKey }
}

function derOf(pem: string): Uint8Array {
  const [, body] = /-----BEGIN CERTIFICATE REQUEST-----([\s\S]*?)-----END/.exec(pem) ?? []
  if (body === undefined) throw new TypeError('request: expected PKCS #10 in PEM')
  return Uint8Array.from(Buffer.from(body, 'base64'))
}

/** The DNS names of subjectAltName in extensionRequest (RFC 2985 §5.4.2). */
function namesOf(attributes: unknown): string[] {
  for (const attribute of children(attributes)) {
    const [type, values] = children(attribute)
    if (!isNamed(type, EXTENSION_REQUEST)) continue
    for (const extension of children(children(values)[0])) {
      const parts = children(extension)
      const value = parts.at(-1)
      if (!isNamed(parts[0], SUBJECT_ALT_NAME) || !(value instanceof OctetString)) continue
      const { result } = fromBER(value.valueBlock.valueHexView.slice())
      return children(result)
        .map((name) => encodingOf(name))
        .filter(([tag]) => tag === DNS_NAME)
        .map((name) => name.subarray(name[1] === 0x81 ? 3 : 2).toString('latin1'))
    }
  }
  return []
}

function isNamed(item: unknown, oid: string): boolean {
  return item instanceof ObjectIdentifier && item.valueBlock.toString() === oid
}

function children(item: unknown): readonly unknown[] {
  const { value } = (item as { valueBlock?: { value?: unknown } } | undefined)?.valueBlock ?? {}
  return Array.isArray(value) ? (value as unknown[]) : []
}

function encodingOf(item: unknown): Buffer {
  const { valueBeforeDecodeView: octets } = item as { valueBeforeDecodeView?: Uint8Array }
  return Buffer.from(octets ?? new Uint8Array())
}
