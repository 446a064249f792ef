// The half of clients in Node: it needs a Verifier and no Attester.
export { AttestedAgent, type AttestedAgentOptions } from './attested-agent.ts'
export {
  createAttestedDispatcher,
  createAttestedFetch,
  type AttestedFetch,
} from './attested-dispatcher.ts'
export type { AttestedClientOptions, AttestedPeer, Connect } from './client-options.ts'
export type { AttestedConnectionEvent } from './connection-event.ts'
export { AttestedTlsError, type AttestedTlsErrorCode } from './error.ts'
