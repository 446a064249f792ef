import { callAttested, type Opened, type SecretLength } from './attested-call.ts'
import { refuseUnknown, type KmsClientOptions } from './client-options.ts'
import { KmsError } from './error.ts'
import type {
  CallOptions,
  DecryptInput,
  DeriveSharedSecretInput,
  EncryptInput,
  GenerateDataKeyInput,
  GenerateDataKeyPairInput,
  GenerateRandomInput,
} from './input.ts'
import { openConnection, type KmsConnection } from './kms-connection.ts'
import type {
  DecryptOutput,
  DeriveSharedSecretOutput,
  DescribeKeyOutput,
  EncryptOutput,
  GenerateDataKeyOutput,
  GenerateDataKeyPairOutput,
  GenerateRandomOutput,
  GetKeyPolicyOutput,
  GetPublicKeyOutput,
  Grant,
  KeyMetadata,
  KeyOutput,
  ListGrantsOutput,
} from './output.ts'
import {
  dataKeyPairParameters,
  dataKeyParameters,
  decryptParameters,
  encryptParameters,
  randomParameters,
  sharedSecretParameters,
  type Parameters,
} from './parameters.ts'
import { RecipientSource } from './recipient.ts'
import type { ResponseMembers } from './response.ts'

const BLOB_MAX = 6144
const PUBLIC_KEY_MAX = 8192
const POLICY_MAX = 65_536
/** A grant's constraints can have kilobytes, and a page must fit the bound of an answer. */
const GRANTS_PER_PAGE = 20
/** KMS allows 50000 grants a key. */
const GRANT_PAGES_MAX = 2500

/**
 * KMS for one key, from inside an enclave. Comes from {@link createKmsClient}.
 *
 * Each call may throw: {@link KmsServiceError} where KMS refuses (`ERR_KMS_SERVICE`); `ERR_KMS_CONNECTION`, `ERR_KMS_TLS`,
 * `ERR_KMS_DEADLINE`, `ERR_KMS_RESPONSE`, `ERR_KMS_RESPONSE_SIZE`, `ERR_KMS_KEY_MISMATCH`, `ERR_KMS_CREDENTIALS` and
 * `ERR_KMS_CLOSED`. The attested ones further `ERR_KMS_EVIDENCE`, `ERR_KMS_UNATTESTED_PLAINTEXT`, `ERR_KMS_CMS` and
 * `ERR_KMS_PLAINTEXT_LENGTH`. Arguments out of bounds throw `TypeError` or `RangeError` before anything is sent; what a call
 * sends is copied before it returns its promise.
 */
export class KmsClient implements AsyncDisposable {
  readonly #connection: KmsConnection
  readonly #source: RecipientSource
  #closed = false

  private constructor(connection: KmsConnection, source: RecipientSource) {
    this.#connection = connection
    this.#source = source
  }

  /** For {@link createKmsClient}. */
  static open(options: KmsClientOptions): KmsClient {
    const { getEvidence, singleUse, maxAgeMs, maxCalls, modulusLength } = options
    const { evidenceDeadlineMs } = options
    if (typeof getEvidence !== 'function') throw new TypeError('getEvidence must be a function')
    const connection = openConnection(options)
    const source = new RecipientSource({
      getEvidence,
      ...(singleUse !== undefined && { singleUse }),
      ...(maxAgeMs !== undefined && { maxAgeMs }),
      ...(maxCalls !== undefined && { maxCalls }),
      ...(modulusLength !== undefined && { modulusLength }),
      ...(evidenceDeadlineMs !== undefined && { evidenceDeadlineMs }),
    })
    return new KmsClient(connection, source)
  }

  /** What the client was bound to: the ARN of the key. */
  get keyArn(): string {
    return this.#connection.key.keyId
  }

  /** The host that is called. */
  get host(): string {
    return this.#connection.key.host
  }

  /**
   * Decrypts, attested: the plaintext leaves KMS encrypted to a key of this process.
   *
   * That a ciphertext decrypts says nothing about who made it: whoever may call Encrypt can. What it is for is what the
   * encryption context says.
   */
  async decrypt(input: DecryptInput, options: CallOptions = {}): Promise<DecryptOutput> {
    const parameters = decryptParameters(this.#connection.key.decryptKeyId, input)
    const length = { least: 1, most: 4096 }
    const { output, secret } = await this.#attested(
      'Decrypt',
      parameters,
      length,
      options,
      (members) => ({
        ...this.#keyOutput('Decrypt', members),
        EncryptionAlgorithm: members.text('EncryptionAlgorithm', 64),
      }),
    )
    return { ...output, Plaintext: secret }
  }

