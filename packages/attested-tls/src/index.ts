export { AttestedTlsError, type AttestedTlsErrorCode } from './error.ts'
export { ATTESTATION_PATH, SEALED_PATH, SEALED_HTTP_PURPOSE, TLS_PURPOSE } from './purpose.ts'
