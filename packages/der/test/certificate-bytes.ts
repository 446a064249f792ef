/** A DER element of `tag` around its contents, each given as bytes or hex. Lengths up to 65,535. */
export function element(tag: number, ...contents: readonly (Uint8Array | string)[]): Uint8Array {
  const body = Buffer.concat(
    contents.map((part) => (typeof part === 'string' ? hex(part) : Buffer.from(part))),
  )
  const { length } = body
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return new Uint8Array([tag, ...head, ...body])
}

export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
}

export function ascii(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

export const SEQUENCE: number = 0x30
export const ECDSA_SHA384: Uint8Array = hex('300a06082a8648ce3d040303')
export const P384: Uint8Array = hex('301006072a8648ce3d020106052b81040022')
/** CN=a */
export const NAME: Uint8Array = hex('300c310a300806035504030c0161')
export const BASIC_CONSTRAINTS_CA: Uint8Array = hex('300f0603551d130101ff040530030101ff')
export const KEY_USAGE_CA: Uint8Array = hex('300e0603551d0f0101ff040403020106')

/** The parts of a certificate, each a whole element, in their order; null leaves one out. */
export interface Parts {
  readonly version: Uint8Array | null
  readonly serialNumber: Uint8Array | null
  readonly innerAlgorithm: Uint8Array | null
  readonly issuer: Uint8Array | null
  readonly validity: Uint8Array | null
  readonly subject: Uint8Array | null
  readonly subjectPublicKeyInfo: Uint8Array | null
  /** What stands before the extensions: unique identifiers. */
  readonly identifiers: Uint8Array | null
  readonly extensions: Uint8Array | null
  /** What stands behind the extensions inside of tbsCertificate. */
  readonly tbsEnd: Uint8Array | null
  readonly outerAlgorithm: Uint8Array | null
  readonly signature: Uint8Array | null
  /** What stands behind the signature inside of the certificate. */
  readonly end: Uint8Array | null
}

const POINT = new Uint8Array(97).fill(4, 0, 1).fill(7, 1)

const BASE: Parts = {
  version: hex('a003020102'),
  serialNumber: hex('02021234'),
  innerAlgorithm: ECDSA_SHA384,
  issuer: NAME,
  validity: element(
    SEQUENCE,
    element(0x17, ascii('240101000000Z')),
    element(0x17, ascii('491231235959Z')),
  ),
  subject: NAME,
  subjectPublicKeyInfo: element(SEQUENCE, P384, element(0x03, '00', POINT)),
  identifiers: null,
  extensions: extensionsOf(BASIC_CONSTRAINTS_CA, KEY_USAGE_CA),
  tbsEnd: null,
  outerAlgorithm: ECDSA_SHA384,
  signature: element(0x03, '00', '3006020101020101'),
  end: null,
}

/** A well-formed v3 certificate with some of its parts replaced. Its signature is no true one. */
export function certificateOf(change: Partial<Parts> = {}): Uint8Array {
  const parts = { ...BASE, ...change }
  const present = (list: readonly (Uint8Array | null)[]): Uint8Array[] =>
    list.filter((part) => part !== null)
  const tbs = element(
    SEQUENCE,
    ...present([
      ...[parts.version, parts.serialNumber, parts.innerAlgorithm, parts.issuer, parts.validity],
      ...[parts.subject, parts.subjectPublicKeyInfo, parts.identifiers, parts.extensions],
      parts.tbsEnd,
    ]),
  )
  return element(SEQUENCE, ...present([tbs, parts.outerAlgorithm, parts.signature, parts.end]))
}

export function extensionsOf(...extensions: readonly Uint8Array[]): Uint8Array {
  return element(0xa3, element(SEQUENCE, ...extensions))
}
