import { ofLength, type SecretLength } from '../attested-call.ts'
import { BoundKey } from '../bound-key.ts'
import { refuseUnknown, type KmsClientOptions } from '../client-options.ts'
import { KmsError } from '../error.ts'
import { RecipientSource } from '../recipient.ts'
import type { RecipientLease } from '../recipient-term.ts'
import {
  boundInput,
  checkAnsweredKeys,
  checkRequest,
  operationOf,
  type Members,
} from './operation.ts'
import { EnclaveRequestHandler } from './request-handler.ts'

/** What is used of a `KMSClient` of the AWS SDK for JavaScript v3. */
export interface AwsKmsClient {
  readonly config: object
  readonly middlewareStack: { add(middleware: unknown, options: unknown): void }
  destroy(): void
}

/** A middleware at the first of the SDK's steps: what the caller gave goes in, what the caller gets comes out. */
type Middleware = (
  next: (args: { input: Members }) => Promise<{ output: Members }>,
  context: { readonly commandName?: unknown },
) => (args: { input: Members }) => Promise<{ output: Members }>

/** Options of {@link attestKmsClient}: those of `createKmsClient` that are not the SDK's own business. */
export interface AttestKmsClientOptions extends Omit<
  KmsClientOptions,
  'credentials' | 'maxAttempts' | 'now' | 'deadline' | 'connect' | 'dangerouslyUnboundKey'
> {
  /** Streams to KMS. The client then speaks TLS in this process, by our rules and roots, whatever handler it had. */
  readonly connect?: KmsClientOptions['connect']
  /**
   * Keeps the request handler that the client has, in the place of `connect`: with the trust in certificates that it has, which an
   * environment variable can change. Each call then has a key of its own. Default: refused.
   */
  readonly dangerouslyKeepRequestHandler?: boolean
}

/** Options of `createKmsClient` that are the SDK's business here. */
const FOREIGN = ['credentials', 'maxAttempts', 'now', 'deadline', 'dangerouslyUnboundKey']
const SECRETS = ['Plaintext', 'PrivateKeyPlaintext', 'SharedSecret']

/**
 * Turns a `KMSClient` of the AWS SDK for JavaScript v3 into an attested one: from then on its Decrypt, GenerateDataKey,
 * GenerateDataKeyPair, GenerateRandom and DeriveSharedSecret send `Recipient`, and have the opened bytes where the SDK would
 * have the plaintext. Signing, credentials and attempts remain the SDK's.
 *
 * Every operation is held to the one key: `KeyId` is filled in (`SourceKeyId` and `DestinationKeyId` of ReEncrypt as well), another
 * key, a bare id or an alias in its place is a `TypeError`, and the key that an answer names is compared. Symmetric operations
 * want an `EncryptionContext`, which the SDK's types do not ask for; to have none say
 * `EncryptionContext: NO_ENCRYPTION_CONTEXT as never`. Else the operations that KMS cannot attest pass as they are.
 *
 * A client with `cacheMiddleware` is refused: the SDK would keep for its calls what they went with before. A call is refused
 * when the client's request handler was replaced, or when `Recipient` did not come as far as it.
 *
 * Calls may throw {@link KmsError} beside the SDK's errors: `ERR_KMS_UNATTESTED_PLAINTEXT`, `ERR_KMS_CMS`, `ERR_KMS_KEY_MISMATCH`,
 * `ERR_KMS_EVIDENCE`, `ERR_KMS_RESPONSE`, `ERR_KMS_PLAINTEXT_LENGTH`, and those of the connection.
 *
 * @returns the same client; its `destroy` ends keys and sockets
 * @throws {TypeError} naming the option, or what the client has that cannot be made safe
 * @example
 * ```ts
 * import { KMSClient } from '@aws-sdk/client-kms'
 * import { defaultConnect, defaultGetEvidence } from '@enclavejs/kms-enclave'
 * import { attestKmsClient } from '@enclavejs/kms-enclave/aws-sdk'
 *
 * const keyArn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
 * const kms = attestKmsClient(new KMSClient({ region: 'eu-west-1' }), {
 *   keyArn,
 *   connect: defaultConnect,
 *   getEvidence: defaultGetEvidence,
 * })
 * ```
 */
