import { X509Certificate } from 'node:crypto'
import { pathLenConstraint } from './basic-constraints.ts'
import type { UnverifiedBundle } from './bundle.ts'
import { AcmError } from './error.ts'
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
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const ANY_USAGE = '2.5.29.37.0'

/**
 * Puts the certificates of a bundle in order and checks them: each issued and signed by the next, issuers that are CAs and
 * may issue so deep, dates, the leaf a server's and for the expected names. Not whether clients trust the last, unless there are
 * `trustAnchors`; not revocation; not name constraints.
 *
 * @throws {AcmError} `ERR_ACM_CERTIFICATE`, `ERR_ACM_CERTIFICATE_USAGE`, `ERR_ACM_PATH`, `ERR_ACM_EXPIRED`,
 * `ERR_ACM_NOT_YET_VALID`, `ERR_ACM_NAME`
 */
export function readCertificationPath(
  { certificate, certificateChain }: Pick<UnverifiedBundle, 'certificate' | 'certificateChain'>,
  { hostNames, trustAnchors, currentDate }: PathExpectations,
): CertificationPath {
  const [leaf, ...others] = readCertificates('certificate', certificate, 1)
  if (leaf === undefined || others.length > 0) throw certificateError('certificate', 'one')
  const issuers = order(leaf, readCertificates('certificateChain', certificateChain, ISSUERS_MAX))
  const path = [leaf, ...issuers]
  checkUsage(leaf)
  checkDepth(issuers)
  checkDates(path, currentDate)
  checkAnchor(path, trustAnchors)
  checkNames(leaf, hostNames)
  const pem = path
    .map(({ raw }) => Buffer.from(writePem('CERTIFICATE', raw)).toString('latin1'))
    .join('')
  const notAfter = new Date(Math.min(...path.map((one) => end(one).getTime())))
  return { leaf, issuers, pem, notAfter, notBefore: begin(leaf) }
}

/** The end of a certificate's validity. (`validToDate` is not in Node 22.) */
function end(certificate: X509Certificate): Date {
  return new Date(certificate.validTo)
}

export function begin(certificate: X509Certificate): Date {
  return new Date(certificate.validFrom)
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
    checkStrength(issuer)
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

function checkStrength({ publicKey, subject }: X509Certificate): void {
  const { modulusLength = 2048 } = publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength < 2048) {
    throw pathError(`the issuer ${oneLine(subject)} has an RSA key of ${modulusLength} bits`)
  }
}

function checkUsage(leaf: X509Certificate): void {
  const usages = leaf.keyUsage as string[] | undefined
  if (leaf.ca) throw usageError('it is a CA')
  if (usages !== undefined && !usages.includes(SERVER_AUTH) && !usages.includes(ANY_USAGE)) {
    throw usageError('its extended key usage does not name servers')
  }
}

/** pathLenConstraint: how many issuers may stand between one and the leaf (RFC 5280 §4.2.1.9). */
function checkDepth(issuers: readonly X509Certificate[]): void {
  let between = 0
  for (const issuer of issuers) {
    const limit = pathLenConstraint(issuer.raw)
    if (limit !== undefined && between > limit) {
      throw pathError(`${nameOf(issuer)} may have ${limit} issuers below it, and has ${between}`)
    }
    if (issuer.subject !== issuer.issuer) between++
  }
}

function checkDates(path: readonly X509Certificate[], currentDate: Date): void {
  const now = currentDate.getTime()
  for (const one of path) {
    if (end(one).getTime() < now) {
      throw new AcmError(
        'ERR_ACM_EXPIRED',
        `${nameOf(one)} was valid until ${end(one).toISOString()}, and it is ${currentDate.toISOString()}`,
      )
    }
    if (begin(one).getTime() > now) {
      throw new AcmError(
        'ERR_ACM_NOT_YET_VALID',
        `${nameOf(one)} is valid from ${begin(one).toISOString()}, and it is ${currentDate.toISOString()}; look at the enclave's clock`,
      )
    }
  }
}

function checkAnchor(
  path: readonly X509Certificate[],
  trustAnchors: readonly string[] | undefined,
): void {
  const last = path.at(-1) as X509Certificate
  if (trustAnchors === undefined) {
    if (path.length > 1 || isIssuedBy(last, last)) return
    throw pathError('certificateChain is empty, and the certificate is not its own issuer')
  }
  const anchors = trustAnchors.map((pem) => new X509Certificate(pem))
  const ends = anchors.some(
    (anchor) => anchor.fingerprint256 === last.fingerprint256 || isIssuedBy(last, anchor),
  )
  if (!ends) throw pathError(`${nameOf(last)} does not end in one of trustAnchors`)
}

function checkNames(leaf: X509Certificate, hostNames: readonly string[]): void {
  const alternatives = (leaf.subjectAltName ?? '').toLowerCase().split(', ')
  for (const name of hostNames) {
    const found = name.startsWith('*.')
      ? alternatives.includes(`dns:${name.toLowerCase()}`)
      : leaf.checkHost(name, {
          subject: 'never',
          wildcards: true,
          partialWildcards: false,
          multiLabelWildcards: false,
        }) !== undefined
    if (!found) {
      throw new AcmError(
        'ERR_ACM_NAME',
        `The certificate is not for ${name}, but for ${oneLine(leaf.subjectAltName ?? 'no name')}`,
      )
    }
  }
}

function nameOf(certificate: X509Certificate): string {
  return `the certificate ${JSON.stringify(oneLine(certificate.subject))}`
}

function oneLine(text: string | undefined): string {
  return (text ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 200)
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

function usageError(fault: string): AcmError {
  return new AcmError('ERR_ACM_CERTIFICATE_USAGE', `The certificate is none for a server: ${fault}`)
}

function pathError(fault: string): AcmError {
  return new AcmError('ERR_ACM_PATH', `The certification path is broken: ${fault}`)
}
