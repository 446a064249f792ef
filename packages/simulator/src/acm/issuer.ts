import { createPublicKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto'
import { readCertificationRequest } from './certification-request.ts'
import { issueCertificate } from '../certificate.ts'
import {
  authorityKeyIdentifier,
  basicConstraints,
  keyUsage,
  subjectKeyIdentifier,
} from '../extension.ts'
import { serialNumber, serverAuth, subjectAltName, wholeSeconds } from '../kms/tls-authority.ts'
import type { DistinguishedName } from '../name.ts'

/** A certificate with the path to its root, in PEM. */
export interface IssuedCertificate {
  readonly certificate: string
  /** The intermediate CA and the root. */
  readonly certificateChain: string
}

/** What an issuer is told beside names and key; every member may be left out. */
export interface IssueOptions {
  /** Default: an hour ago. */
  readonly notBefore?: Date
  /** Default: thirteen months after `notBefore`, as ACM's. */
  readonly notAfter?: Date
}

const DAY = 86_400_000
const ROOT: DistinguishedName = [
  ['C', 'US'],
  ['O', 'NotAmazon'],
  ['CN', 'Root of simulator.enclavejs'],
]
const INTERMEDIATE: DistinguishedName = [
  ['C', 'US'],
  ['O', 'NotAmazon'],
  ['CN', 'Server CA of simulator.enclavejs'],
]

/** A CA of two levels for certificates of servers. Nobody but a test trusts it. */
export class CertificateIssuer {
  /** The root in PEM. */
  readonly root: string
  readonly #intermediate: string
  readonly #intermediateKey: KeyObject
  readonly #now: () => Date

  constructor(now: () => Date) {
    this.#now = now
    const rootKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    this.#intermediateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    this.root = this.#authority(ROOT, rootKey, ROOT, rootKey, 1)
    this.#intermediate = this.#authority(INTERMEDIATE, this.#intermediateKey, ROOT, rootKey, 0)
  }

  /** A server's certificate for a public key. */
  issue(
    names: readonly string[],
    publicKey: KeyObject,
    options: IssueOptions = {},
  ): IssuedCertificate {
    const start = options.notBefore ?? new Date(this.#now().getTime() - 3_600_000)
    const end = options.notAfter ?? new Date(start.getTime() + 395 * DAY)
    const [first = 'localhost'] = names
    const der = issueCertificate({
      serialNumber: serialNumber(),
      issuer: INTERMEDIATE,
      subject: [['CN', first]],
      notBefore: wholeSeconds(start.getTime()),
      notAfter: wholeSeconds(end.getTime()),
      publicKey,
      extensions: [
        basicConstraints({ ca: false }),
        keyUsage(
          publicKey.asymmetricKeyType === 'rsa'
            ? ['digitalSignature', 'keyEncipherment']
            : ['digitalSignature'],
        ),
        serverAuth,
        subjectAltName(names),
        ...(publicKey.asymmetricKeyType === 'ec' ? [subjectKeyIdentifier(publicKey)] : []),
        authorityKeyIdentifier(createPublicKey(this.#intermediateKey)),
      ],
      signingKey: this.#intermediateKey,
      signatureHash: 'sha256',
    })
    return {
      certificate: new X509Certificate(der).toString(),
      certificateChain: `${this.#intermediate}${this.root}`,
    }
  }

  /** Answers a PKCS #10 request, whose signature must hold, for the DNS names that it asks for. */
  answer(request: string | Uint8Array, options: IssueOptions = {}): IssuedCertificate {
    const { names, publicKey } = readCertificationRequest(request)
    return this.issue(names, publicKey, options)
  }

  #authority(
    subject: DistinguishedName,
    key: KeyObject,
    issuer: DistinguishedName,
    signingKey: KeyObject,
    pathLenConstraint: number,
  ): string {
    const publicKey = createPublicKey(key)
    const now = this.#now().getTime()
    const der = issueCertificate({
      serialNumber: serialNumber(),
      issuer,
      subject,
      notBefore: wholeSeconds(now - 3650 * DAY),
      notAfter: wholeSeconds(now + 3650 * DAY),
      publicKey,
      extensions: [
        basicConstraints({ ca: true, pathLenConstraint }),
        keyUsage(['keyCertSign', 'cRLSign']),
        subjectKeyIdentifier(publicKey),
      ],
      signingKey,
      signatureHash: 'sha256',
    })
    return new X509Certificate(der).toString()
  }
}
