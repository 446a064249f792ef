import { Agent } from 'node:https'
import { DecryptCommand, EncryptCommand, KMSClient, PutKeyPolicyCommand } from '@aws-sdk/client-kms'
import type { CreatedKeyPolicy } from '@enclavejs/kms-enclave/policy'
import type { SimulatedCredentials, SimulatedKms } from '@enclavejs/simulator/kms'

/** Somebody with credentials and the AWS SDK, outside of any enclave: the operator, or whoever holds the parent. */
export class AwsCaller implements Disposable {
  readonly #client: KMSClient
  readonly #keyArn: string

  constructor(kms: SimulatedKms, keyArn: string, credentials: SimulatedCredentials) {
    const { host, port } = kms.address() as { host: string; port: number }
    this.#keyArn = keyArn
    this.#client = new KMSClient({
      region: kms.region,
      endpoint: `https://kms.${kms.region}.amazonaws.com:${port}`,
      credentials,
      requestHandler: {
        httpsAgent: new Agent({
          ca: kms.ca,
          lookup: (_name, options, callback) =>
            options.all === true
              ? callback(null, [{ address: host, family: 4 }])
              : callback(null, host, 4),
        }),
      },
    })
  }

  async putKeyPolicy({
    json,
    bypassPolicyLockoutSafetyCheck,
  }: Omit<CreatedKeyPolicy, 'policy'>): Promise<void> {
    await this.#client.send(
      new PutKeyPolicyCommand({
        KeyId: this.#keyArn,
        Policy: json,
        BypassPolicyLockoutSafetyCheck: bypassPolicyLockoutSafetyCheck,
      }),
    )
  }

  async encrypt(
    Plaintext: Uint8Array,
    EncryptionContext: Record<string, string>,
  ): Promise<Uint8Array> {
    const { CiphertextBlob } = await this.#client.send(
      new EncryptCommand({ KeyId: this.#keyArn, Plaintext, EncryptionContext }),
    )
    return CiphertextBlob as Uint8Array
  }

  /** Without an attestation document. */
  async decrypt(
    CiphertextBlob: Uint8Array,
    EncryptionContext: Record<string, string>,
  ): Promise<void> {
    await this.#client.send(
      new DecryptCommand({ KeyId: this.#keyArn, CiphertextBlob, EncryptionContext }),
    )
  }

  [Symbol.dispose](): void {
    this.#client.destroy()
  }
}