export function attestKmsClient<T extends AwsKmsClient>(
  client: T,
  given: AttestKmsClientOptions,
): T {
  const options = refuseUnknown(given, 'attestKmsClient', ['dangerouslyKeepRequestHandler'])
  const foreign = FOREIGN.find((name) => Object.hasOwn(options, name))
  if (foreign !== undefined) throw new TypeError(`attestKmsClient takes no option ${foreign}`)
  const { connect, dangerouslyKeepRequestHandler: keep = false } = options
  if ((connect === undefined) !== keep) {
    throw new TypeError('either connect or dangerouslyKeepRequestHandler: true must be given')
  }
  refuseUnsafe(client)
  const key = new BoundKey(options)
  const handler =
    connect === undefined
      ? undefined
      : new EnclaveRequestHandler(key.host, { ...options, connect }, (target, body) =>
          checkRequest(target, body, key),
        )
  const { getEvidence, singleUse, maxAgeMs, maxCalls, modulusLength, evidenceDeadlineMs } = options
  const source = new RecipientSource({
    getEvidence,
    singleUse: keep || singleUse === true,
    ...(maxAgeMs !== undefined && { maxAgeMs }),
    ...(maxCalls !== undefined && { maxCalls }),
    ...(modulusLength !== undefined && { modulusLength }),
    ...(evidenceDeadlineMs !== undefined && { evidenceDeadlineMs }),
  })
  addMiddleware(client, key, source, handler)
  if (handler !== undefined) {
    const config = client.config as { requestHandler?: { destroy?(): void } }
    const before = config.requestHandler
    config.requestHandler = handler
    before?.destroy?.()
  }
  const destroy = client.destroy.bind(client)
  client.destroy = () => {
    source.close()
    destroy()
  }
  return client
}

/** With this setting the SDK keeps what it made of a command, its middleware and its handler, for all later calls. */
function refuseUnsafe(client: AwsKmsClient): void {
  const { cacheMiddleware } = client.config as { cacheMiddleware?: unknown }
  const { handlers } = client as { handlers?: unknown }
  if ((cacheMiddleware ?? false) !== false || handlers !== undefined) {
    throw new TypeError(
      'The client has cacheMiddleware: calls like those before would go as they went then, without Recipient and over another TLS. Make it without',
    )
  }
}

function addMiddleware(
  client: AwsKmsClient,
  key: BoundKey,
  source: RecipientSource,
  handler: EnclaveRequestHandler | undefined,
): void {
  const attest: Middleware = (next, { commandName }) => {
    const name = String(commandName).replace(/Command$/, '')
    const operation = operationOf(name)
    // The SDK has just taken the handler out of the configuration.
    const { requestHandler } = client.config as { requestHandler?: unknown }
    const replaced = handler !== undefined && requestHandler !== handler
    return async (args) => {
      if (replaced) {
        throw new TypeError(
          'The request handler was replaced after attestKmsClient: its TLS is unknown',
        )
      }
      const input = boundInput(args.input, operation, key)
      const { secret } = operation
      if (secret === undefined) {
        const result = await next({ ...args, input })
        checkAnsweredKeys(name, operation, result.output, key)
        return result
      }
      for (let again = true; ; again = false) {
        const lease = await source.acquire()
        try {
          const given = { ...args, input: { ...input, Recipient: recipient(lease) } }
          const result = await next(given)
          const sealed = sealedOf(name, result.output)
          checkAnsweredKeys(name, operation, result.output, key)
          const opened = ofLength(name, await lease.open(sealed), lengthOf(name, input))
          const { CiphertextForRecipient: _sealed, ...output } = result.output
          return { ...result, output: { ...output, [secret]: opened } }
        } catch (error) {
          if (!again) throw error
          if (isTooOld(error)) lease.retire()
          else if (!isDestroyed(error)) throw error
        } finally {
          lease.release()
        }
      }
    }
  }
  const options = { step: 'initialize', name: 'enclavejsAttest', priority: 'high' }
  client.middlewareStack.add(attest, options)
}

function recipient({ document }: RecipientLease): Members {
  return { AttestationDocument: document, KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }
}

/** What was sealed for this process; refuses an answer that has a secret in the clear. */
function sealedOf(name: string, output: Members): Uint8Array {
  for (const one of SECRETS) {
    const value = output[one] as { length?: number } | undefined
    if (value !== undefined && value !== null && value.length !== 0) {
      throw new KmsError(
        'ERR_KMS_UNATTESTED_PLAINTEXT',
        `The answer to ${name} has ${one} in the clear, although Recipient was sent: what answered does not attest; the result was discarded`,
      )
    }
  }
  const sealed = output['CiphertextForRecipient']
  if (sealed instanceof Uint8Array && sealed.length > 0) return sealed
  throw new KmsError('ERR_KMS_RESPONSE', `The answer to ${name}: CiphertextForRecipient is missing`)
}

/** The length that was asked for, or the bounds of the operation. */
function lengthOf(name: string, { KeySpec, NumberOfBytes }: Members): SecretLength {
  if (name === 'GenerateDataKey' && KeySpec !== undefined) return KeySpec === 'AES_128' ? 16 : 32
  if (name === 'DeriveSharedSecret') return { least: 1, most: 128 }
  const counted = name === 'GenerateDataKey' || name === 'GenerateRandom'
  return counted && typeof NumberOfBytes === 'number' ? NumberOfBytes : { least: 1, most: 4096 }
}

/** Another call's bad answer destroyed the key that both had. */
function isDestroyed(error: unknown): boolean {
  return error instanceof KmsError && error.code === 'ERR_KMS_RECIPIENT_DESTROYED'
}

function isTooOld(error: unknown): boolean {
  const { name, message } = error as { name?: unknown; message?: unknown }
  return (
    name === 'ValidationException' && /exceeded the five-minute age limit/.test(String(message))
  )
}
