import { createHash } from 'node:crypto'
import { AttestationError, decodeCertificate } from '@enclavejs/attestation'
import type { Terminal } from '../terminal.ts'
import { describeDuration } from './duration.ts'
import { hex } from './json.ts'
import { escapeLine, escapeText } from './printable.ts'

/** A certificate of a document as it stands there; nothing of it is verified. */
export interface CertificateReport {
  /** Its place in the document: `cabundle[0]` … or `certificate`. */
  readonly field: string
  readonly sha256: string
  readonly size: number
  readonly der: string
  /** Why it cannot be read; what follows is then absent. */
  readonly malformed?: string
  readonly subject?: string
  readonly issuer?: string
  readonly serialNumber?: string
  readonly notBefore?: string
  readonly notAfter?: string
  readonly validity?: 'valid' | 'expired' | 'not yet valid'
  readonly ca?: boolean
  readonly pathLenConstraint?: number | null
  readonly keyUsage?: readonly string[]
}

export function reportCertificate(der: Uint8Array, field: string, now: Date): CertificateReport {
  const sha256 = createHash('sha256').update(der).digest('hex')
  const head = { field, sha256, size: der.length, der: hex(der) }
  try {
    const certificate = decodeCertificate(der)
    const { subject, issuer, serialNumber, notBefore, notAfter, ca, keyUsage } = certificate
    return {
      ...head,
      ...{ subject, issuer, serialNumber },
      notBefore: notBefore.toISOString(),
      notAfter: notAfter.toISOString(),
      validity: now < notBefore ? 'not yet valid' : now > notAfter ? 'expired' : 'valid',
      ca,
      pathLenConstraint: certificate.pathLenConstraint ?? null,
      keyUsage,
    }
  } catch (error) {
    if (!(error instanceof AttestationError)) throw error
    return { ...head, malformed: error.message }
  }
}

export function printCertificate(terminal: Terminal, report: CertificateReport, now: Date): void {
  const { field, size, sha256 } = report
  terminal.print(`  ${terminal.paint('bold', field)}  ${size} bytes, SHA-256 ${sha256}`)
  if (report.malformed !== undefined) {
    terminal.print(`    ${terminal.paint('red', escapeText(report.malformed))}`)
    return
  }
  const { notBefore = '', notAfter = '', pathLenConstraint, ca, keyUsage = [] } = report
  const role = ca ? 'a CA' : 'no CA'
  const length = pathLenConstraint === null ? '' : `, path length at most ${pathLenConstraint}`
  const rows: [string, string][] = [
    ['subject', escapeLine(report.subject ?? '')],
    ['issuer', escapeLine(report.issuer ?? '')],
    ['serial', report.serialNumber ?? ''],
    ['valid', `${notBefore} to ${notAfter}: ${describeValidity(terminal, report, now)}`],
    ['may', `${keyUsage.join(', ') || 'not stated'}; ${role}${length}`],
  ]
  for (const [name, text] of rows) terminal.print(`    ${name.padEnd(8)} ${text}`)
}

function describeValidity(terminal: Terminal, report: CertificateReport, now: Date): string {
  const { validity = 'expired', notBefore = '', notAfter = '' } = report
  if (validity === 'valid') return terminal.paint('green', 'valid now')
  const since = describeDuration(
    now.getTime() - Date.parse(validity === 'expired' ? notAfter : notBefore),
  )
  return terminal.paint(
    'red',
    validity === 'expired' ? `expired ${since} ago` : `not yet valid, begins in ${since}`,
  )
}
