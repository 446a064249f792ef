import { decodeCertificate, describeName, KeyUsage, type Certificate } from '@enclavejs/der'
import { equalBytes } from './bytes.ts'
import { CertificateError, type AttestationErrorCode } from './error.ts'
import { ECDSA_P384_SHA384, importPublicKey } from './signature.ts'
import type { SignatureAlgorithm, Subtle, SubtleKey } from './signature.ts'
import type { VerifiedLinks } from './verified-links.ts'

/** When and how a path is judged. Times in milliseconds. */
export interface PathConditions {
  readonly currentDate: number
  /** How far notBefore may lie in the future. notAfter knows no tolerance. */
  readonly clockTolerance: number
  /** Default: ecdsa-with-SHA384 on P-384 alone. */
  readonly algorithms?: readonly SignatureAlgorithm[]
}

/**
 * Extensions that limit a path and are not evaluated here. RFC 5280 wants them critical; a CA that forgot to say so
 * meant the limit all the same.
 */
const LIMITING = [
  '2.5.29.30', // nameConstraints
  '2.5.29.36', // policyConstraints
  '2.5.29.54', // inhibitAnyPolicy
]
/** keyUsage and basicConstraints. */
const KNOWN = ['2.5.29.15', '2.5.29.19']
const DEFAULT_ALGORITHMS = [ECDSA_P384_SHA384]

/** Where a certificate of the path stands in the document. */
function location(path: readonly Certificate[], index: number): string {
  return index === path.length - 1 ? 'certificate' : `cabundle[${index}]`
}

/** @throws {CertificateError} `ERR_ATTESTATION_CERTIFICATE_MALFORMED`, naming where the certificate stands. */
export function decodeAt(bytes: Uint8Array, where: string): Certificate {
  try {
    return decodeCertificate(bytes)
  } catch (cause) {
    throw new CertificateError(
      'ERR_ATTESTATION_CERTIFICATE_MALFORMED',
      `not strict DER of X.509 v3: ${(cause as Error).message}`,
      { certificate: where, subject: undefined },
      { cause },
    )
  }
}

/**
 * Every rule of RFC 5280 §6.1 but the signatures, for a path in its given order, trust anchor first. Nothing is built,
 * searched or skipped. The root is judged like the rest, dates included (AWS, "attestation process" §3.2.3).
 *
 * @throws {CertificateError} for the first rule that a certificate breaks, from the root down.
 */
export function checkPath(path: readonly Certificate[], conditions: PathConditions): void {
  for (const [index, certificate] of path.entries()) {
    const refuse = (code: AttestationErrorCode, message: string): never => {
      const subject = describeName(certificate.subject)
      throw new CertificateError(code, message, { certificate: location(path, index), subject })
    }
    checkAlgorithms(certificate, conditions.algorithms ?? DEFAULT_ALGORITHMS, refuse)
    checkExtensions(certificate, refuse)
    checkValidity(certificate, conditions, refuse)
    const issuer = path[index - 1]
    if (issuer !== undefined && !equalBytes(certificate.issuer, issuer.subject)) {
      const names = `${describeName(certificate.issuer)}, which is not ${location(path, index - 1)}`
      refuse('ERR_ATTESTATION_CERTIFICATE_ISSUER', `issued by ${names}`)
    }
    if (index === path.length - 1) checkTarget(certificate, refuse)
    else checkCa(certificate, path.slice(index + 1, -1), refuse)
  }
}

type Refuse = (code: AttestationErrorCode, message: string) => never

function checkAlgorithms(
  certificate: Certificate,
  algorithms: readonly SignatureAlgorithm[],
  refuse: Refuse,
): void {
  const { signatureAlgorithm, publicKeyAlgorithm, publicKey } = certificate
  if (!algorithms.some((one) => equalBytes(one.signatureAlgorithm, signatureAlgorithm))) {
    refuse(
      'ERR_ATTESTATION_CERTIFICATE_ALGORITHM',
      'signed with another algorithm than ecdsa-with-SHA384',
    )
  }
  const key = algorithms.find((one) => equalBytes(one.publicKeyAlgorithm, publicKeyAlgorithm))
  if (key?.isPublicKey(publicKey) !== true) {
    refuse('ERR_ATTESTATION_CERTIFICATE_KEY', 'its key is not an uncompressed P-384 point')
  }
}

