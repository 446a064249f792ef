/** Parts of a certificate, each the DER of one field: views. */
export interface CertificateFields {
  readonly serialNumber: Uint8Array
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
}

interface Element {
  readonly tag: number
  readonly start: number
  readonly content: number
  readonly end: number
}

function element(der: Uint8Array, start: number): Element {
  const first = der[start + 1] ?? 0
  const octets = first < 0x80 ? 0 : first & 0x7f
  let length = octets === 0 ? first : 0
  for (let index = 0; index < octets; index++) length = length * 256 + (der[start + 2 + index] ?? 0)
  const content = start + 2 + octets
  if (octets > 4 || content + length > der.length) throw new RangeError('no certificate')
  return { tag: der[start] ?? 0, start, content, end: content + length }
}

/**
 * Finds the fields that CKA_SERIAL_NUMBER, CKA_ISSUER and CKA_SUBJECT hold (RFC 5280 §4.1). For a certificate that
 * OpenSSL has read already.
 *
 * @throws {RangeError} when it is none
 */
export function certificateFields(der: Uint8Array): CertificateFields {
  let at = element(der, element(der, element(der, 0).content).content)
  const next = (): Uint8Array => {
    const bytes = der.subarray(at.start, at.end)
    at = element(der, at.end)
    return bytes
  }
  if (at.tag === 0xa0) next() // version
  const serialNumber = next()
  next() // signature
  const issuer = next()
  next() // validity
  return { serialNumber, issuer, subject: next() }
}
