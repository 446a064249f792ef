import type { AttestationResult } from '@enclavejs/attestation'
import type { Appraisal } from '../appraisal.ts'
import type { Terminal } from '../terminal.ts'
import { describeDuration } from './duration.ts'
import { hex, hexOrNull, pcrsToJson } from './json.ts'
import { describePcrs } from './pcr.ts'
import { escapeLine, escapeText, excerpt } from './printable.ts'

/** A document that was accepted, and the time and the policy that it was judged by. */
export interface Accepted {
  readonly result: AttestationResult
  readonly appraisal: Appraisal
  readonly appraisedAt: Date
}

/** What was verified, as JSON: bytes in hex, times in ISO 8601. */
export function acceptedToJson({ result, appraisal, appraisedAt }: Accepted): object {
  const { trustAnchor } = result
  return {
    accepted: true,
    archived: appraisal.at !== undefined,
    appraisedAt: appraisedAt.toISOString(),
    moduleId: result.moduleId,
    timestamp: result.timestamp.toISOString(),
    ageSeconds: (appraisedAt.getTime() - result.timestamp.getTime()) / 1000,
    notAfter: result.notAfter.toISOString(),
    debugMode: result.debugMode,
    anyImage: appraisal.policy.acceptAnyImage === true,
    referenceLabel: result.referenceLabel ?? null,
    nonceMatched: appraisal.expected.nonce !== undefined,
    maxAgeSeconds: appraisal.policy.maxAge ?? null,
    digest: result.digest,
    pcrs: pcrsToJson(result.pcrs),
    publicKey: hexOrNull(result.publicKey),
    userData: hexOrNull(result.userData),
    nonce: hexOrNull(result.nonce),
    trustAnchor: {
      partition: trustAnchor.partition ?? null,
      subject: trustAnchor.subject,
      sha256: trustAnchor.sha256,
    },
    certificate: hex(result.certificate),
    cabundle: result.cabundle.map((certificate) => hex(certificate)),
  }
}

/** What was verified, for a person. */
export function printAccepted(terminal: Terminal, accepted: Accepted): void {
  const { result, appraisal, appraisedAt } = accepted
  const { trustAnchor, timestamp } = result
  const age = describeDuration(appraisedAt.getTime() - timestamp.getTime())
  const when = timestamp > appraisedAt ? `${age} ahead of` : `${age} before`
  terminal.print(
    `${terminal.paint('green', 'accepted')}${appraisal.at === undefined ? '' : ` as of ${appraisedAt.toISOString()}: what the enclave was then, no proof of now`}`,
  )
  if (result.debugMode) {
    terminal.print(
      terminal.paint('red', 'DEBUG MODE: the parent reads its console; nothing it holds is secret'),
    )
  }
  const rows: [string, string][] = [
    ['module', excerpt(result.moduleId, 200)],
    [
      'made',
      `${timestamp.toISOString()}, ${when} ${appraisal.at === undefined ? 'now' : 'that time'}`,
    ],
    ['fresh', describeFreshness(appraisal)],
    ['image', describeImage(accepted)],
    ...describePcrs(result.pcrs).map((line, index): [string, string] => [
      index === 0 ? 'pcrs' : '',
      line,
    ]),
    ['public_key', describeField(result.publicKey, appraisal.expected.publicKey)],
    ['user_data', describeField(result.userData, appraisal.expected.userData)],
    ['nonce', describeField(result.nonce, appraisal.expected.nonce)],
    ['root', `${escapeLine(trustAnchor.subject)} (${describeRoot(trustAnchor.partition)})`],
    ['', `SHA-256 ${trustAnchor.sha256}`],
    ['signed by', `a certificate that is valid until ${result.notAfter.toISOString()}`],
  ]
  for (const [name, text] of rows) terminal.print(`  ${name.padEnd(10)}  ${text}`)
  terminal.print(
    terminal.paint(
      'dim',
      'Not proven: who sent it. Compare public_key or user_data with your peer.',
    ),
  )
}

function describeFreshness({ expected, policy, at }: Appraisal): string {
  const proofs = [
    expected.nonce && 'the nonce is the one given',
    policy.maxAge !== undefined && `not older than ${policy.maxAge} s`,
  ].filter((proof) => typeof proof === 'string')
  if (proofs.length > 0) return proofs.join(', ')
  return at === undefined ? 'unknown' : 'not asked'
}

function describeImage({ result, appraisal }: Accepted): string {
  if (appraisal.policy.acceptAnyImage === true) return 'ANY image was accepted (--any-image)'
  if (result.referenceLabel === undefined) return 'the PCRs given'
  return `the reference values "${escapeText(result.referenceLabel)}"`
}

function describeRoot(partition: string | undefined): string {
  return partition === undefined ? 'own, --trust-anchor' : `built in, partition ${partition}`
}

function describeField(value: Uint8Array | null, expected: Uint8Array | undefined): string {
  if (value === null) return 'none'
  if (value.length === 0) return '0 bytes'
  const digits = value.length > 64 ? `${hex(value.subarray(0, 64))}…` : hex(value)
  return `${value.length} bytes${expected === undefined ? '' : ', as required'}: ${digits}`
}
