import { ofLength, type SecretLength } from '../attested-call.ts'
import { BoundKey } from '../bound-key.ts'
import { refuseUnknown, type KmsClientOptions } from '../client-options.ts'
import { KmsError } from '../error.ts'
import { RecipientSource } from '../recipient.ts'
import type { RecipientLease } from '../recipient-term.ts'
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

type Members = Record<string, unknown>

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

/** The operations that take `Recipient`, the member that their secret belongs in, and whether they name a key. */
const ATTESTED = new Map<string, { readonly secret: string; readonly keyed: boolean }>([
  ['DecryptCommand', { secret: 'Plaintext', keyed: true }],
  ['GenerateDataKeyCommand', { secret: 'Plaintext', keyed: true }],
  ['GenerateDataKeyPairCommand', { secret: 'PrivateKeyPlaintext', keyed: true }],
  ['GenerateRandomCommand', { secret: 'Plaintext', keyed: false }],
  ['DeriveSharedSecretCommand', { secret: 'SharedSecret', keyed: true }],
])
/** Options of `createKmsClient` that are the SDK's business here. */
const FOREIGN = ['credentials', 'maxAttempts', 'now', 'deadline', 'dangerouslyUnboundKey']
const SECRETS = ['Plaintext', 'PrivateKeyPlaintext', 'SharedSecret']

/**
 * Turns a `KMSClient` of the AWS SDK for JavaScript v3 into an attested one: from then on its Decrypt, GenerateDataKey,
 * GenerateDataKeyPair, GenerateRandom and DeriveSharedSecret send `Recipient`, and have the opened bytes where the SDK would
 * have the plaintext. `KeyId` is filled in, and compared in the answer. Other operations pass as they are. Signing,
 * credentials and attempts remain the SDK's.
 *
 * The SDK's types ask for no encryption context; give one nevertheless.
 *
 * Calls may throw {@link KmsError} beside the SDK's errors: `ERR_KMS_UNATTESTED_PLAINTEXT`, `ERR_KMS_CMS`, `ERR_KMS_KEY_MISMATCH`,
 * `ERR_KMS_EVIDENCE`, `ERR_KMS_RESPONSE`, `ERR_KMS_PLAINTEXT_LENGTH`, and those of the connection.
 *
 * @returns the same client; its `destroy` ends keys and sockets
 * @throws {TypeError} naming the option
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
  const key = new BoundKey(options)
  const { getEvidence, singleUse, maxAgeMs, maxCalls, modulusLength, evidenceDeadlineMs } = options
  const source = new RecipientSource({
    getEvidence,
    singleUse: keep || singleUse === true,
    ...(maxAgeMs !== undefined && { maxAgeMs }),
    ...(maxCalls !== undefined && { maxCalls }),
    ...(modulusLength !== undefined && { modulusLength }),
    ...(evidenceDeadlineMs !== undefined && { evidenceDeadlineMs }),
  })
  if (connect !== undefined) {
    const config = client.config as { requestHandler?: { destroy?(): void } }
    const before = config.requestHandler
    config.requestHandler = new EnclaveRequestHandler(key.host, { ...options, connect })
    before?.destroy?.()
  }
  addMiddleware(client, key, source)
  const destroy = client.destroy.bind(client)
  client.destroy = () => {
    source.close()
    destroy()
  }
  return client
}

function addMiddleware(client: AwsKmsClient, key: BoundKey, source: RecipientSource): void {
  const attest: Middleware = (next, { commandName }) => {
    const command = String(commandName)
    const operation = ATTESTED.get(command)
    if (operation === undefined) return next
    const name = command.replace(/Command$/, '')
    return async (args) => {
      const input = bind(args.input, key, operation.keyed)
      for (let again = true; ; again = false) {
        const lease = await source.acquire()
        try {
          const given = { ...args, input: { ...input, Recipient: recipient(lease) } }
          const result = await next(given)
          return {
            ...result,
            output: await open(name, input, result.output, lease, key, operation),
          }
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

function bind(input: Members, key: BoundKey, keyed: boolean): Members {
  if (input['Recipient'] !== undefined) {
    throw new TypeError('Recipient must be left out: attestKmsClient fills it in')
  }
  if (!keyed) return input
  if (input['KeyId'] !== undefined && input['KeyId'] !== key.keyId) {
    throw new TypeError(`KeyId must be left out, or be ${key.keyId}`)
  }
  return { ...input, KeyId: key.keyId }
}

function recipient({ document }: RecipientLease): Members {
  return { AttestationDocument: document, KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }
}

async function open(
  name: string,
  input: Members,
  { CiphertextForRecipient: sealed, ...output }: Members,
  lease: RecipientLease,
  key: BoundKey,
  { secret, keyed }: { readonly secret: string; readonly keyed: boolean },
): Promise<Members> {
  for (const one of SECRETS) {
    const value = output[one] as { length?: number } | undefined
    if (value !== undefined && value !== null && value.length !== 0) {
      throw new KmsError(
        'ERR_KMS_UNATTESTED_PLAINTEXT',
        `The answer to ${name} has ${one} in the clear, although Recipient was sent: what answered does not attest; the result was discarded`,
      )
    }
  }
  if (!(sealed instanceof Uint8Array) || sealed.length === 0) {
    throw new KmsError(
      'ERR_KMS_RESPONSE',
      `The answer to ${name}: CiphertextForRecipient is missing`,
    )
  }
  if (keyed) key.check(name, String(output['KeyId']))
  const opened = await lease.open(sealed)
  return { ...output, [secret]: ofLength(name, opened, lengthOf(name, input)) }
}

/** The length that was asked for, or the bounds of the operation. */
function lengthOf(name: string, { KeySpec, NumberOfBytes }: Members): SecretLength {
  if (name === 'GenerateDataKey' && KeySpec !== undefined) return KeySpec === 'AES_128' ? 16 : 32
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