  /** A new data key, attested: in the clear for this process alone, and encrypted under the KMS key, to be kept. */
  async generateDataKey(
    input: GenerateDataKeyInput,
    options: CallOptions = {},
  ): Promise<GenerateDataKeyOutput> {
    const { parameters, length } = dataKeyParameters(this.#connection.key.keyId, input)
    const { output, secret } = await this.#attested(
      'GenerateDataKey',
      parameters,
      length,
      options,
      (members) => ({
        ...this.#keyOutput('GenerateDataKey', members),
        CiphertextBlob: members.bytes('CiphertextBlob', BLOB_MAX),
      }),
    )
    return { ...output, Plaintext: secret }
  }

  /** A new key pair, attested: the private key in the clear for this process alone, and encrypted under the KMS key. */
  async generateDataKeyPair(
    input: GenerateDataKeyPairInput,
    options: CallOptions = {},
  ): Promise<GenerateDataKeyPairOutput> {
    const parameters = dataKeyPairParameters(this.#connection.key.keyId, input)
    const length = { least: 1, most: 4096 }
    const { output, secret } = await this.#attested(
      'GenerateDataKeyPair',
      parameters,
      length,
      options,
      (members) => ({
        ...this.#keyOutput('GenerateDataKeyPair', members),
        PrivateKeyCiphertextBlob: members.bytes('PrivateKeyCiphertextBlob', BLOB_MAX),
        PublicKey: members.bytes('PublicKey', PUBLIC_KEY_MAX),
        KeyPairSpec: members.text('KeyPairSpec', 64),
      }),
    )
    return { ...output, PrivateKeyPlaintext: secret }
  }

