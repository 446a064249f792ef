import { computeInstancePcr, type UnverifiedAttestationDocument } from '@enclavejs/attestation'
import type { DocumentFile } from '../document-file.ts'
import type { Terminal } from '../terminal.ts'
import { printCertificate, reportCertificate, type CertificateReport } from './certificate.ts'
import { describeDuration } from './duration.ts'
import { hex } from './json.ts'
import { describePcrs, isZero, pcrMeaning } from './pcr.ts'
import { escapeText, excerpt, readable } from './printable.ts'

/** What a document says, with nothing of it verified. The same names as in the JSON. */
export interface DecodedReport {
  readonly verified: false
  readonly encoding: string
  readonly size: number
  /** COSE_Sign1 with its tag 18, or without as Nitro writes it. */
  readonly tagged: boolean
  readonly algorithm: 'ES384'
  readonly signature: string
  readonly moduleId: string
  readonly timestamp: string
  readonly digest: string
  /** Null where PCR0, 1 or 2 is not in the document, so that it cannot be told. */
  readonly debugMode: boolean | null
  readonly pcrs: Readonly<Record<string, { readonly value: string; readonly meaning: string }>>
  /** Whether PCR4 is the one of the instance that module_id names; null where either is missing. */
  readonly pcr4MatchesModuleId: boolean | null
  readonly publicKey: FieldReport | null
  readonly userData: FieldReport | null
  readonly nonce: FieldReport | null
  readonly certificates: readonly CertificateReport[]
}

interface FieldReport {
  readonly size: number
  readonly hex: string
  /** Where the bytes are UTF-8, escaped. */
  readonly text?: string
}

export async function reportDocument(
  file: DocumentFile,
  document: UnverifiedAttestationDocument,
  now: Date,
): Promise<DecodedReport> {
  const { pcrs, cabundle, certificate } = document
  return {
    verified: false,
    encoding: file.encoding,
    size: file.bytes.length,
    tagged: file.bytes[0] === 0xd2,
    algorithm: 'ES384',
    // The last of four elements, 96 bytes: decoding has shown it.
    signature: hex(file.bytes.subarray(-96)),
    moduleId: document.moduleId,
    timestamp: document.timestamp.toISOString(),
    digest: document.digest,
    debugMode: [0, 1, 2].every((index) => pcrs.has(index))
      ? [0, 1, 2].some((index) => isZero(pcrs.get(index) as Uint8Array))
      : null,
    pcrs: Object.fromEntries(
      [...pcrs].map(([index, value]) => [
        String(index),
        { value: hex(value), meaning: pcrMeaning(index) },
      ]),
    ),
    pcr4MatchesModuleId: await matchInstance(document),
    publicKey: reportField(document.publicKey),
    userData: reportField(document.userData),
    nonce: reportField(document.nonce),
    certificates: [
      ...cabundle.map((der, index) => reportCertificate(der, `cabundle[${index}]`, now)),
      reportCertificate(certificate, 'certificate', now),
    ],
  }
}

async function matchInstance(document: UnverifiedAttestationDocument): Promise<boolean | null> {
  const instance = /^(i-(?:[0-9a-f]{8}|[0-9a-f]{17}))-enc/.exec(document.moduleId)?.[1]
  const pcr4 = document.pcrs.get(4)
  if (instance === undefined || pcr4 === undefined) return null
  return hex(await computeInstancePcr(instance)) === hex(pcr4)
}

function reportField(bytes: Uint8Array | null): FieldReport | null {
  if (bytes === null) return null
  const text = readable(bytes)
  return { size: bytes.length, hex: hex(bytes), ...(text === undefined ? {} : { text }) }
}

export function printDecoded(
  terminal: Terminal,
  report: DecodedReport,
  document: UnverifiedAttestationDocument,
  now: Date,
): void {
  const { bold, red, yellow } = styles(terminal)
  terminal.print(yellow('NOT VERIFIED: whoever made this file can have written anything below.'))
  terminal.print()
  const age = describeDuration(now.getTime() - document.timestamp.getTime())
  const direction = document.timestamp > now ? 'in the future' : 'ago'
  const rows: [string, string][] = [
    [
      'message',
      `${report.size} bytes (${report.encoding}), COSE_Sign1 ${report.tagged ? 'with tag 18' : 'untagged'}, ES384`,
    ],
    ['module', excerpt(report.moduleId, 200)],
    ['timestamp', `${report.timestamp}, ${age} ${direction}`],
    ['digest', report.digest],
  ]
  for (const [name, text] of rows) terminal.print(`${bold(name.padEnd(10))}  ${text}`)
  if (report.debugMode === true) {
    terminal.print(red('DEBUG MODE: PCR0, 1 or 2 is zero; the parent reads the console.'))
  } else if (report.debugMode === null) {
    terminal.print(yellow('PCR0, 1 and 2 are not all here: debug mode cannot be told.'))
  }
  terminal.print()
  terminal.print(bold('PCRs'))
  for (const line of describePcrs(document.pcrs)) terminal.print(`  ${line}`)
  if (report.pcr4MatchesModuleId !== null) {
    const relation = report.pcr4MatchesModuleId ? 'is' : 'is NOT'
    terminal.print(`  PCR4 ${relation} that of the instance in module`)
  }
  terminal.print()
  printField(terminal, 'public_key', report.publicKey)
  printField(terminal, 'user_data', report.userData)
  printField(terminal, 'nonce', report.nonce)
  terminal.print()
  terminal.print(bold('Certificates, root first'))
  for (const certificate of report.certificates) printCertificate(terminal, certificate, now)
  terminal.print()
  printBytes(terminal, bold('signature'), report.signature)
}

function printField(terminal: Terminal, name: string, field: FieldReport | null): void {
  const title = terminal.paint('bold', name.padEnd(10))
  if (field === null) {
    terminal.print(`${title}  none`)
    return
  }
  terminal.print(`${title}  ${field.size} bytes`)
  for (const line of field.hex.match(/.{1,64}/g) ?? []) terminal.print(`  ${line}`)
  if (field.text !== undefined) terminal.print(`  as text: "${field.text}"`)
}

function printBytes(terminal: Terminal, title: string, digits: string): void {
  terminal.print(title)
  for (const line of digits.match(/.{1,64}/g) ?? []) terminal.print(`  ${escapeText(line)}`)
}

function styles(terminal: Terminal): Record<'bold' | 'red' | 'yellow', (text: string) => string> {
  return {
    bold: (text) => terminal.paint('bold', text),
    red: (text) => terminal.paint('red', text),
    yellow: (text) => terminal.paint('yellow', text),
  }
}
