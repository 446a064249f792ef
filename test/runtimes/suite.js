// The one program that every runtime runs, beside the built attestation.js, conformance.js and corpus.js.
import * as attestation from './attestation.js'
import { runConformance } from './conformance.js'
import { corpus } from './corpus.js'

/** Every check, on the platform's own WebCrypto. */
export function run(log) {
  return runConformance(attestation, undefined, corpus, log)
}
