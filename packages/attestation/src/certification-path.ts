import { decodeCertificate, describeName, KeyUsage, type Certificate } from '@enclavejs/der'
import { equalBytes, toHex } from './bytes.ts'
import { CertificateError, type AttestationErrorCode } from './error.ts'
import { ECDSA_P384_SHA384, findAlgorithm, type SignatureAlgorithm } from './signature.ts'

/** When and how a path is judged. Times in milliseconds. */
export interface PathConditions {
  readonly currentDate: number
  /** How far notBefore may lie in the future. notAfter knows no tolerance. */
  readonly clockTolerance: number
  /** Default: ecdsa-with-SHA384 on P-384 alone. */
  readonly algorithms?: readonly SignatureAlgorithm[]
}

export const DEFAULT_ALGORITHMS: readonly SignatureAlgorithm[] = [ECDSA_P384_SHA384]

/** Where a certificate of the path stands in the document. */
export function location(path: readonly Certificate[], index: number): string {
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
      { certificate: where },
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
  for (let index = 0; index < path.length; index++) {
    const place = { path, index }
    checkAlgorithms(place, conditions.algorithms ?? DEFAULT_ALGORITHMS)
    checkExtensions(place)
    checkValidity(place, conditions)
    checkIssuer(place)
    if (index === path.length - 1) checkTarget(place)
    else checkCa(place)
  }
}

/** A certificate under judgement, and the path it stands in. */
export interface Place {
  readonly path: readonly Certificate[]
  readonly index: number
}

function certificateAt({ path, index }: Place): Certificate {
  return path[index] as Certificate
}

export function refusal(
  place: Place,
  code: AttestationErrorCode,
  message: string,
  cause?: unknown,
): CertificateError {
  const where = {
    certificate: location(place.path, place.index),
    subject: describeName(certificateAt(place).subject),
  }
  return new CertificateError(code, message, where, cause === undefined ? undefined : { cause })
}

function checkAlgorithms(place: Place, algorithms: readonly SignatureAlgorithm[]): void {
  const { signatureAlgorithm, publicKeyAlgorithm, publicKey } = certificateAt(place)
  if (!algorithms.some((one) => equalBytes(one.signatureAlgorithm, signatureAlgorithm))) {
    throw refusal(
      place,
      'ERR_ATTESTATION_CERTIFICATE_ALGORITHM',
      `signatureAlgorithm: ecdsa-with-SHA384 expected, ${toHex(signatureAlgorithm)} seen`,
    )
  }
  if (findAlgorithm(algorithms, publicKeyAlgorithm)?.isPublicKey(publicKey) !== true) {
    throw refusal(
      place,
      'ERR_ATTESTATION_CERTIFICATE_KEY',
      `its key: an uncompressed point of P-384 expected, ${publicKey.length} bytes under ${toHex(publicKeyAlgorithm)} seen`,
    )
  }
}

function checkExtensions(place: Place): void {
  for (const { oid, critical } of certificateAt(place).extensions) {
    if (critical ? isKnown(oid) : !isLimiting(oid)) continue
    throw refusal(
      place,
      'ERR_ATTESTATION_CERTIFICATE_EXTENSION',
      `the extension ${oid} is ${critical ? 'critical' : 'a limit'} and not evaluated here`,
    )
  }
}

/** keyUsage and basicConstraints. */
function isKnown(oid: string): boolean {
  return oid === '2.5.29.15' || oid === '2.5.29.19'
}

/**
 * nameConstraints, policyConstraints and inhibitAnyPolicy limit a path and are not evaluated here. RFC 5280 wants them
 * critical; a CA that forgot to say so meant the limit all the same.
 */
function isLimiting(oid: string): boolean {
  return oid === '2.5.29.30' || oid === '2.5.29.36' || oid === '2.5.29.54'
}

function checkValidity(place: Place, { currentDate, clockTolerance }: PathConditions): void {
  const { notBefore, notAfter } = certificateAt(place)
  if (notBefore > currentDate + clockTolerance) {
    throw refusal(
      place,
      'ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID',
      `valid from ${iso(notBefore)}, and it is ${iso(currentDate)}`,
    )
  }
  if (notAfter < currentDate) {
    throw refusal(
      place,
      'ERR_ATTESTATION_CERTIFICATE_EXPIRED',
      `expired ${iso(notAfter)}, and it is ${iso(currentDate)}`,
    )
  }
}

const ISSUER = 'ERR_ATTESTATION_CERTIFICATE_ISSUER'

function checkIssuer(place: Place): void {
  const { path, index } = place
  const issuer = path[index - 1]
  const { issuer: name, bytes } = certificateAt(place)
  for (let before = 0; before < index; before++) {
    const other = path[before] as Certificate
    // RFC 5280 §6.1: a certificate does not appear twice in a path.
    if (equalBytes(other.bytes, bytes))
      throw refusal(place, ISSUER, `it is ${location(path, before)} again`)
  }
  if (issuer === undefined || equalBytes(name, issuer.subject)) return
  const names = `${describeName(name)}, which is not ${location(path, index - 1)}`
  throw refusal(place, ISSUER, `issued by ${names}`)
}

function checkCa(place: Place): void {
  const { path, index } = place
  const { basicConstraints, keyUsage = 0 } = certificateAt(place)
  if (basicConstraints?.ca !== true) {
    throw refusal(
      place,
      'ERR_ATTESTATION_CERTIFICATE_NOT_CA',
      'not a CA, and it issues the next one',
    )
  }
  if ((keyUsage & KeyUsage.keyCertSign) === 0) {
    throw refusal(place, 'ERR_ATTESTATION_CERTIFICATE_KEY_USAGE', 'keyUsage lacks keyCertSign')
  }
  const limit = basicConstraints?.pathLenConstraint
  if (limit === undefined) return
  let count = 0
  for (let after = index + 1; after < path.length - 1; after++) {
    const { issuer, subject } = path[after] as Certificate
    // RFC 5280 §4.2.1.9: self-issued certificates do not count.
    if (!equalBytes(issuer, subject)) count++
  }
  if (count > limit) {
    throw refusal(
      place,
      'ERR_ATTESTATION_CERTIFICATE_PATH_LENGTH',
      `pathLenConstraint ${limit}, and ${count} CA certificates follow`,
    )
  }
}

function checkTarget(place: Place): void {
  const { basicConstraints, keyUsage = 0 } = certificateAt(place)
  if (basicConstraints?.ca === true) {
    throw refusal(place, 'ERR_ATTESTATION_CERTIFICATE_IS_CA', 'a CA, and it signs the document')
  }
  const code = 'ERR_ATTESTATION_CERTIFICATE_KEY_USAGE'
  if ((keyUsage & KeyUsage.digitalSignature) === 0) {
    throw refusal(place, code, 'keyUsage lacks digitalSignature')
  }
  if ((keyUsage & KeyUsage.keyCertSign) !== 0) {
    throw refusal(place, code, 'keyUsage has keyCertSign and it is no CA')
  }
}

/** A time in milliseconds, for people. */
export function iso(time: number): string {
  return new Date(time).toISOString()
}
