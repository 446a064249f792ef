import type { X509Certificate } from 'node:crypto'
import {
  BASIC_CONSTRAINTS,
  NAME_CONSTRAINTS,
  readCertificateFields,
  SUBJECT_ALT_NAME,
  type CertificateFields,
} from './certificate-fields.ts'
import { AcmError } from './error.ts'
import { violationOf } from './name-constraints.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const ANY_USAGE = '2.5.29.37.0'
/** keyUsage, extKeyUsage, basicConstraints, subjectAltName and nameConstraints, which are checked; and those of policies. */
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  ...['551d0f', '551d25', BASIC_CONSTRAINTS, SUBJECT_ALT_NAME, NAME_CONSTRAINTS],
  ...['551d20', '551d21', '551d24', '551d36'],
])

/**
 * What each certificate of a path, and the path as a whole, must be, beside that each was issued by the next.
 *
 * @param path - the leaf first; the anchor last, where it is not in the bundle
 */
export function checkProfile(
  path: readonly X509Certificate[],
  { hostNames, currentDate }: { readonly hostNames: readonly string[]; readonly currentDate: Date },
): void {
  const [leaf, ...issuers] = path as [X509Certificate, ...X509Certificate[]]
  const fields = new Map(path.map((one) => [one, fieldsOf(one)]))
  checkUsage(leaf, fields)
  checkDates(path, currentDate)
  for (const one of path) checkExtensions(one, fields)
  checkDepth(issuers, fields)
  checkNameConstraints(path, fields)
  checkNames(leaf, hostNames)
}

/** The end of a certificate's validity. (`validToDate` is not in Node 22.) */
export function end(certificate: X509Certificate): Date {
  return new Date(certificate.validTo)
}

export function begin(certificate: X509Certificate): Date {
  return new Date(certificate.validFrom)
}

/** Whether there is no extended key usage, or one that names servers. */
export function isForServers(certificate: X509Certificate): boolean {
  const usages = certificate.keyUsage as string[] | undefined
  return usages === undefined || usages.includes(SERVER_AUTH) || usages.includes(ANY_USAGE)
}

function checkUsage(leaf: X509Certificate, fields: Fields): void {
  if (leaf.ca || fields.get(leaf)?.isCa !== false) throw usageError('it is a CA')
  if (!isForServers(leaf)) throw usageError('its extended key usage does not name servers')
}

type Fields = ReadonlyMap<X509Certificate, CertificateFields>

function fieldsOf(certificate: X509Certificate): CertificateFields {
  const fields = readCertificateFields(certificate.raw)
  if (fields !== undefined) return fields
  throw new AcmError('ERR_ACM_CERTIFICATE', `${nameOf(certificate)} is not written in DER`)
}

/** Critical ones that nobody here understands (RFC 5280 §4.2). */
function checkExtensions(certificate: X509Certificate, fields: Fields): void {
  for (const [id, { critical }] of fields.get(certificate)?.extensions ?? []) {
    const isKnown = certificate.ca || id !== NAME_CONSTRAINTS ? KNOWN_EXTENSIONS.has(id) : false
    if (!critical || isKnown) continue
    throw new AcmError(
      'ERR_ACM_CRITICAL_EXTENSION',
      `${nameOf(certificate)} has a critical extension that is not known here (object identifier ${id.slice(0, 64)} in hex)`,
    )
  }
}

/** pathLenConstraint: how many issuers may stand between one and the leaf (RFC 5280 §4.2.1.9). */
function checkDepth(issuers: readonly X509Certificate[], fields: Fields): void {
  let between = 0
  for (const issuer of issuers) {
    const limit = fields.get(issuer)?.pathLenConstraint
    if (limit !== undefined && between > limit) {
      throw pathError(`${nameOf(issuer)} may have ${limit} issuers below it, and has ${between}`)
    }
    if (issuer.subject !== issuer.issuer) between++
  }
}

/** Each issuer's constraints on all below it, but for issuers that issued themselves (RFC 5280 §6.1.4 b, §6.1.3 b). */
function checkNameConstraints(path: readonly X509Certificate[], fields: Fields): void {
  for (const [place, issuer] of path.entries()) {
    for (const [depth, one] of path.slice(0, place).entries()) {
      if (depth > 0 && one.subject === one.issuer) continue
      const [ca, subject] = [fields.get(issuer), fields.get(one)]
      const fault = ca === undefined || subject === undefined ? undefined : violationOf(ca, subject)
      if (fault === undefined) continue
      throw new AcmError(
        'ERR_ACM_NAME_CONSTRAINTS',
        `${nameOf(issuer)} may not issue ${nameOf(one)}: ${fault}`,
      )
    }
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

export function nameOf(certificate: X509Certificate): string {
  return `the certificate ${JSON.stringify(oneLine(certificate.subject))}`
}

function oneLine(text: string | undefined): string {
  return (text ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 200)
}

function usageError(fault: string): AcmError {
  return new AcmError('ERR_ACM_CERTIFICATE_USAGE', `The certificate is none for a server: ${fault}`)
}

export function pathError(fault: string): AcmError {
  return new AcmError('ERR_ACM_PATH', `The certification path is broken: ${fault}`)
}
