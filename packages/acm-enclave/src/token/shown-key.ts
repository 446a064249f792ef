import { X509Certificate } from 'node:crypto'
import { CKA, CKO } from './cryptoki.ts'
import type { TokenObject } from './token-object.ts'

/** A key that a token shows, with what a web server's configuration says of it. */
export interface ShownKey {
  /** `CKA_ID` */
  readonly id: Uint8Array
  /** `CKA_LABEL` */
  readonly label: string
  /** The certificate and those of its issuers, as far as the token has them: PEM, for `ssl_certificate`. */
  readonly certificate: string
  readonly notBefore: Date
  readonly notAfter: Date
}

const MAX_PATH = 11

/** The keys of a token that have a certificate, newest certificate first. */
export function shownKeys(objects: Iterable<TokenObject>): readonly ShownKey[] {
  const all = [...objects]
  const certificates = all
    .filter(({ attributes }) => attributes.get(CKA.CLASS) === CKO.CERTIFICATE)
    .map(({ attributes }) => ({
      id: hex(attributes.get(CKA.ID)),
      x509: new X509Certificate(attributes.get(CKA.VALUE) as Uint8Array),
    }))
  const keys = all.filter(({ attributes }) => attributes.get(CKA.CLASS) === CKO.PRIVATE_KEY)
  const shown = keys.flatMap(({ attributes }): ShownKey[] => {
    const id = attributes.get(CKA.ID) as Uint8Array
    const leaf = certificates.find((one) => one.id === hex(id))?.x509
    if (leaf === undefined) return []
    const path = [leaf]
    while (path.length < MAX_PATH) {
      const last = path.at(-1) as X509Certificate
      if (last.subject === last.issuer) break
      const issuer = certificates.find(({ x509 }) => last.checkIssued(x509))?.x509
      if (issuer === undefined) break
      path.push(issuer)
    }
    return [
      {
        id: Uint8Array.from(id),
        label: new TextDecoder().decode(attributes.get(CKA.LABEL) as Uint8Array),
        certificate: path.map((one) => one.toString()).join(''),
        notBefore: leaf.validFromDate,
        notAfter: leaf.validToDate,
      },
    ]
  })
  return shown.sort((a, b) => b.notBefore.getTime() - a.notBefore.getTime())
}

function hex(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : ''
}
