// The enclave's half: it needs an Attester and no Verifier.
export type { GetEvidence } from './evidence-gate.ts'
export { AttestedTlsError, type AttestedTlsErrorCode } from './error.ts'
export { channelOf } from './inner-server.ts'
export { serveAttested, type AttestedServer } from './serve-attested.ts'
export type {
  AttachableCertificate,
  GivenCertificate,
  ServeAttestedOptions,
} from './serve-options.ts'
export type { AttestedServedEvent } from './served-event.ts'
