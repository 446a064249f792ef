import { DerReader, Tag, type DerElement } from './element.ts'
import { DerError } from './error.ts'
import { decodeBasicConstraints, decodeKeyUsage, type BasicConstraints } from './extension.ts'
import { readName } from './name.ts'
import { readBitString, readBoolean, readInteger, readObjectIdentifier } from './primitive.ts'
import { readTime } from './time.ts'

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
  const outer = new DerReader(bytes)
  const certificate = outer.enter(Tag.SEQUENCE)
  outer.end()
  const tbsElement = certificate.read(Tag.SEQUENCE)
  const algorithm = readAlgorithm(certificate)
  const signature = wholeOctets(certificate)
  certificate.end()

  const tbs = DerReader.inside(tbsElement)
  readVersion(tbs)
  const serialNumber = readSerialNumber(tbs)
  const innerAlgorithm = tbs.read(Tag.SEQUENCE)
  if (!equal(innerAlgorithm, algorithm)) {
    throw new DerError('signature and signatureAlgorithm differ', innerAlgorithm.offset)
  }
  const issuer = readName(tbs)
  // RFC 5280 §4.1.2.4.
  if (issuer.length === 0) throw new DerError('issuer is empty', issuer.offset)
  const validity = tbs.enter(Tag.SEQUENCE)
  const notBefore = readTime(validity)
  const notAfter = readTime(validity)
  validity.end()
  const subject = readName(tbs)
  const spki = tbs.read(Tag.SEQUENCE)
  const spkiInner = DerReader.inside(spki)
  const publicKeyAlgorithm = readAlgorithm(spkiInner)
  const publicKey = wholeOctets(spkiInner)
  spkiInner.end()
  const extensions = readExtensions(tbs)
  tbs.end()

  const basicConstraints = find(extensions, BASIC_CONSTRAINTS)
  const keyUsage = find(extensions, KEY_USAGE)
  return {
    bytes,
    tbsCertificate: tbsElement.bytes,
    serialNumber,
    signatureAlgorithm: algorithm.bytes,
    issuer: issuer.bytes,
    subject: subject.bytes,
    notBefore,
    notAfter,
    subjectPublicKeyInfo: spki.bytes,
    publicKeyAlgorithm: publicKeyAlgorithm.bytes,
    publicKey,
    extensions,
    basicConstraints: basicConstraints && decodeBasicConstraints(basicConstraints.value),
    keyUsage: keyUsage && decodeKeyUsage(keyUsage.value),
    signature,
  }
}

/** An AlgorithmIdentifier; its parameters are one element, for whoever compares the whole. */
function readAlgorithm(reader: DerReader): DerElement {
  const element = reader.read(Tag.SEQUENCE)
  const inner = DerReader.inside(element)
  readObjectIdentifier(inner, true)
  if (!inner.atEnd) inner.pass()
  inner.end()
  return element
}

function readVersion(tbs: DerReader): void {
  const explicit = tbs.enter(CONTEXT_0)
  const version = readInteger(explicit)
  explicit.end()
  if (version.length !== 1 || version.octet(0) !== 2) {
    throw new DerError('version: not v3', version.offset)
  }
}

function readSerialNumber(tbs: DerReader): Uint8Array {
  const serial = readInteger(tbs)
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

function readExtensions(tbs: DerReader): Extension[] {
  const extensions: Extension[] = []
  if (tbs.atEnd) return extensions
  const explicit = tbs.enter(CONTEXT_3)
  const sequence = explicit.enter(Tag.SEQUENCE)
  explicit.end()
  do {
    const { offset } = sequence
    const reader = sequence.enter(Tag.SEQUENCE)
    const oid = readObjectIdentifier(reader)
    if (find(extensions, oid)) throw new DerError(`extension ${oid} twice`, offset)
    let critical = false
    if (reader.sees(Tag.BOOLEAN)) {
      critical = readBoolean(reader)
      if (!critical) throw new DerError('critical: the default FALSE written out', offset)
    }
    const value = reader.read(Tag.OCTET_STRING).contents
    reader.end()
    extensions.push({ oid, critical, value })
  } while (!sequence.atEnd)
  return extensions
}

function find(extensions: readonly Extension[], oid: string): Extension | undefined {
  for (const extension of extensions) if (extension.oid === oid) return extension
  return undefined
}

/** Whether two elements have the same contents. */
function equal(a: DerElement, b: DerElement): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a.octet(index) !== b.octet(index)) return false
  return true
}