  /**
   * Random bytes of KMS, attested. Mix them with the enclave's own (`node:crypto`, the NSM) and never use them alone: they
   * are as good as the TLS connection and KMS.
   */
  async generateRandom(
    input: GenerateRandomInput,
    options: CallOptions = {},
  ): Promise<GenerateRandomOutput> {
    const parameters = randomParameters(input)
    const { secret } = await this.#attested(
      'GenerateRandom',
      { ...parameters },
      parameters.NumberOfBytes,
      options,
      () => undefined,
    )
    return { Plaintext: secret }
  }

  /** The raw ECDH secret of the KMS key and another's public key, attested. Put it through a KDF. */
  async deriveSharedSecret(
    input: DeriveSharedSecretInput,
    options: CallOptions = {},
  ): Promise<DeriveSharedSecretOutput> {
    const parameters = sharedSecretParameters(this.#connection.key.keyId, input)
    const length = { least: 1, most: 128 }
    const { output, secret } = await this.#attested(
      'DeriveSharedSecret',
      parameters,
      length,
      options,
      (members) => {
        const origin = members.optionalText('KeyOrigin', 64)
        return {
          KeyId: this.#keyId('DeriveSharedSecret', members),
          KeyAgreementAlgorithm: members.text('KeyAgreementAlgorithm', 64),
          ...(origin !== undefined && { KeyOrigin: origin }),
        }
      },
    )
    return { ...output, SharedSecret: secret }
  }

  /** Encrypts. KMS cannot attest this operation: whoever has `kms:Encrypt` can do the same. */
  async encrypt(input: EncryptInput, options: CallOptions = {}): Promise<EncryptOutput> {
    const parameters = encryptParameters(this.#connection.key.keyId, input)
    const members = await this.#plain('Encrypt', parameters, options)
    return {
      KeyId: this.#keyId('Encrypt', members),
      CiphertextBlob: members.bytes('CiphertextBlob', BLOB_MAX),
      EncryptionAlgorithm: members.text('EncryptionAlgorithm', 64),
    }
  }

  /** The key's policy, as `verifyKeyPolicy` of `@enclavejs/kms-enclave/policy` takes it. */
  async getKeyPolicy(options: CallOptions = {}): Promise<GetKeyPolicyOutput> {
    const parameters = { KeyId: this.#connection.key.keyId, PolicyName: 'default' }
    const members = await this.#plain('GetKeyPolicy', parameters, options)
    const name = members.optionalText('PolicyName', 128)
    return {
      Policy: members.text('Policy', POLICY_MAX),
      ...(name !== undefined && { PolicyName: name }),
    }
  }

  /** All grants of the key, of all pages. */
  async listGrants(options: CallOptions = {}): Promise<ListGrantsOutput> {
    const { key, channel } = this.#connection
    this.#refuseClosed()
    const time = channel.begin(options.signal)
    const grants: Grant[] = []
    let marker: string | undefined
    for (let page = 0; page < GRANT_PAGES_MAX; page++) {
      const parameters = {
        KeyId: key.keyId,
        Limit: GRANTS_PER_PAGE,
        ...(marker !== undefined && { Marker: marker }),
      }
      const members = await channel.call('ListGrants', JSON.stringify(parameters), time)
      for (const grant of members.list('Grants')) grants.push(readGrant(grant))
      if (!members.boolean('Truncated')) {
        if (!members.holds('NextMarker')) return { Grants: grants, Truncated: false }
        throw new KmsError(
          'ERR_KMS_RESPONSE',
          'The answer to ListGrants: a NextMarker, although Truncated is false',
        )
      }
      const next = members.text('NextMarker', 1024)
      if (next === marker) break
      marker = next
    }
    throw new KmsError('ERR_KMS_RESPONSE', 'The answers to ListGrants come to no end')
  }

  /** The public key of a key pair in KMS. */
  async getPublicKey(options: CallOptions = {}): Promise<GetPublicKeyOutput> {
    const parameters = { KeyId: this.#connection.key.keyId }
    const members = await this.#plain('GetPublicKey', parameters, options)
    return {
      KeyId: this.#keyId('GetPublicKey', members),
      PublicKey: members.bytes('PublicKey', PUBLIC_KEY_MAX),
      KeySpec: members.text('KeySpec', 64),
      KeyUsage: members.text('KeyUsage', 64),
      ...algorithms('EncryptionAlgorithms', members),
      ...algorithms('SigningAlgorithms', members),
      ...algorithms('KeyAgreementAlgorithms', members),
    }
  }

  /** What KMS says about the key. */
  async describeKey(options: CallOptions = {}): Promise<DescribeKeyOutput> {
    const parameters = { KeyId: this.#connection.key.keyId }
    const members = await this.#plain('DescribeKey', parameters, options)
    const metadata = members.object('KeyMetadata')
    const { Arn: arn, KeyId: keyId } = metadata
    if (typeof arn !== 'string' || typeof keyId !== 'string') {
      throw new KmsError('ERR_KMS_RESPONSE', 'The answer to DescribeKey: KeyMetadata has no Arn')
    }
    this.#connection.key.check('DescribeKey', arn)
    return { KeyMetadata: metadata as unknown as KeyMetadata }
  }

  /** Destroys the recipient keys and closes all sockets. Calls under way are refused with `ERR_KMS_CLOSED`. May be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#source.close()
    await this.#connection.pool.close()
  }

  /** {@link KmsClient.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #attested<T>(
    operation: string,
    parameters: Parameters,
    length: SecretLength,
    { signal }: CallOptions,
    read: (members: ResponseMembers) => T,
  ): Promise<Opened<T>> {
    this.#refuseClosed()
    const { channel } = this.#connection
    const parts = { channel, source: this.#source }
    return callAttested(parts, operation, parameters, length, channel.begin(signal), read)
  }

  async #plain(
    operation: string,
    parameters: Parameters,
    { signal }: CallOptions,
  ): Promise<ResponseMembers> {
    this.#refuseClosed()
    const { channel } = this.#connection
    return channel.call(operation, JSON.stringify(parameters), channel.begin(signal))
  }

  #refuseClosed(): void {
    if (this.#closed) throw new KmsError('ERR_KMS_CLOSED', 'The client was closed')
  }

  #keyId(operation: string, members: ResponseMembers): string {
    const keyId = members.text('KeyId')
    this.#connection.key.check(operation, keyId)
    return keyId
  }

  #keyOutput(operation: string, members: ResponseMembers): KeyOutput {
    const material = members.optionalText('KeyMaterialId', 64)
    return {
      KeyId: this.#keyId(operation, members),
      ...(material !== undefined && { KeyMaterialId: material }),
    }
  }
}

/**
 * Makes a client for one key.
 *
 * @throws {TypeError} {@link RangeError} naming the option; nothing is dialed and no Evidence asked for before the first call
 */
export function createKmsClient(options: KmsClientOptions): KmsClient {
  return KmsClient.open(refuseUnknown(options, 'createKmsClient'))
}

function readGrant(value: unknown): Grant {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Grant
  throw new KmsError('ERR_KMS_RESPONSE', 'The answer to ListGrants: a grant is no object')
}

function algorithms(name: string, members: ResponseMembers): Record<string, readonly string[]> {
  if (!members.holds(name)) return {}
  const list = members.list(name)
  if (list.every((one) => typeof one === 'string')) return { [name]: list }
  throw new KmsError('ERR_KMS_RESPONSE', `The answer to GetPublicKey: ${name} is no list of texts`)
}
