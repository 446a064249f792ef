import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { issueCertificate } from '../certificate.ts'
import { objectIdentifier, sequence, tlv } from '../der.ts'
import {
  authorityKeyIdentifier,
  basicConstraints,
  keyUsage,
  subjectKeyIdentifier,
  type Extension,
} from '../extension.ts'
import type { DistinguishedName } from '../name.ts'

/** The CA under which the simulated services show certificates for AWS's host names. */
export interface TlsAuthority {
  /** In PEM. */
  readonly ca: string
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
}

export interface SavedTlsAuthority {
  readonly certificate: string
  readonly privateKey: string
}

const DAY = 86_400_000
const NAME: DistinguishedName = [
  ['C', 'US'],
  ['O', 'NotAWS'],
  ['CN', 'TLS of simulator.enclavejs'],
]

/** A new CA: ECDSA on P-256 with SHA-256, for ten years, by the system's clock. */
export function createTlsAuthority(): TlsAuthority {
  const privateKey = newKey()
  const publicKey = createPublicKey(privateKey)
  const now = Date.now()
  const certificate = issueCertificate({
    serialNumber: serialNumber(),
    issuer: NAME,
    subject: NAME,
    notBefore: wholeSeconds(now - DAY),
    notAfter: wholeSeconds(now + 3650 * DAY),
    publicKey,
    extensions: [
      basicConstraints({ ca: true, pathLenConstraint: 0 }),
      keyUsage(['keyCertSign', 'cRLSign']),
      subjectKeyIdentifier(publicKey),
    ],
    signingKey: privateKey,
    signatureHash: 'sha256',
  })
  return { ca: new X509Certificate(certificate).toString(), certificate, privateKey }
}

/** A server's certificate and key in PEM for the host names, for 90 days by the system's clock. */
export function issueServerCertificate(
  authority: TlsAuthority,
  hostNames: readonly string[],
): { cert: string; key: string } {
  const privateKey = newKey()
  const publicKey = createPublicKey(privateKey)
  const now = Date.now()
  const [first = 'localhost'] = hostNames
  const certificate = issueCertificate({
    serialNumber: serialNumber(),
    issuer: NAME,
    subject: [['CN', first]],
    notBefore: wholeSeconds(now - DAY),
    notAfter: wholeSeconds(now + 90 * DAY),
    publicKey,
    extensions: [
      basicConstraints({ ca: false }),
      keyUsage(['digitalSignature']),
      serverAuth,
      subjectAltName(hostNames),
      subjectKeyIdentifier(publicKey),
      authorityKeyIdentifier(createPublicKey(authority.privateKey)),
    ],
    signingKey: authority.privateKey,
    signatureHash: 'sha256',
  })
  return {
    cert: new X509Certificate(certificate).toString(),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

export function exportTlsAuthority(authority: TlsAuthority): SavedTlsAuthority {
  return {
    certificate: authority.ca,
    privateKey: authority.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

export function importTlsAuthority(saved: SavedTlsAuthority): TlsAuthority {
  const certificate = new X509Certificate(saved.certificate)
  const privateKey = createPrivateKey(saved.privateKey)
  if (!certificate.checkPrivateKey(privateKey)) throw new Error('the CA and its key do not match')
  return { ca: certificate.toString(), certificate: new Uint8Array(certificate.raw), privateKey }
}

/** extKeyUsage with id-kp-serverAuth (RFC 5280 §4.2.1.12). */
export const serverAuth: Extension = {
  oid: '2.5.29.37',
  critical: false,
  value: sequence(objectIdentifier('1.3.6.1.5.5.7.3.1')),
}

/** subjectAltName with DNS names (RFC 5280 §4.2.1.6). */
export function subjectAltName(hostNames: readonly string[]): Extension {
  const names = hostNames.map((name) => tlv(0x82, new TextEncoder().encode(name)))
  return { oid: '2.5.29.17', critical: false, value: sequence(...names) }
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

/** Sixteen octets, positive and of full length. */
export function serialNumber(): Uint8Array {
  const octets = randomBytes(16)
  octets[0] = ((octets[0] ?? 0) & 0x3f) | 0x40
  return new Uint8Array(octets)
}

export function wholeSeconds(milliseconds: number): Date {
  return new Date(Math.floor(milliseconds / 1000) * 1000)
}
