import { base64, materialMember, type Call, type Outcome } from '../call.ts'
import { backingKeyOf, openBlob, sealBlob } from '../ciphertext-blob.ts'
import { invalidCiphertext, invalidKeyUsage, KmsException, validation } from '../exception.ts'
import { backingKeyHash, type KmsKey } from '../key.ts'
import { decryptOaep, encryptOaep } from '../key-material.ts'

const ALGORITHMS = ['SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE']

/** Encrypt. */
export function encrypt(call: Call): Outcome {
  const { input } = call
  const key = call.key()
  const plaintext = input.blob('Plaintext', 1, 4096)
  const algorithm = input.optionalOneOf('EncryptionAlgorithm', ALGORITHMS) ?? 'SYMMETRIC_DEFAULT'
  const encryptionContext = call.encryptionContext()
  const conditions = { 'kms:EncryptionAlgorithm': algorithm }
  call.authorize('Encrypt', key, { encryptionContext, conditions })
  requireCipher(key, algorithm, encryptionContext, 'Encrypt')
  call.requireEnabled(key)
  call.endDryRun()
  return {
    body: {
      CiphertextBlob: base64(encryptUnder(key, algorithm, plaintext, encryptionContext)),
      EncryptionAlgorithm: algorithm,
      KeyId: key.arn,
    },
  }
}

/** Decrypt, with Recipient or without. */
export function decrypt(call: Call): Outcome {
  const algorithm =
    call.input.optionalOneOf('EncryptionAlgorithm', ALGORITHMS) ?? 'SYMMETRIC_DEFAULT'
  const blob = call.input.blob('CiphertextBlob', 1, 6144)
  const opened = decryptBlob(call, {
    operation: 'Decrypt',
    keyMember: 'KeyId',
    contextMember: 'EncryptionContext',
    algorithm,
    blob,
  })
  return {
    body: {
      EncryptionAlgorithm: algorithm,
      KeyId: opened.key.arn,
      ...materialMember(opened.material),
    },
    secret: { member: 'Plaintext', octets: opened.plaintext },
  }
}

/** ReEncrypt: there is no Recipient for it. */
export function reEncrypt(call: Call): Outcome {
  const { input } = call
  const from = input.optionalOneOf('SourceEncryptionAlgorithm', ALGORITHMS) ?? 'SYMMETRIC_DEFAULT'
  const to =
    input.optionalOneOf('DestinationEncryptionAlgorithm', ALGORITHMS) ?? 'SYMMETRIC_DEFAULT'
  const destination = call.key('DestinationKeyId')
  const encryptionContext = call.encryptionContext('DestinationEncryptionContext')
  const conditions = { 'kms:EncryptionAlgorithm': to }
  const opened = decryptBlob(call, {
    operation: 'ReEncryptFrom',
    keyMember: 'SourceKeyId',
    contextMember: 'SourceEncryptionContext',
    algorithm: from,
    blob: input.blob('CiphertextBlob', 1, 6144),
    beforeOpen: () => {
      call.authorize('ReEncryptTo', destination, { encryptionContext, conditions })
      requireCipher(destination, to, encryptionContext, 'ReEncrypt')
      call.requireEnabled(destination)
    },
  })
  const { key, plaintext } = opened
  return {
    body: {
      CiphertextBlob: base64(encryptUnder(destination, to, plaintext, encryptionContext)),
      SourceKeyId: key.arn,
      KeyId: destination.arn,
      SourceEncryptionAlgorithm: from,
      DestinationEncryptionAlgorithm: to,
    },
  }
}

interface BlobRequest {
  readonly operation: 'Decrypt' | 'ReEncryptFrom'
  readonly keyMember: string
  readonly contextMember: string
  readonly algorithm: string
  readonly blob: Uint8Array
  readonly beforeOpen?: () => void
}

function decryptBlob(
  call: Call,
  request: BlobRequest,
): { key: KmsKey; plaintext: Uint8Array; material: Uint8Array | undefined } {
  const { algorithm, blob, operation } = request
  const encryptionContext = call.encryptionContext(request.contextMember)
  const isNamed = call.input.has(request.keyMember)
  if (algorithm !== 'SYMMETRIC_DEFAULT' && !isNamed) {
    throw validation(`${request.keyMember} is required for ${algorithm}.`)
  }
  const hash = backingKeyOf(blob)
  const found = hash === undefined ? undefined : call.ring.byMaterial(hash)
  if (!isNamed && hash === undefined) throw invalidCiphertext()
  const key = isNamed ? call.key(request.keyMember) : found?.key
  if (key === undefined) {
    throw new KmsException(
      'AccessDeniedException',
      'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    )
  }
  const conditions = { 'kms:EncryptionAlgorithm': algorithm }
  call.authorize(operation, key, { encryptionContext, conditions })
  requireCipher(key, algorithm, encryptionContext, operation)
  call.requireEnabled(key)
  request.beforeOpen?.()
  call.endDryRun()
  if (key.privateKey !== undefined) {
    const plaintext = decryptOaep(key.privateKey, algorithm, blob)
    return { key, plaintext, material: undefined }
  }
  if (found === undefined) throw invalidCiphertext()
  if (found.key !== key) {
    throw new KmsException(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    )
  }
  const plaintext = openBlob(found.material, blob, encryptionContext)
  if (plaintext === undefined) throw invalidCiphertext()
  return { key, plaintext, material: found.material }
}

/** Encrypts under a key that `requireCipher` let pass. */
export function encryptUnder(
  key: KmsKey,
  algorithm: string,
  plaintext: Uint8Array,
  encryptionContext: Readonly<Record<string, string>>,
): Uint8Array {
  if (key.privateKey !== undefined) return encryptOaep(key.privateKey, algorithm, plaintext)
  const material = key.materials.at(-1) ?? new Uint8Array()
  return sealBlob(material, backingKeyHash(material), plaintext, encryptionContext)
}

/** @throws KmsException where the key is not one for this algorithm. */
export function requireCipher(
  key: KmsKey,
  algorithm: string,
  encryptionContext: Readonly<Record<string, string>>,
  operation: string,
): void {
  if (key.keyUsage !== 'ENCRYPT_DECRYPT') {
    throw invalidKeyUsage(key.arn, key.keyUsage, operation.replace('From', ''))
  }
  const isSymmetric = key.keySpec === 'SYMMETRIC_DEFAULT'
  if (isSymmetric !== (algorithm === 'SYMMETRIC_DEFAULT') || algorithm === 'SM2PKE') {
    throw new KmsException(
      'InvalidKeyUsageException',
      `Algorithm ${algorithm} is not compatible with key spec ${key.keySpec}.`,
    )
  }
  if (!isSymmetric && Object.keys(encryptionContext).length > 0) {
    throw validation('EncryptionContext is not supported with an asymmetric key.')
  }
}
