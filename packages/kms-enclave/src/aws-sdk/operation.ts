import type { BoundKey } from '../bound-key.ts'
import { readEncryptionContext, type NO_ENCRYPTION_CONTEXT } from '../encryption-context.ts'
import { ownMembers } from '../own-members.ts'

/** Members of an input or an output of the SDK. */
export type Members = Record<string, unknown>

/** What an operation of KMS is held to. */
export interface Operation {
  /** Of those that take `Recipient`: the member that the secret belongs in. */
  readonly secret?: string
  /** Members of the input that name the key; they are filled in. */
  readonly keys: readonly string[]
  /** Members of the input that are an encryption context, each with the one that says what cipher it is for, if any does. */
  readonly contexts: readonly (readonly [context: string, algorithm?: string])[]
  /** Members of the output that must be there, and be the key's ARN. */
  readonly answered: readonly string[]
}

const CONTEXT = ['EncryptionContext'] as const
const CIPHER = ['EncryptionContext', 'EncryptionAlgorithm'] as const

function keyed(contexts: Operation['contexts'] = [], secret?: string): Operation {
  const operation = { keys: ['KeyId'], contexts, answered: ['KeyId'] }
  return secret === undefined ? operation : { ...operation, secret }
}

const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['Decrypt', keyed([CIPHER], 'Plaintext')],
  ['GenerateDataKey', keyed([CONTEXT], 'Plaintext')],
  ['GenerateDataKeyPair', keyed([CONTEXT], 'PrivateKeyPlaintext')],
  ['DeriveSharedSecret', keyed([], 'SharedSecret')],
  ['GenerateRandom', { secret: 'Plaintext', keys: [], contexts: [], answered: [] }],
  ['Encrypt', keyed([CIPHER])],
  ['GenerateDataKeyWithoutPlaintext', keyed([CONTEXT])],
  ['GenerateDataKeyPairWithoutPlaintext', keyed([CONTEXT])],
  [
    'ReEncrypt',
    {
      keys: ['SourceKeyId', 'DestinationKeyId'],
      contexts: [
        ['SourceEncryptionContext', 'SourceEncryptionAlgorithm'],
        ['DestinationEncryptionContext', 'DestinationEncryptionAlgorithm'],
      ],
      answered: ['KeyId', 'SourceKeyId'],
    },
  ],
  ...[
    'GetPublicKey',
    'Sign',
    'Verify',
    'GenerateMac',
    'VerifyMac',
    'Encapsulate',
    'Decapsulate',
  ].map((name) => [name, keyed()] as const),
  ['DescribeKey', { keys: ['KeyId'], contexts: [], answered: [] }],
])

/** Of what is not named above: a key that is given must be the client's, and an answer about a key must be about it. */
const OTHER: Operation = { keys: [], contexts: [], answered: [] }

/** What the operation of that name is held to. */
export function operationOf(name: string): Operation {
  return OPERATIONS.get(name) ?? OTHER
}

/** Members of any input that name a key. */
const KEY_MEMBERS = ['KeyId', 'TargetKeyId', 'SourceKeyId', 'DestinationKeyId']
const ASYMMETRIC = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE']

/**
 * The input as it is to be sent: about the client's key, with a context that was given or declined by name.
 *
 * @throws {TypeError} naming the member
 */
export function boundInput(given: Members, { keys, contexts }: Operation, key: BoundKey): Members {
  const bound = ownMembers(given)
  if (bound['Recipient'] !== undefined) {
    throw new TypeError('Recipient must be left out: attestKmsClient fills it in')
  }
  for (const name of KEY_MEMBERS) {
    if (bound[name] !== undefined && bound[name] !== key.keyId) {
      throw new TypeError(`${name} must be left out, or be ${key.keyId}`)
    }
  }
  for (const name of keys) bound[name] = key.keyId
  for (const [name, algorithm] of contexts) bindContext(bound, name, algorithm)
  return { ...bound }
}

function bindContext(bound: Members, name: string, algorithm: string | undefined): void {
  const cipher = algorithm === undefined ? undefined : bound[algorithm]
  if (ASYMMETRIC.includes(cipher as string)) {
    if (bound[name] === undefined) return
    throw new TypeError(`${name} does not go with ${String(cipher)}`)
  }
  const context = readEncryptionContext(bound[name] as typeof NO_ENCRYPTION_CONTEXT, name)
  if (context === undefined) delete bound[name]
  else bound[name] = context
}

/**
 * Compares the keys that an answer names with the client's.
 *
 * @throws {KmsError} `ERR_KMS_KEY_MISMATCH`
 */
export function checkAnsweredKeys(
  name: string,
  { answered }: Operation,
  output: Members,
  key: BoundKey,
): void {
  for (const member of answered) key.check(name, textOf(output[member]))
  if (name === 'DescribeKey') {
    const metadata = output['KeyMetadata'] as Members | undefined
    key.check(name, textOf(metadata?.['Arn']))
  }
  // What looks after keys may answer with the id alone.
  if (output['KeyId'] === undefined || answered.includes('KeyId')) return
  const keyId = textOf(output['KeyId'])
  if (!key.keyId.endsWith(`/${keyId}`)) key.check(name, keyId)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/**
 * Refuses what is about to leave without `Recipient`, or for another key: the SDK's middleware can be taken out, or
 * change what ours made.
 *
 * @param target The header `X-Amz-Target`
 * @throws {TypeError}
 */
export function checkRequest(target: string | undefined, body: string, key: BoundKey): void {
  const name = /^TrentService\.(\w+)$/.exec(target ?? '')?.[1]
  if (name === undefined) throw new TypeError('A request to KMS must name its operation')
  const { secret, keys } = operationOf(name)
  const members = read(body)
  if (secret !== undefined && members['Recipient'] === undefined) {
    throw new TypeError(
      `${name} was about to be sent without Recipient: the middleware enclavejsAttest was left out, by a stack that was copied or changed`,
    )
  }
  for (const member of KEY_MEMBERS) {
    const value = members[member]
    if (value === key.keyId || (value === undefined && !keys.includes(member))) continue
    throw new TypeError(`${name} was about to be sent with another ${member} than ${key.keyId}`)
  }
}

function read(body: string): Members {
  try {
    return ownMembers(JSON.parse(body) as Members)
  } catch {
    // The parser's own message would quote the body.
    throw new TypeError('A request to KMS must be JSON')
  }
}
