import type { KeyObject } from 'node:crypto'
import { base64, type Call, type Outcome } from '../call.ts'
import { invalidKeyUsage, KmsException, unsupported } from '../exception.ts'
import { algorithmsOf, type KmsKey } from '../key.ts'
import { agree, KEY_SPECS, signWith, spki } from '../key-material.ts'

const SIGNING_ALGORITHMS = [
  ...new Set(Object.values(KEY_SPECS).flatMap(({ signingAlgorithms }) => signingAlgorithms)),
]

/** DeriveSharedSecret, with Recipient or without: the x coordinate. */
export function deriveSharedSecret(call: Call): Outcome {
  const key = call.key()
  call.input.oneOf('KeyAgreementAlgorithm', ['ECDH'])
  const peer = call.input.blob('PublicKey', 1, 8192)
  const conditions = { 'kms:KeyAgreementAlgorithm': 'ECDH' }
  call.authorize('DeriveSharedSecret', key, { conditions })
  const privateKey = privateKeyFor(key, 'KEY_AGREEMENT', 'DeriveSharedSecret')
  call.requireEnabled(key)
  const octets = agree(privateKey, peer)
  call.endDryRun()
  return {
    body: { KeyAgreementAlgorithm: 'ECDH', KeyId: key.arn, KeyOrigin: key.origin },
    secret: { member: 'SharedSecret', octets },
  }
}

/** Sign; KMS has no Recipient for it. */
export function signMessage(call: Call): Outcome {
  const { input } = call
  const key = call.key()
  const algorithm = input.oneOf('SigningAlgorithm', SIGNING_ALGORITHMS)
  const messageType = input.optionalOneOf('MessageType', ['RAW', 'DIGEST']) ?? 'RAW'
  const message = input.blob('Message', 1, 4096)
  call.authorize('Sign', key, {
    conditions: { 'kms:SigningAlgorithm': algorithm, 'kms:MessageType': messageType },
  })
  const privateKey = privateKeyFor(key, 'SIGN_VERIFY', 'Sign')
  if (KEY_SPECS[key.keySpec]?.signingAlgorithms.includes(algorithm) !== true) {
    throw new KmsException(
      'InvalidKeyUsageException',
      `Algorithm ${algorithm} is incompatible with key spec ${key.keySpec}.`,
    )
  }
  call.requireEnabled(key)
  call.endDryRun()
  const signature = signWith(privateKey, algorithm, message, messageType === 'DIGEST')
  return {
    body: { KeyId: key.arn, Signature: base64(signature), SigningAlgorithm: algorithm },
  }
}

export function getPublicKey(call: Call): Outcome {
  const key = call.key()
  call.authorize('GetPublicKey', key)
  if (key.privateKey === undefined) {
    throw unsupported(`${key.arn} key spec is ${key.keySpec} which is not valid for GetPublicKey.`)
  }
  call.requireEnabled(key)
  return {
    body: {
      CustomerMasterKeySpec: key.keySpec,
      KeyId: key.arn,
      KeySpec: key.keySpec,
      KeyUsage: key.keyUsage,
      PublicKey: base64(spki(key.privateKey)),
      ...algorithmsOf(key),
    },
  }
}

function privateKeyFor(key: KmsKey, usage: string, operation: string): KeyObject {
  if (key.privateKey === undefined || key.keyUsage !== usage) {
    throw invalidKeyUsage(key.arn, key.keyUsage, operation)
  }
  return key.privateKey
}
