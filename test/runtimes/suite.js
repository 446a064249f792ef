// The one program that every runtime runs, beside the built attestation.js, conformance.js, corpus.js and documents.js.
import * as attestation from './attestation.js'
import { runConformance } from './conformance.js'
import { corpus } from './corpus.js'
import { documents } from './documents.js'
import { checkRealDocuments } from './real-documents.js'

/** Every check, on the platform's own WebCrypto. */
export async function run(log) {
  const report = await runConformance(attestation, undefined, corpus, log)
  return { ...report, real: await checkRealDocuments(attestation, documents, log) }
}
