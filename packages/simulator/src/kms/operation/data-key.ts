import { randomBytes } from 'node:crypto'
import { base64, materialMember, type Call, type Outcome } from '../call.ts'
import { unsupported, validation } from '../exception.ts'
import type { KmsKey } from '../key.ts'
import { exportPrivateKey, generatePrivateKey, spki } from '../key-material.ts'
import { encryptUnder, requireCipher } from './encryption.ts'

const KEY_PAIR_SPECS = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
  'SM2',
  'ECC_NIST_EDWARDS25519',
]

/** GenerateDataKey, with Recipient or without. */
export function generateDataKey(call: Call): Outcome {
  return makeDataKey(call, 'GenerateDataKey', true)
}

export function generateDataKeyWithoutPlaintext(call: Call): Outcome {
  return makeDataKey(call, 'GenerateDataKeyWithoutPlaintext', false)
}

/** GenerateDataKeyPair, with Recipient or without; the private key goes out as PKCS#8. */
export function generateDataKeyPair(call: Call): Promise<Outcome> {
  return makeDataKeyPair(call, 'GenerateDataKeyPair', true)
}

export function generateDataKeyPairWithoutPlaintext(call: Call): Promise<Outcome> {
  return makeDataKeyPair(call, 'GenerateDataKeyPairWithoutPlaintext', false)
}

/** GenerateRandom, with Recipient or without. */
export function generateRandom(call: Call): Outcome {
  const count = call.input.optionalInteger('NumberOfBytes', 1, 1024)
  if (count === undefined) throw validation('Number of bytes must be specified.')
  if (call.input.has('CustomKeyStoreId')) throw unsupported('There are no custom key stores here.')
  call.authorize('GenerateRandom')
  return { body: {}, secret: { member: 'Plaintext', octets: new Uint8Array(randomBytes(count)) } }
}

function makeDataKey(call: Call, operation: string, withPlaintext: boolean): Outcome {
  const { input } = call
  const key = call.key()
  const keySpec = input.optionalOneOf('KeySpec', ['AES_256', 'AES_128'])
  const count = input.optionalInteger('NumberOfBytes', 1, 1024)
  if ((keySpec === undefined) === (count === undefined)) {
    throw validation('Please specify either number of bytes or key spec.')
  }
  const encryptionContext = readyForWrapping(call, key, operation, {})
  const octets = new Uint8Array(randomBytes(count ?? (keySpec === 'AES_256' ? 32 : 16)))
  return {
    body: {
      CiphertextBlob: base64(encryptUnder(key, 'SYMMETRIC_DEFAULT', octets, encryptionContext)),
      KeyId: key.arn,
      ...materialMember(key.materials.at(-1)),
    },
    secret: withPlaintext ? { member: 'Plaintext', octets } : undefined,
  }
}

async function makeDataKeyPair(
  call: Call,
  operation: string,
  withPlaintext: boolean,
): Promise<Outcome> {
  const key = call.key()
  const keyPairSpec = call.input.oneOf('KeyPairSpec', KEY_PAIR_SPECS)
  const encryptionContext = readyForWrapping(call, key, operation, {
    'kms:DataKeyPairSpec': keyPairSpec,
  })
  const privateKey = await generatePrivateKey(keyPairSpec)
  const octets = exportPrivateKey(privateKey)
  const wrapped = encryptUnder(key, 'SYMMETRIC_DEFAULT', octets, encryptionContext)
  return {
    body: {
      PrivateKeyCiphertextBlob: base64(wrapped),
      PublicKey: base64(spki(privateKey)),
      KeyPairSpec: keyPairSpec,
      KeyId: key.arn,
      ...materialMember(key.materials.at(-1)),
    },
    secret: withPlaintext ? { member: 'PrivateKeyPlaintext', octets } : undefined,
  }
}

/** Everything that comes before a data key is made; gives the encryption context. */
function readyForWrapping(
  call: Call,
  key: KmsKey,
  operation: string,
  conditions: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const encryptionContext = call.encryptionContext()
  call.authorize(operation, key, {
    encryptionContext,
    conditions: { ...conditions, 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT' },
  })
  requireCipher(key, 'SYMMETRIC_DEFAULT', encryptionContext, operation)
  call.requireEnabled(key)
  call.endDryRun()
  return encryptionContext
}
