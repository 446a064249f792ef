import { DerReader } from './element.ts'
import { DerError } from './error.ts'
import { decodeBasicConstraints, decodeKeyUsage, type BasicConstraints } from './extension.ts'
import { readName } from './name.ts'
import { readBitString, readBoolean, readInteger, readObjectIdentifier } from './primitive.ts'
import { readTime } from './time.ts'
import { BOOLEAN, OCTET_STRING, SEQUENCE } from './tag.ts'

/** An extension (RFC 5280 §4.2); `value` is what its OCTET STRING holds. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  readonly value: Uint8Array
}

/** A certificate's structure (RFC 5280 §4.1). Byte fields are views into the input, in DER where not said otherwise. */
export interface Certificate {
  readonly bytes: Uint8Array
  /** What the signature covers. */
  readonly tbsCertificate: Uint8Array
  /** The INTEGER's contents: positive, at most 20 octets and a leading zero. */
  readonly serialNumber: Uint8Array
  /** AlgorithmIdentifier; the same inside and outside of the signed part. */
  readonly signatureAlgorithm: Uint8Array
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  /** Milliseconds since 1970; the validity includes both ends. */
  readonly notBefore: number
  readonly notAfter: number
  readonly subjectPublicKeyInfo: Uint8Array
  /** The AlgorithmIdentifier in subjectPublicKeyInfo. */
  readonly publicKeyAlgorithm: Uint8Array
  /** The bits of subjectPublicKey. */
  readonly publicKey: Uint8Array
  readonly extensions: readonly Extension[]
  readonly basicConstraints: BasicConstraints | undefined
  /** Bits of {@link KeyUsage}; undefined where the extension is absent. */
  readonly keyUsage: number | undefined
  /** The bits of signatureValue: for ECDSA an Ecdsa-Sig-Value. */
  readonly signature: Uint8Array
}

const CONTEXT_0 = 0xa0
const CONTEXT_3 = 0xa3
const BASIC_CONSTRAINTS = '2.5.29.19'
const KEY_USAGE = '2.5.29.15'

/**
 * Reads one X.509 v3 certificate that fills `bytes`, as strict DER: no trailing bytes at any level, defaults left out,
 * no unique identifiers, no extension twice. Nothing is proven by it: no signature, date or name is judged.
 *
 * @throws {DerError} for anything else.
 */
export function decodeCertificate(bytes: Uint8Array): Certificate {
  const reader = new DerReader(bytes)
  reader.open(SEQUENCE)
  const tbsStart = reader.offset
  reader.open(SEQUENCE)

  readVersion(reader)
  const serialNumber = readSerialNumber(reader)
  const innerAlgorithm = readAlgorithm(reader)
  const issuer = readName(reader).bytes
  // RFC 5280 §4.1.2.4.
  if (issuer.length === 2) throw new DerError('issuer is empty', tbsStart)
  reader.open(SEQUENCE)
  const notBefore = readTime(reader)
  const notAfter = readTime(reader)
  reader.close()
  const subject = readName(reader).bytes
  const spkiStart = reader.offset
  reader.open(SEQUENCE)
  const publicKeyAlgorithm = readAlgorithm(reader)
  const publicKey = wholeOctets(reader)
  reader.close()
  const subjectPublicKeyInfo = reader.since(spkiStart)
  const extensions = readExtensions(reader)
  reader.close()

  const tbsCertificate = reader.since(tbsStart)
  const signatureAlgorithm = readAlgorithm(reader)
  if (!equal(innerAlgorithm, signatureAlgorithm)) {
    throw new DerError('signature and signatureAlgorithm differ', tbsStart)
  }
  const signature = wholeOctets(reader)
  reader.close()
  reader.end()

  const basicConstraints = find(extensions, BASIC_CONSTRAINTS)
  const keyUsage = find(extensions, KEY_USAGE)
  return {
    bytes,
    tbsCertificate,
    serialNumber,
    signatureAlgorithm,
    issuer,
    subject,
    notBefore,
    notAfter,
    subjectPublicKeyInfo,
    publicKeyAlgorithm,
    publicKey,
    extensions,
    basicConstraints: basicConstraints && decodeBasicConstraints(basicConstraints.value),
    keyUsage: keyUsage && decodeKeyUsage(keyUsage.value),
    signature,
  }
}

/** An AlgorithmIdentifier; its parameters are one element, for whoever compares the whole. */
function readAlgorithm(reader: DerReader): Uint8Array {
  const { offset } = reader
  reader.open(SEQUENCE)
  readObjectIdentifier(reader, true)
  if (!reader.atEnd) reader.pass()
  reader.close()
  return reader.since(offset)
}

function readVersion(reader: DerReader): void {
  const { offset } = reader
  reader.open(CONTEXT_0)
  const version = readInteger(reader)
  reader.close()
  if (version.length !== 1 || version.octet(0) !== 2) throw new DerError('version: not v3', offset)
}

function readSerialNumber(reader: DerReader): Uint8Array {
  const serial = readInteger(reader)
  // Instance certificates carry 160 random bits, so a leading sign octet stands outside of RFC 5280's 20 octets.
  const size = serial.octet(0) === 0 ? serial.length - 1 : serial.length
  if (serial.octet(0) >= 0x80 || size === 0 || size > 20) {
    throw new DerError('serialNumber: not positive, or more than 20 octets', serial.offset)
  }
  return serial.contents
}

function wholeOctets(reader: DerReader): Uint8Array {
  const { octets, unused } = readBitString(reader)
  if (unused !== 0) throw new DerError('Unused bits', 0)
  return octets
}

function readExtensions(reader: DerReader): Extension[] {
  const extensions: Extension[] = []
  if (reader.atEnd) return extensions
  reader.open(CONTEXT_3)
  reader.open(SEQUENCE)
  do {
    const { offset } = reader
    reader.open(SEQUENCE)
    const oid = readObjectIdentifier(reader)
    if (find(extensions, oid)) throw new DerError(`extension ${oid} twice`, offset)
    const critical = reader.sees(BOOLEAN)
    if (critical && !readBoolean(reader)) {
      throw new DerError('critical: the default FALSE written out', offset)
    }
    const value = reader.read(OCTET_STRING).contents
    reader.close()
    extensions.push({ oid, critical, value })
  } while (!reader.atEnd)
  reader.close()
  reader.close()
  return extensions
}

function find(extensions: readonly Extension[], oid: string): Extension | undefined {
  for (const extension of extensions) if (extension.oid === oid) return extension
  return undefined
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index])
}
