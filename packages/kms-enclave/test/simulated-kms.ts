import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedAccount,
  type SimulatedCredentials,
  type SimulatedKms,
  type SimulatedKmsOptions,
} from '@enclavejs/simulator/kms'
import type { GetEvidence } from '../src/index.ts'

/** A simulated KMS, a role that may call it, and Evidence that it accepts. */
export interface Scene {
  readonly account: SimulatedAccount
  readonly credentials: SimulatedCredentials
  readonly kms: SimulatedKms
  readonly getEvidence: GetEvidence
  /** How often Evidence was asked for. */
  evidence: number
  /** Milliseconds that are taken from a document's time. */
  age: number
}

export const PCRS: ReadonlyMap<number, Uint8Array> = new Map(
  Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(16 + index)]),
)

export async function openScene(options: Partial<SimulatedKmsOptions> = {}): Promise<Scene> {
  const authority = await createCertificateAuthority()
  const account = createSimulatedAccount()
  const kms = await createSimulatedKms({
    accounts: [account],
    attestationRoots: [authority.trustAnchor],
    ...options,
  })
  const scene: Scene = {
    account,
    credentials: account.issueCredentials({ role: 'enclave' }),
    kms,
    evidence: 0,
    age: 0,
    getEvidence: async ({ publicKey }) => {
      scene.evidence++
      return issueAttestationDocument(
        {
          moduleId: authority.moduleId,
          timestamp: authority.now().getTime() - scene.age,
          pcrs: new Map(PCRS),
          publicKey,
        },
        authority.issueLeaf(),
      )
    },
  }
  return scene
}

/** What a promise is rejected with: the code of our errors, else the whole as text. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    const { code } = error as { code?: unknown }
    return typeof code === 'string' ? code : String(error)
  }
  return 'nothing'
}
