import { createHash, type KeyObject, type X509Certificate } from 'node:crypto'
import { certificateFields } from './certificate-fields.ts'
import { CKA, CKK, CKO, CK_UNAVAILABLE } from './cryptoki.ts'
import type { AttributeValue } from './rpc-attribute.ts'
import type { SigningKey } from './signing-key.ts'
import type { ObjectTemplate } from './token-object.ts'

type Attributes = readonly (readonly [number, AttributeValue])[]

/** CKA_EC_PARAMS: the name of the curve. */
const CURVES: Readonly<Record<string, string>> = {
  'P-256': '06082a8648ce3d030107',
  'P-384': '06052b81040022',
  'P-521': '06052b81040023',
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const base64url = (value: string | undefined): Uint8Array =>
  new Uint8Array(Buffer.from(value ?? '', 'base64url'))

/** What identifies a key in the token. */
export interface KeyName {
  readonly id: Uint8Array
  readonly label: string
}

/**
 * The objects of one key: the private key, its public key, its certificate, and the certificates of its issuers. The
 * first three have the same CKA_ID.
 */
export function keyObjects(
  { id, label }: KeyName,
  key: SigningKey,
  certificates: readonly [X509Certificate, ...X509Certificate[]],
): readonly ObjectTemplate[] {
  const [leaf, ...issuers] = certificates
  const name: Attributes = [
    ...[[CKA.ID, id] as const, [CKA.LABEL, text(label)] as const],
    [CKA.SUBJECT, own(certificateFields(leaf.raw).subject)],
  ]
  const shared = [...name, ...keyAttributes(leaf.publicKey)]
  return [
    { attributes: new Map([...shared, ...privateAttributes()]), key },
    { attributes: new Map([...shared, ...publicAttributes()]) },
    certificateObject(leaf, name, 1),
    ...issuers.map((certificate, index) =>
      certificateObject(certificate, issuerName(certificate, `${label}-issuer-${index + 1}`), 2),
    ),
  ]
}

function own(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes)
}

/** What every object of a token has that nobody can change. */
function storage(isPrivate: boolean): Attributes {
  return [
    ...[[CKA.TOKEN, 1] as const, [CKA.PRIVATE, isPrivate ? 1 : 0] as const],
    ...[[CKA.MODIFIABLE, 0] as const, [CKA.COPYABLE, 0] as const],
  ]
}

function flags(types: readonly number[], value: 0 | 1): Attributes {
  return types.map((type) => [type, value] as const)
}

function privateAttributes(): Attributes {
  const never = [
    ...[CKA.DECRYPT, CKA.SIGN_RECOVER, CKA.UNWRAP, CKA.DERIVE, CKA.EXTRACTABLE, CKA.LOCAL],
    ...[CKA.ALWAYS_SENSITIVE, CKA.NEVER_EXTRACTABLE, CKA.ALWAYS_AUTHENTICATE],
    CKA.WRAP_WITH_TRUSTED,
  ]
  return [
    ...[[CKA.CLASS, CKO.PRIVATE_KEY] as const, ...storage(true)],
    ...[...flags([CKA.SENSITIVE, CKA.SIGN], 1), ...flags(never, 0)],
    [CKA.KEY_GEN_MECHANISM, CK_UNAVAILABLE],
  ]
}

function publicAttributes(): Attributes {
  const never = [CKA.ENCRYPT, CKA.VERIFY_RECOVER, CKA.WRAP, CKA.DERIVE, CKA.LOCAL, CKA.TRUSTED]
  return [
    ...[[CKA.CLASS, CKO.PUBLIC_KEY] as const, ...storage(false)],
    ...[...flags([CKA.VERIFY], 1), ...flags(never, 0)],
    [CKA.KEY_GEN_MECHANISM, CK_UNAVAILABLE],
  ]
}

/** The public half, which the private key's object has too: clients look for it there first. */
function keyAttributes(key: KeyObject): Attributes {
  const info = [CKA.PUBLIC_KEY_INFO, own(key.export({ type: 'spki', format: 'der' }))] as const
  const { kty, n, e, crv = '', x, y } = key.export({ format: 'jwk' })
  if (kty === 'RSA') {
    return [
      ...[[CKA.KEY_TYPE, CKK.RSA] as const, info, [CKA.MODULUS, base64url(n)] as const],
      [CKA.MODULUS_BITS, key.asymmetricKeyDetails?.modulusLength ?? 0],
      [CKA.PUBLIC_EXPONENT, base64url(e)],
    ]
  }
  const point = Uint8Array.of(0x04, ...base64url(x), ...base64url(y))
  return [
    ...[[CKA.KEY_TYPE, CKK.EC] as const, info],
    [CKA.EC_PARAMS, new Uint8Array(Buffer.from(CURVES[crv] ?? '', 'hex'))],
    [CKA.EC_POINT, octetString(point)],
  ]
}

function octetString(content: Uint8Array): Uint8Array {
  const { length } = content
  return Uint8Array.of(0x04, ...(length < 0x80 ? [length] : [0x81, length]), ...content)
}

/** An issuer's certificate is found by its own key, not by the server's. */
function issuerName(certificate: X509Certificate, label: string): Attributes {
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' })
  const id = own(createHash('sha256').update(key).digest().subarray(0, 20))
  const { subject } = certificateFields(certificate.raw)
  return [
    ...[[CKA.ID, id] as const, [CKA.LABEL, text(label)] as const],
    [CKA.SUBJECT, own(subject)],
  ]
}

/** @param category 1: of this token's user; 2: of an authority */
function certificateObject(
  certificate: X509Certificate,
  name: Attributes,
  category: 1 | 2,
): ObjectTemplate {
  const { serialNumber, issuer } = certificateFields(certificate.raw)
  return {
    attributes: new Map<number, AttributeValue>([
      ...[[CKA.CLASS, CKO.CERTIFICATE] as const, ...storage(false), ...name],
      ...[[CKA.CERTIFICATE_TYPE, 0] as const, [CKA.CERTIFICATE_CATEGORY, category] as const],
      ...[[CKA.TRUSTED, 0] as const, [CKA.VALUE, own(certificate.raw)] as const],
      ...[[CKA.SERIAL_NUMBER, own(serialNumber)] as const, [CKA.ISSUER, own(issuer)] as const],
    ]),
  }
}
