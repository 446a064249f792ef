// The half of clients in pages, which cannot see the key of their TLS connection. It runs in Node as well.
export { AttestedTlsError, type AttestedTlsErrorCode } from './error.ts'
export { createSealedFetch, type SealedFetch } from './sealed-fetch.ts'
export type { SealedFetchOptions } from './sealed-options.ts'
