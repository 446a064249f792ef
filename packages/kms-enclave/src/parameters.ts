import { readEncryptionContext } from './encryption-context.ts'
import type {
  DecryptInput,
  DeriveSharedSecretInput,
  EncryptInput,
  GenerateDataKeyInput,
  GenerateDataKeyPairInput,
  GenerateRandomInput,
  GrantInput,
  SymmetricInput,
} from './input.ts'

/** The JSON of a request, copied from what the caller gave. */
export type Parameters = Record<string, unknown>

const ASYMMETRIC = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE']
const KEY_SPECS = { AES_256: 32, AES_128: 16 } as const
const RANDOM_MAX = 1024

// What is sent is copied here, before anything is awaited. Names that an operation does not know are left behind.

export function decryptParameters(keyId: string | undefined, input: DecryptInput): Parameters {
  return {
    ...(keyId !== undefined && { KeyId: keyId }),
    CiphertextBlob: blob('CiphertextBlob', input.CiphertextBlob, 6144),
    ...cipher(input),
    ...grant(input),
  }
}

export function encryptParameters(keyId: string, input: EncryptInput): Parameters {
  return {
    KeyId: keyId,
    Plaintext: blob('Plaintext', input.Plaintext, 4096),
    ...cipher(input),
    ...grant(input),
  }
}

export function dataKeyParameters(
  keyId: string,
  input: GenerateDataKeyInput,
): { parameters: Parameters; length: number } {
  const { KeySpec: spec, NumberOfBytes: count } = input
  if ((spec === undefined) === (count === undefined)) {
    throw new TypeError('either KeySpec or NumberOfBytes must be given')
  }
  if (spec !== undefined && !Object.hasOwn(KEY_SPECS, spec)) {
    throw new TypeError('KeySpec must be AES_256 or AES_128')
  }
  const size = spec === undefined ? { NumberOfBytes: byteCount(count) } : { KeySpec: spec }
  return {
    parameters: { KeyId: keyId, ...size, ...context(input), ...grant(input) },
    length: spec === undefined ? byteCount(count) : KEY_SPECS[spec],
  }
}

export function dataKeyPairParameters(keyId: string, input: GenerateDataKeyPairInput): Parameters {
  return {
    KeyId: keyId,
    KeyPairSpec: text('KeyPairSpec', input.KeyPairSpec),
    ...context(input),
    ...grant(input),
  }
}

export function randomParameters(input: GenerateRandomInput): { NumberOfBytes: number } {
  return { NumberOfBytes: byteCount(input.NumberOfBytes) }
}

export function sharedSecretParameters(keyId: string, input: DeriveSharedSecretInput): Parameters {
  const { KeyAgreementAlgorithm: algorithm = 'ECDH' } = input
  if (algorithm !== 'ECDH') throw new TypeError('KeyAgreementAlgorithm must be ECDH')
  return {
    KeyId: keyId,
    KeyAgreementAlgorithm: algorithm,
    PublicKey: blob('PublicKey', input.PublicKey, 8192),
    ...grant(input),
  }
}

function cipher(input: DecryptInput | EncryptInput): Parameters {
  const { EncryptionAlgorithm: algorithm } = input
  if (algorithm === undefined || algorithm === 'SYMMETRIC_DEFAULT') {
    return {
      ...context(input as SymmetricInput),
      ...(algorithm !== undefined && { EncryptionAlgorithm: algorithm }),
    }
  }
  if (!ASYMMETRIC.includes(algorithm)) {
    throw new TypeError(
      `EncryptionAlgorithm must be SYMMETRIC_DEFAULT, ${ASYMMETRIC.slice(0, -1).join(', ')} or ${ASYMMETRIC.at(-1)}`,
    )
  }
  if (input.EncryptionContext !== undefined) {
    throw new TypeError(`EncryptionContext does not go with ${algorithm}`)
  }
  return { EncryptionAlgorithm: algorithm }
}

function context(input: SymmetricInput): Parameters {
  const copy = readEncryptionContext(input.EncryptionContext)
  return copy === undefined ? {} : { EncryptionContext: copy }
}

function grant({ GrantTokens: tokens, DryRun: dryRun }: GrantInput): Parameters {
  if (tokens !== undefined && (!Array.isArray(tokens) || tokens.length > 10)) {
    throw new TypeError('GrantTokens must be a list of at most ten texts')
  }
  if (dryRun !== undefined && typeof dryRun !== 'boolean') {
    throw new TypeError('DryRun must be true or false')
  }
  return {
    ...(tokens !== undefined && {
      GrantTokens: tokens.map((token: unknown) => text('GrantTokens', token)),
    }),
    ...(dryRun !== undefined && { DryRun: dryRun }),
  }
}

function blob(name: string, value: unknown, most: number): string {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${name} must be a Uint8Array`)
  if (value.length === 0 || value.length > most) {
    throw new RangeError(`${name} must have 1 to ${most} bytes, and has ${value.length}`)
  }
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')
}

function byteCount(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= RANDOM_MAX) {
    return value
  }
  throw new RangeError(`NumberOfBytes must be an integer of 1 to ${RANDOM_MAX}`)
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= 8192) return value
  throw new TypeError(`${name} must be a text`)
}