function checkExtensions(certificate: Certificate, refuse: Refuse): void {
  for (const { oid, critical } of certificate.extensions) {
    if (LIMITING.includes(oid) || (critical && !KNOWN.includes(oid))) {
      refuse(
        'ERR_ATTESTATION_CERTIFICATE_EXTENSION',
        `the extension ${oid} is ${critical ? 'critical' : 'a limit'} and not evaluated here`,
      )
    }
  }
}

function checkValidity(certificate: Certificate, conditions: PathConditions, refuse: Refuse): void {
  const { currentDate, clockTolerance } = conditions
  const { notBefore, notAfter } = certificate
  if (notBefore > currentDate + clockTolerance) {
    refuse(
      'ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID',
      `valid from ${iso(notBefore)}, and it is ${iso(currentDate)}`,
    )
  }
  if (notAfter < currentDate) {
    refuse(
      'ERR_ATTESTATION_CERTIFICATE_EXPIRED',
      `expired ${iso(notAfter)}, and it is ${iso(currentDate)}`,
    )
  }
}

/** `followers` are the CA certificates between this one and the target. */
function checkCa(ca: Certificate, followers: readonly Certificate[], refuse: Refuse): void {
  if (ca.basicConstraints?.ca !== true) {
    refuse(
      'ERR_ATTESTATION_CERTIFICATE_NOT_CA',
      'not a CA by basicConstraints, and it issues the next one',
    )
  }
  if (((ca.keyUsage ?? 0) & KeyUsage.keyCertSign) === 0) {
    refuse('ERR_ATTESTATION_CERTIFICATE_KEY_USAGE', 'keyUsage lacks keyCertSign')
  }
  const limit = ca.basicConstraints?.pathLenConstraint ?? followers.length
  // RFC 5280 §4.2.1.9: self-issued certificates do not count.
  const count = followers.filter(({ issuer, subject }) => !equalBytes(issuer, subject)).length
  if (count > limit) {
    refuse(
      'ERR_ATTESTATION_CERTIFICATE_PATH_LENGTH',
      `pathLenConstraint ${limit}, and ${count} CA certificates follow`,
    )
  }
}

function checkTarget(target: Certificate, refuse: Refuse): void {
  if (target.basicConstraints?.ca === true) {
    refuse('ERR_ATTESTATION_CERTIFICATE_IS_CA', 'a CA certificate, and it signs the document')
  }
  const usage = target.keyUsage ?? 0
  if ((usage & KeyUsage.digitalSignature) === 0) {
    refuse('ERR_ATTESTATION_CERTIFICATE_KEY_USAGE', 'keyUsage lacks digitalSignature')
  }
  if ((usage & KeyUsage.keyCertSign) !== 0) {
    refuse('ERR_ATTESTATION_CERTIFICATE_KEY_USAGE', 'keyUsage has keyCertSign and it is no CA')
  }
}

/** What the signatures of a path came to: the target's key, and the links to remember once the document is accepted. */
export interface PathSignatures {
  readonly targetKey: Promise<SubtleKey>
  /** Rejects with the first signature, from the root down, that does not verify. */
  readonly verified: Promise<void>
  /** Adds what was verified to the memory. Call it when the whole document is accepted. */
  remember(): void
}

/**
 * Starts all signatures of a path, each under the key of the certificate before it. The keys are read one after the
 * other, so that the first signatures are at work while the next key is read.
 */
