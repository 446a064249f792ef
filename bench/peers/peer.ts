import { decodeAttestationDocument } from '@enclavejs/attestation'

/** Another verifier: whether it accepts a document, under the PCRs of the one it was made for. */
export type Peer = (document: Uint8Array) => Promise<boolean>

/** What its process prints. */
export interface PeerCost {
  /** CPU in P-384 verifications of the same process. */
  readonly cpu: number
}

/** Loads a package of this folder, which is no part of the workspace, under the types that the caller names. */
export async function load<Module>(name: string): Promise<Module> {
  return (await import(name)) as Module
}

/** The PCRs that a peer is told to expect, in hex. */
export function expectedPcrs(document: Uint8Array): ReadonlyMap<number, string> {
  const { pcrs } = decodeAttestationDocument(document)
  return new Map([...pcrs].map(([index, value]) => [index, Buffer.from(value).toString('hex')]))
}
