import { X509Certificate } from 'node:crypto'
import type { UnverifiedBundle } from './bundle.ts'
import { AcmError } from './error.ts'
import { begin, checkProfile, end, isForServers, nameOf, pathError } from './path-profile.ts'
import { readPem, writePem } from './pem.ts'

/** A leaf and its issuers, in order, each the issuer of the one before. */
export interface CertificationPath {
  readonly leaf: X509Certificate
  readonly issuers: readonly X509Certificate[]
  /** PEM of all, the leaf first, as a TLS server sends it. */
  readonly pem: string
  /** When the first of them begins to be invalid. */
  readonly notAfter: Date
  readonly notBefore: Date
}

/** What a path must be. */
export interface PathExpectations {
  /** Host names that the certificate must all be for; `*.example.com` must be there as it is. */
  readonly hostNames: readonly string[]
  /** PEM. When given, the path must end in one of them or in one that it issued. */
  readonly trustAnchors?: readonly string[] | undefined
  readonly currentDate: Date
}

const ISSUERS_MAX = 10
/**
 * Puts the certificates of a bundle in order and checks them: each issued and signed by the next, issuers that are CAs and
 * may issue so deep and such names, dates, the leaf a server's and for the expected names. Not whether clients trust the last,
 * unless there are `trustAnchors`. Not policies, which are none of a server's. Not revocation: an enclave would learn of it through
 * the parent alone, who could withhold it, and the clients ask for themselves; what was revoked is replaced by publishing.
 *
 * @throws {AcmError} `ERR_ACM_CERTIFICATE`, `ERR_ACM_CERTIFICATE_USAGE`, `ERR_ACM_CRITICAL_EXTENSION`, `ERR_ACM_PATH`,
 * `ERR_ACM_NAME_CONSTRAINTS`, `ERR_ACM_EXPIRED`, `ERR_ACM_NOT_YET_VALID`, `ERR_ACM_NAME`
 * @see RFC 5280 §6.1
 */
export function readCertificationPath(
  { certificate, certificateChain }: Pick<UnverifiedBundle, 'certificate' | 'certificateChain'>,
  { hostNames, trustAnchors, currentDate }: PathExpectations,
): CertificationPath {
  const [leaf, ...others] = readCertificates('certificate', certificate, 1)
  if (leaf === undefined || others.length > 0) throw certificateError('certificate', 'one')
  const issuers = order(leaf, readCertificates('certificateChain', certificateChain, ISSUERS_MAX))
  const path = [leaf, ...issuers]
  const anchor = findAnchor(path, trustAnchors)
  const whole = anchor === undefined ? path : [...path, anchor]
  checkProfile(whole, { hostNames, currentDate })
  const pem = path
    .map(({ raw }) => Buffer.from(writePem('CERTIFICATE', raw)).toString('latin1'))
    .join('')
  const notAfter = new Date(Math.min(...whole.map((one) => end(one).getTime())))
  return { leaf, issuers, pem, notAfter, notBefore: begin(leaf) }
}

function readCertificates(member: string, pem: string, most: number): X509Certificate[] {
  const blocks = readPem(Buffer.from(pem), most)
  const expected = most === 1 ? 'one' : `up to ${most}`
  if (blocks === undefined || (blocks.length === 0 && pem.trim() !== '')) {
    throw certificateError(member, expected)
  }
  return blocks.map(({ label, der }) => {
    if (label !== 'CERTIFICATE') throw certificateError(member, expected)
    try {
      const read = new X509Certificate(der)
      if (read.raw.length !== der.length) throw new Error('bytes follow the certificate')
      return read
    } catch (cause) {
      throw certificateError(member, expected, cause)
    }
  })
}

function order(leaf: X509Certificate, candidates: readonly X509Certificate[]): X509Certificate[] {
  const left = new Map(candidates.map((one) => [one.fingerprint256, one]))
  left.delete(leaf.fingerprint256)
  const issuers: X509Certificate[] = []
  for (let subject = leaf; left.size > 0;) {
    if (isIssuedBy(subject, subject)) {
      throw pathError(`${nameOf(subject)} is a root, and ${left.size} more certificates follow`)
    }
    const issuer = [...left.values()].find((one) => isIssuedBy(subject, one))
    if (issuer === undefined) throw pathError(`no issuer of ${nameOf(subject)} is there`)
    checkIssuer(issuer)
    left.delete(issuer.fingerprint256)
    issuers.push(issuer)
    subject = issuer
  }
  return issuers
}

function isIssuedBy(subject: X509Certificate, issuer: X509Certificate): boolean {
  if (!subject.checkIssued(issuer)) return false
  if (subject.fingerprint256 !== issuer.fingerprint256 && !issuer.ca) return false
  try {
    return subject.verify(issuer.publicKey)
  } catch {
    return false
  }
}

function checkIssuer(issuer: X509Certificate): void {
  const { modulusLength = 2048 } = issuer.publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength < 2048) {
    throw pathError(`${nameOf(issuer)} has an RSA key of ${modulusLength} bits`)
  }
  if (!isForServers(issuer)) throw pathError(`${nameOf(issuer)} may not issue for servers`)
}

/** The anchor that the path ends below; undefined where it is in the path itself, or none is asked for. */
function findAnchor(
  path: readonly X509Certificate[],
  trustAnchors: readonly string[] | undefined,
): X509Certificate | undefined {
  const last = path.at(-1) as X509Certificate
  if (trustAnchors === undefined) {
    if (path.length > 1 || isIssuedBy(last, last)) return undefined
    throw pathError('certificateChain is empty, and the certificate is not its own issuer')
  }
  const anchors = trustAnchors.map((pem) => new X509Certificate(pem))
  if (anchors.some((anchor) => anchor.fingerprint256 === last.fingerprint256)) return undefined
  const anchor = anchors.find((one) => isIssuedBy(last, one))
  if (anchor !== undefined) checkIssuer(anchor)
  if (anchor === undefined) throw pathError(`${nameOf(last)} does not end in one of trustAnchors`)
  return anchor
}

function certificateError(member: string, expected: string, cause?: unknown): AcmError {
  return new AcmError(
    'ERR_ACM_CERTIFICATE',
    `${member} must be ${expected} of certificates in PEM`.replace(
      'one of certificates',
      'one certificate',
    ),
    cause === undefined ? {} : { cause },
  )
}