export function verifyPathSignatures(
  path: readonly Certificate[],
  algorithms: readonly SignatureAlgorithm[],
  subtle: Subtle,
  links: VerifiedLinks | undefined,
): PathSignatures {
  const known = path.map((certificate, index) => {
    const issuer = path[index - 1]
    return issuer && links?.get(certificate, issuer.subjectPublicKeyInfo)
  })
  const checks: Promise<void>[] = []
  let issuerKey: Promise<SubtleKey> | undefined
  const keys = path.map((_, index) => {
    const key = known[index]
    if (key !== undefined) return (issuerKey = Promise.resolve(key))
    if (issuerKey) checks.push(verifyLink(path, index, issuerKey, algorithms, subtle))
    // A key that signs nothing but known links is not needed.
    if (index < path.length - 1 && known[index + 1] !== undefined) return undefined
    const read = (): Promise<SubtleKey> => importCertificateKey(path, index, algorithms, subtle)
    return (issuerKey = issuerKey ? issuerKey.then(read) : read())
  })
  const verified = (async (): Promise<void> => {
    const settled = await Promise.allSettled([...keys, ...checks])
    for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason
  })()
  return {
    targetKey: keys[path.length - 1] as Promise<SubtleKey>,
    verified,
    remember: () => {
      for (const [index, certificate] of path.entries()) {
        const issuer = path[index - 1]
        if (issuer === undefined) continue
        void keys[index]?.then((key) => links?.add(certificate, issuer.subjectPublicKeyInfo, key))
      }
    },
  }
}

/** The key of each trust anchor, as the provider that read it first keeps it. */
const anchorKeys = new WeakMap<Certificate, { readonly subtle: Subtle; readonly key: SubtleKey }>()

async function importCertificateKey(
  path: readonly Certificate[],
  index: number,
  algorithms: readonly SignatureAlgorithm[],
  subtle: Subtle,
): Promise<SubtleKey> {
  const certificate = path[index] as Certificate
  const kept = anchorKeys.get(certificate)
  if (kept?.subtle === subtle) return kept.key
  const algorithm = algorithms.find((one) =>
    equalBytes(one.publicKeyAlgorithm, certificate.publicKeyAlgorithm),
  ) as SignatureAlgorithm
  try {
    const key = await importPublicKey(certificate, algorithm, subtle)
    if (index === 0) anchorKeys.set(certificate, { subtle, key })
    return key
  } catch (cause) {
    throw failed(
      path,
      index,
      'ERR_ATTESTATION_CERTIFICATE_KEY',
      'its key is not a point on the curve',
      cause,
    )
  }
}

async function verifyLink(
  path: readonly Certificate[],
  index: number,
  issuerKey: Promise<SubtleKey>,
  algorithms: readonly SignatureAlgorithm[],
  subtle: Subtle,
): Promise<void> {
  const certificate = path[index] as Certificate
  const issuer = path[index - 1] as Certificate
  const algorithm = algorithms.find(
    (one) =>
      equalBytes(one.signatureAlgorithm, certificate.signatureAlgorithm) &&
      equalBytes(one.publicKeyAlgorithm, issuer.publicKeyAlgorithm),
  )
  const message = `its signature does not verify under the key of ${location(path, index - 1)}`
  const key = await issuerKey
  let cause: unknown
  let good = false
  try {
    if (algorithm !== undefined) {
      const data = certificate.tbsCertificate as Uint8Array<ArrayBuffer>
      const signature = algorithm.signature(certificate.signature)
      good = await subtle.verify(algorithm.verifyParameters, key, signature, data)
    }
  } catch (error) {
    cause = error
  }
  if (good !== true)
    throw failed(path, index, 'ERR_ATTESTATION_CERTIFICATE_SIGNATURE', message, cause)
}

function failed(
  path: readonly Certificate[],
  index: number,
  code: AttestationErrorCode,
  message: string,
  cause: unknown,
): CertificateError {
  const subject = describeName((path[index] as Certificate).subject)
  const where = { certificate: location(path, index), subject }
  return new CertificateError(code, message, where, cause === undefined ? undefined : { cause })
}

function iso(time: number): string {
  return new Date(time).toISOString()
}
