import { OBJECT_IDENTIFIER, OCTET_STRING, readElement, readElements } from './der.ts'

const EXTENSIONS = 0xa3
const INTEGER = 0x02
/** 2.5.29.19 */
const BASIC_CONSTRAINTS = '551d13'

/** pathLenConstraint of a certificate in DER (RFC 5280 §4.2.1.9); undefined where there is none. */
export function pathLenConstraint(certificate: Uint8Array): number | undefined {
  const tbsCertificate = readElement(readElement(certificate)?.contents ?? EMPTY)
  const field = readElements(tbsCertificate?.contents ?? EMPTY).find(
    ({ tag }) => tag === EXTENSIONS,
  )
  const extensions = readElements(readElement(field?.contents ?? EMPTY)?.contents ?? EMPTY)
  for (const { contents } of extensions) {
    const parts = readElements(contents)
    const [id] = parts
    if (id?.tag !== OBJECT_IDENTIFIER) continue
    if (Buffer.from(id.contents).toString('hex') !== BASIC_CONSTRAINTS) continue
    const value = parts.find(({ tag }) => tag === OCTET_STRING)
    const members = readElements(readElement(value?.contents ?? EMPTY)?.contents ?? EMPTY)
    const limit = members.find(({ tag }) => tag === INTEGER)
    return limit?.contents.reduce((number, octet) => number * 256 + octet, 0)
  }
  return undefined
}

const EMPTY = new Uint8Array()
