import {
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  readElement,
  readElements,
  SEQUENCE,
} from './der.ts'
import type { Element } from './der.ts'

/** One extension (RFC 5280 §4.1.2.9). */
interface Extension {
  readonly critical: boolean
  readonly value: Uint8Array
}

/** What `node:crypto` does not show of a certificate. */
export interface CertificateFields {
  /** The contents of the subject's Name. */
  readonly subject: Uint8Array
  /** By their object identifiers in hex, as in DER. */
  readonly extensions: ReadonlyMap<string, Extension>
  /** cA of basicConstraints (RFC 5280 §4.2.1.9), whatever keyUsage says. */
  readonly isCa: boolean
  /** Undefined where there is none. */
  readonly pathLenConstraint: number | undefined
}

/** 2.5.29.19 */
export const BASIC_CONSTRAINTS = '551d13'
/** 2.5.29.17 */
export const SUBJECT_ALT_NAME = '551d11'
/** 2.5.29.30 */
export const NAME_CONSTRAINTS = '551d1e'
const VERSION = 0xa0
const EXTENSIONS = 0xa3
const BOOLEAN = 0x01

/** Reads the fields of a certificate in DER; undefined where it is not strict DER, or has an extension twice or malformed basicConstraints. */
export function readCertificateFields(certificate: Uint8Array): CertificateFields | undefined {
  const tbsCertificate = inside(inside(certificate, SEQUENCE, 'rest'), SEQUENCE, 'rest')
  const fields = tbsCertificate && readElements(tbsCertificate)
  const subject = fields?.[fields[0]?.tag === VERSION ? 5 : 4]
  if (fields === undefined || subject?.tag !== SEQUENCE) return undefined
  const extensions = new Map<string, Extension>()
  const wrapped = fields.find(({ tag }) => tag === EXTENSIONS)
  const list = wrapped === undefined ? [] : contentsOf(wrapped.contents, SEQUENCE)
  for (const { tag, contents } of list ?? []) {
    const [id, second, third, ...more] = (tag === SEQUENCE && readElements(contents)) || []
    const value = third ?? second
    const hasFlag = third !== undefined
    if (id?.tag !== OBJECT_IDENTIFIER || value?.tag !== OCTET_STRING || more.length > 0) {
      return undefined
    }
    if (hasFlag && second?.tag !== BOOLEAN) return undefined
    const name = Buffer.from(id.contents).toString('hex')
    if (extensions.has(name)) return undefined
    extensions.set(name, { critical: hasFlag && second?.contents[0] !== 0, value: value.contents })
  }
  const constraints = readBasicConstraints(extensions.get(BASIC_CONSTRAINTS)?.value)
  if (list === undefined || constraints === undefined) return undefined
  return { subject: subject.contents, extensions, ...constraints }
}

/** Undefined where it is malformed: OpenSSL would read the beginning, and leave what follows. */
function readBasicConstraints(
  value: Uint8Array | undefined,
): Pick<CertificateFields, 'isCa' | 'pathLenConstraint'> | undefined {
  if (value === undefined) return { isCa: false, pathLenConstraint: undefined }
  const members = contentsOf(value, SEQUENCE)
  const flag = members?.[0]?.tag === BOOLEAN ? members.shift() : undefined
  const limit = members?.[0]?.tag === INTEGER ? members.shift() : undefined
  if (members === undefined || members.length > 0) return undefined
  return {
    isCa: flag !== undefined && flag.contents[0] !== 0,
    pathLenConstraint: limit?.contents.reduce((number, octet) => number * 256 + octet, 0),
  }
}

/** The elements of the one element that `bytes` are; undefined where they are something else. */
export function contentsOf(bytes: Uint8Array, tag: number): Element[] | undefined {
  const contents = inside(bytes, tag, 'nothing')
  return contents && readElements(contents)
}

/** @param after - what may follow the element */
function inside(
  bytes: Uint8Array | undefined,
  tag: number,
  after: 'rest' | 'nothing',
): Uint8Array | undefined {
  const element = bytes && readElement(bytes)
  if (element?.tag !== tag || (after === 'nothing' && element.rest.length > 0)) return undefined
  return element.contents
}
