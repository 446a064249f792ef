/** Members that answers about a key have. */
export interface KeyOutput {
  /** The ARN of the key, which is the one that the client is bound to. */
  readonly KeyId: string
  /** Which material of the key was used, 64 hex digits. */
  readonly KeyMaterialId?: string
}

export interface DecryptOutput extends KeyOutput {
  /** 1 to 4096 bytes, opened in this process. Overwrite it after use. */
  readonly Plaintext: Uint8Array
  readonly EncryptionAlgorithm: string
}

export interface EncryptOutput {
  readonly KeyId: string
  readonly CiphertextBlob: Uint8Array
  readonly EncryptionAlgorithm: string
}

export interface GenerateDataKeyOutput extends KeyOutput {
  /** The data key, opened in this process, of the length asked for. Overwrite it after use. */
  readonly Plaintext: Uint8Array
  /** The same under the KMS key, to be kept. */
  readonly CiphertextBlob: Uint8Array
}

export interface GenerateDataKeyPairOutput extends KeyOutput {
  /** DER PKCS #8, opened in this process. Overwrite it after use. */
  readonly PrivateKeyPlaintext: Uint8Array
  readonly PrivateKeyCiphertextBlob: Uint8Array
  /** DER SubjectPublicKeyInfo. */
  readonly PublicKey: Uint8Array
  readonly KeyPairSpec: string
}

export interface GenerateRandomOutput {
  /** As many bytes as were asked for, opened in this process. */
  readonly Plaintext: Uint8Array
}

export interface DeriveSharedSecretOutput {
  readonly KeyId: string
  /** The raw secret: the x coordinate, 32 bytes for P-256. Overwrite it after use. */
  readonly SharedSecret: Uint8Array
  readonly KeyAgreementAlgorithm: string
  readonly KeyOrigin?: string
}

export interface GetKeyPolicyOutput {
  /** The policy, JSON. */
  readonly Policy: string
  readonly PolicyName?: string
}

/** A grant, members as in the API, dates in seconds since 1970 as they come. */
export interface Grant {
  readonly GrantId?: string
  readonly KeyId?: string
  readonly Name?: string
  readonly GranteePrincipal?: string
  readonly RetiringPrincipal?: string
  readonly IssuingAccount?: string
  readonly Operations?: readonly string[]
  readonly Constraints?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly CreationDate?: number
  readonly [member: string]: unknown
}

export interface ListGrantsOutput {
  /** All of them, of all pages. */
  readonly Grants: readonly Grant[]
  /** So that it is what `verifyKeyPolicy` takes. */
  readonly Truncated: false
}

export interface GetPublicKeyOutput {
  readonly KeyId: string
  /** DER SubjectPublicKeyInfo. */
  readonly PublicKey: Uint8Array
  readonly KeySpec: string
  readonly KeyUsage: string
  readonly EncryptionAlgorithms?: readonly string[]
  readonly SigningAlgorithms?: readonly string[]
  readonly KeyAgreementAlgorithms?: readonly string[]
}

type MetadataText = 'KeySpec' | 'KeyUsage' | 'KeyState' | 'KeyManager' | 'Origin' | 'AWSAccountId'

/** What KMS says about a key, members as in the API, dates in seconds since 1970 as they come. */
export interface KeyMetadata extends Readonly<Partial<Record<MetadataText, string>>> {
  readonly Arn: string
  readonly KeyId: string
  readonly Enabled?: boolean
  readonly MultiRegion?: boolean
  readonly [member: string]: unknown
}

export interface DescribeKeyOutput {
  readonly KeyMetadata: KeyMetadata
}
