import { createPublicKey, sign, type KeyObject } from 'node:crypto'
import { element, OCTET_STRING, oid, SEQUENCE } from './der.ts'

const SET = 0x31
const BIT_STRING = 0x03
const UTF8_STRING = 0x0c
const ATTRIBUTES = 0xa0
const DNS_NAME = 0x82
const VERSION_1 = Uint8Array.of(0x02, 0x01, 0x00)
const NULL = Uint8Array.of(0x05, 0x00)

/** 2.5.4.3 */
const COMMON_NAME = oid('550403')
/** 1.2.840.113549.1.9.14 */
const EXTENSION_REQUEST = oid('2a864886f70d01090e')
/** 2.5.29.17 */
const SUBJECT_ALT_NAME = oid('551d11')
/** 1.2.840.10045.4.3.2, sha256WithECDSA without parameters (RFC 5758 §3.2) */
const ECDSA_SHA256 = element(SEQUENCE, oid('2a8648ce3d040302'))
const ECDSA_SHA384 = element(SEQUENCE, oid('2a8648ce3d040303'))
/** 1.2.840.113549.1.1.11, sha256WithRSAEncryption */
const RSA_SHA256 = element(SEQUENCE, oid('2a864886f70d01010b'), NULL)

/**
 * A PKCS #10 request (RFC 2986) for DNS names, as DER: subject CN is the first of them where it fits, all are in
 * subjectAltName. It proves that whoever wrote it has the private key.
 */
export function writeCertificationRequest(
  privateKey: KeyObject,
  hostNames: readonly string[],
): Uint8Array {
  const [first = ''] = hostNames
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const commonName = element(SEQUENCE, COMMON_NAME, element(UTF8_STRING, Buffer.from(first)))
  // X.520: at most 64 characters. A longer name stands in subjectAltName alone.
  const subject =
    first.length > 64 ? element(SEQUENCE) : element(SEQUENCE, element(SET, commonName))
  const names = hostNames.map((name) => element(DNS_NAME, Buffer.from(name, 'latin1')))
  const alternatives = element(
    SEQUENCE,
    SUBJECT_ALT_NAME,
    element(OCTET_STRING, element(SEQUENCE, ...names)),
  )
  const extensions = element(SEQUENCE, alternatives)
  const attribute = element(SEQUENCE, EXTENSION_REQUEST, element(SET, extensions))
  const info = element(SEQUENCE, VERSION_1, subject, publicKey, element(ATTRIBUTES, attribute))
  const isRsa = privateKey.asymmetricKeyType === 'rsa'
  const isP384 = privateKey.asymmetricKeyDetails?.namedCurve === 'secp384r1'
  const algorithm = isRsa ? RSA_SHA256 : isP384 ? ECDSA_SHA384 : ECDSA_SHA256
  const signature = sign(isP384 ? 'sha384' : 'sha256', info, privateKey)
  return element(SEQUENCE, info, algorithm, element(BIT_STRING, Uint8Array.of(0), signature))
}
