// A key under a policy, and who can decrypt with it.
import { DecryptCommand, EncryptCommand, type KMSClient } from '@aws-sdk/client-kms'
import type { Condition, PolicyDocument, PolicyStatement } from '../../src/kms.ts'
import {
  pcrs,
  ROLE,
  sdkClient,
  setup,
  testRecipient,
  type Setup,
  type TestRecipient,
} from './bench-of-kms.ts'

export const ROOT = 'arn:aws:iam::123456789012:root'
export const SESSION = 'arn:aws:sts::123456789012:assumed-role/enclave/i-0simulated00000'
export const ADMIN: PolicyStatement = {
  Sid: 'Admin',
  Effect: 'Allow',
  Principal: { AWS: ROOT },
  Action: ['kms:PutKeyPolicy', 'kms:GetKeyPolicy', 'kms:Encrypt', 'kms:*Grant*', 'kms:Describe*'],
  Resource: '*',
}

/** One KMS, a client of the role, and keys under policies. */
export class PolicyScene {
  readonly setup: Setup
  readonly client: KMSClient
  readonly #recipient: TestRecipient

  constructor(made: Setup) {
    this.setup = made
    this.client = sdkClient(made.kms, made.credentials)
    this.#recipient = testRecipient(made.authority)
  }

  static async open(): Promise<PolicyScene> {
    return new PolicyScene(await setup())
  }

  async close(): Promise<void> {
    this.client.destroy()
    await this.setup.kms.close()
  }

  /** A key under a policy and a blob under the key. */
  async sealed(
    statements: PolicyStatement[],
    context?: Record<string, string>,
  ): Promise<SealedBlob> {
    const { kms } = this.setup
    const { arn } = await kms.createKey({ policy: policy(ADMIN) })
    const { CiphertextBlob } = await this.client.send(
      new EncryptCommand({ KeyId: arn, Plaintext: Buffer.from('x'), EncryptionContext: context }),
    )
    await kms.setKeyPolicy(arn, policy(ADMIN, ...statements))
    return { arn, blob: CiphertextBlob as Uint8Array }
  }

  async tryDecrypt(
    key: SealedBlob,
    how: Try = {},
  ): Promise<'allowed' | { name: string; message: string }> {
    const { seed = 1, attested = true, context, by = this.client } = how
    const Recipient = {
      AttestationDocument: this.#recipient.document({ pcrs: how.pcrs ?? pcrs(seed) }),
      KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as const,
    }
    try {
      await by.send(
        new DecryptCommand({
          CiphertextBlob: key.blob,
          KeyId: key.arn,
          EncryptionContext: context,
          ...(attested ? { Recipient } : {}),
        }),
      )
      return 'allowed'
    } catch (error) {
      const { name, message } = error as Error
      return { name, message }
    }
  }
}

export interface SealedBlob {
  readonly arn: string
  readonly blob: Uint8Array
}

export interface Try {
  readonly seed?: number
  readonly attested?: boolean
  readonly context?: Record<string, string>
  readonly by?: KMSClient
  readonly pcrs?: Map<number, Uint8Array>
}

export function policy(...statements: PolicyStatement[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: statements }
}

export function denied(arn: string, reason: string): { name: string; message: string } {
  return {
    name: 'AccessDeniedException',
    message: `User: ${SESSION} is not authorized to perform: kms:Decrypt on resource: ${arn} ${reason}`,
  }
}

export const NOBODY_ALLOWS = 'because no resource-based policy allows the kms:Decrypt action'
export const DENY = 'with an explicit deny in a resource-based policy'

export const decrypt = (
  condition?: Condition,
  effect: 'Allow' | 'Deny' = 'Allow',
): PolicyStatement => ({
  Effect: effect,
  Principal: effect === 'Allow' ? { AWS: ROLE } : '*',
  Action: 'kms:Decrypt',
  Resource: '*',
  ...(condition === undefined ? {} : { Condition: condition }),
})
