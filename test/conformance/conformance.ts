import type { Subtle } from '@enclavejs/attestation'
import type { Corpus } from '../corpus/corpus.ts'
import { checkDocument } from './document.ts'
import { checkMeasurements } from './measurement.ts'
import { checkMemory } from './memory.ts'
import { checkOptions } from './options.ts'
import { checkProvider } from './p384.ts'
import { Checks, type ConformanceReport } from './report.ts'
import type { AttestationLibrary } from './subject.ts'
import { checkVerdicts } from './verdict.ts'

export type { ConformanceReport }

/**
 * Runs the whole suite on a library with a corpus. It uses nothing but the language, WebCrypto, `atob` and
 * `TextEncoder`, so that every runtime can.
 *
 * @param subtle the crypto provider to give to each call; undefined: the platform's.
 * @param log is told each failure as it happens.
 */
export async function runConformance(
  library: AttestationLibrary,
  subtle: Subtle | undefined,
  corpus: Corpus,
  log: (line: string) => void = () => {},
): Promise<ConformanceReport> {
  const subject = { library, subtle, corpus }
  const checks = new Checks(log)
  await checkProvider(subject, checks)
  await checkMeasurements(subject, checks)
  await checkDocument(subject, checks)
  await checkMemory(subject, checks)
  await checkOptions(subject, checks)
  await checkVerdicts(subject, checks)
  return checks.report()
}
