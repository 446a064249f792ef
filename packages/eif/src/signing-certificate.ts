import { DerReader } from '@enclavejs/der'
import { toHex } from './bytes.ts'
import { EifError } from './error.ts'

/** What a signing certificate says of itself. Nobody vouches for it: PCR8 is its hash, and its path is not judged. */
export interface SigningCertificate {
  /** The first certificate of the PEM text, in DER. */
  readonly der: Uint8Array
  /** The issuer's attributes in the order of the bytes, by the names that `nitro-cli` prints. */
  readonly issuer: readonly (readonly [name: string, value: string])[]
  readonly signatureAlgorithm: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly subjectPublicKeyInfo: Uint8Array
  /** The named curve of an ECDSA key; undefined for any other key, which cannot sign an image. */
  readonly curve: Curve | undefined
  /** The bits of the certificate's own signature. */
  readonly signature: Uint8Array
}

export type Curve = 'P-256' | 'P-384' | 'P-521'

const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const BIT_STRING = 0x03
const OBJECT_IDENTIFIER = 0x06
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18
const EXPLICIT_0 = 0xa0

const EC_PUBLIC_KEY = '2a8648ce3d0201'
const CURVES: Readonly<Record<string, Curve>> = {
  '2a8648ce3d030107': 'P-256',
  '2b81040022': 'P-384',
  '2b81040023': 'P-521',
}
const NAMES: Readonly<Record<string, string>> = {
  '550403': 'commonName',
  '550405': 'serialNumber',
  '550406': 'countryName',
  '550407': 'localityName',
  '550408': 'stateOrProvinceName',
  '55040a': 'organizationName',
  '55040b': 'organizationalUnitName',
  '2a864886f70d010901': 'emailAddress',
}
const ALGORITHMS: Readonly<Record<string, string>> = {
  '2a8648ce3d040302': 'ecdsa-with-SHA256',
  '2a8648ce3d040303': 'ecdsa-with-SHA384',
  '2a8648ce3d040304': 'ecdsa-with-SHA512',
  '2a864886f70d01010b': 'sha256WithRSAEncryption',
  '2a864886f70d01010c': 'sha384WithRSAEncryption',
  '2a864886f70d01010d': 'sha512WithRSAEncryption',
}

/**
 * The DER of the first certificate in PEM bytes.
 *
 * @throws {EifError} `ERR_EIF_SIGNATURE` when there is none.
 */
export function firstCertificate(pem: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = new TextDecoder('latin1').decode(pem)
  const body =
    /-----BEGIN (?:X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END (?:X509 )?CERTIFICATE-----/.exec(
      text,
    )?.[1]
  try {
    const der = Uint8Array.from(atob((body as string).replace(/\s+/g, '')), (character) =>
      character.charCodeAt(0),
    )
    const reader = new DerReader(der)
    reader.read(SEQUENCE)
    reader.end()
    return der
  } catch (cause) {
    throw new EifError(
      'ERR_EIF_SIGNATURE',
      'signing_certificate is not the PEM text of a certificate, so PCR8 is unknown',
      { cause },
    )
  }
}

/**
 * Reads a certificate of version 1 to 3 as far as signing needs it: `openssl x509 -req`, which AWS's guide shows, writes
 * version 1.
 *
 * @throws an error of any kind when the structure is another.
 */
export function readSigningCertificate(der: Uint8Array): SigningCertificate {
  const certificate = new DerReader(der).enter(SEQUENCE)
  const tbs = certificate.enter(SEQUENCE)
  const signatureAlgorithm = readAlgorithm(certificate.enter(SEQUENCE))
  const signature = certificate.read(BIT_STRING).contents.subarray(1)
  certificate.end()
  if (tbs.sees(EXPLICIT_0)) tbs.read()
  tbs.read(INTEGER)
  tbs.read(SEQUENCE)
  const issuer = readIssuer(tbs.enter(SEQUENCE))
  const validity = tbs.enter(SEQUENCE)
  const notBefore = readTime(validity)
  const notAfter = readTime(validity)
  validity.end()
  tbs.read(SEQUENCE)
  const spki = tbs.read(SEQUENCE)
  const algorithm = DerReader.inside(spki).enter(SEQUENCE)
  const key = toHex(algorithm.read(OBJECT_IDENTIFIER).contents)
  const curve =
    key === EC_PUBLIC_KEY && algorithm.sees(OBJECT_IDENTIFIER)
      ? CURVES[toHex(algorithm.read(OBJECT_IDENTIFIER).contents)]
      : undefined
  return {
    der,
    issuer,
    signatureAlgorithm,
    notBefore,
    notAfter,
    subjectPublicKeyInfo: spki.bytes,
    curve,
    signature,
  }
}

function readAlgorithm(reader: DerReader): string {
  const oid = reader.read(OBJECT_IDENTIFIER).contents
  return ALGORITHMS[toHex(oid)] ?? dotted(oid)
}

function readIssuer(name: DerReader): [string, string][] {
  const attributes: [string, string][] = []
  while (!name.atEnd) {
    const set = name.enter(SET)
    while (!set.atEnd) {
      const attribute = set.enter(SEQUENCE)
      const oid = attribute.read(OBJECT_IDENTIFIER).contents
      const value = attribute.read()
      const encoding = value.tag === 0x1e ? 'utf-16be' : value.tag === 0x0c ? 'utf-8' : 'latin1'
      attributes.push([NAMES[toHex(oid)] ?? dotted(oid), decodeText(encoding, value.contents)])
    }
  }
  return attributes
}

function decodeText(encoding: string, bytes: Uint8Array): string {
  return new TextDecoder(encoding).decode(bytes)
}

function readTime(reader: DerReader): Date {
  const utc = reader.sees(UTC_TIME)
  const text = new TextDecoder('latin1').decode(
    reader.read(utc ? UTC_TIME : GENERALIZED_TIME).contents,
  )
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
  const [year, month, day, hour, minute, second] = (match ?? []).slice(1).map(Number) as number[]
  const century = utc ? ((year as number) < 50 ? 2000 : 1900) : 0
  const time = new Date(
    Date.UTC(century + (year as number), (month as number) - 1, day, hour, minute, second),
  )
  if (Number.isNaN(time.getTime()) || (text.length === 13) !== utc) throw new Error('No such time')
  return time
}

function dotted(oid: Uint8Array): string {
  const arcs: number[] = []
  let arc = 0
  for (const octet of oid) {
    arc = arc * 128 + (octet & 0x7f)
    if (octet >= 0x80) continue
    if (arcs.length === 0) {
      const root = Math.min(Math.floor(arc / 40), 2)
      arcs.push(root, arc - 40 * root)
    } else arcs.push(arc)
    arc = 0
  }
  return arcs.join('.')
}
