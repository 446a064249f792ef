import { createHash, type KeyObject } from 'node:crypto'
import type { Grant } from './grant.ts'
import { KEY_SPECS, type KeyUsageType } from './key-material.ts'
import type { PolicyDocument } from './policy-document.ts'

export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion'

/** One KMS key with everything that belongs to it. Symmetric keys keep all their material. */
export interface KmsKey {
  readonly keyId: string
  readonly accountId: string
  readonly arn: string
  readonly keySpec: string
  readonly keyUsage: KeyUsageType
  readonly origin: string
  readonly multiRegion: boolean
  readonly description: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  state: KeyState
  /** Milliseconds since 1970, while deletion is pending. */
  deletionDate: number | undefined
  policy: PolicyDocument
  /** The policy exactly as it was given. */
  policyText: string
  grants: Grant[]
  /** Backing keys of a symmetric key, the current one last; empty for an asymmetric key. */
  materials: Uint8Array[]
  /** The private key of an asymmetric key. */
  readonly privateKey: KeyObject | undefined
}

/** Stands in a ciphertext for the backing key that made it. */
export function backingKeyHash(material: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update('backing key').update(material).digest())
}

/** `KeyMaterialId`: 64 hex digits. */
export function keyMaterialId(material: Uint8Array): string {
  return createHash('sha256').update('key material').update(material).digest('hex')
}

/** `KeyMetadata` of DescribeKey and CreateKey. */
export function keyMetadata(key: KmsKey): Record<string, unknown> {
  const material = key.materials.at(-1)
  return {
    AWSAccountId: key.accountId,
    Arn: key.arn,
    CreationDate: key.createdAt / 1000,
    ...(material === undefined ? {} : { CurrentKeyMaterialId: keyMaterialId(material) }),
    CustomerMasterKeySpec: key.keySpec,
    ...(key.deletionDate === undefined ? {} : { DeletionDate: key.deletionDate / 1000 }),
    Description: key.description,
    Enabled: key.state === 'Enabled',
    KeyId: key.keyId,
    KeyManager: 'CUSTOMER',
    KeySpec: key.keySpec,
    KeyState: key.state,
    KeyUsage: key.keyUsage,
    MultiRegion: key.multiRegion,
    ...(key.multiRegion
      ? {
          MultiRegionConfiguration: {
            MultiRegionKeyType: 'PRIMARY',
            PrimaryKey: { Arn: key.arn, Region: key.arn.split(':')[3] },
            ReplicaKeys: [],
          },
        }
      : {}),
    Origin: key.origin,
    ...algorithmsOf(key),
  }
}

/** The algorithms that the usage of a key leaves, under the name that KMS gives them. */
export function algorithmsOf(
  key: Pick<KmsKey, 'keyUsage' | 'keySpec'>,
): Record<string, readonly string[]> {
  const spec = KEY_SPECS[key.keySpec]
  switch (key.keyUsage) {
    case 'ENCRYPT_DECRYPT':
      return { EncryptionAlgorithms: spec?.encryptionAlgorithms ?? [] }
    case 'SIGN_VERIFY':
      return { SigningAlgorithms: spec?.signingAlgorithms ?? [] }
    case 'KEY_AGREEMENT':
      return { KeyAgreementAlgorithms: ['ECDH'] }
  }
}
