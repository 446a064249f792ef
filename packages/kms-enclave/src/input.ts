import type { EncryptionContext, NO_ENCRYPTION_CONTEXT } from './encryption-context.ts'

/** Members that most operations take, as in the API. */
export interface GrantInput {
  /** At most ten. */
  readonly GrantTokens?: readonly string[]
  /** Only asks whether the call would be allowed: it then fails with `DryRunOperationException`. */
  readonly DryRun?: boolean
}

/** The context of a symmetric key: given, or declined by name. */
export interface SymmetricInput {
  readonly EncryptionContext: EncryptionContext | typeof NO_ENCRYPTION_CONTEXT
}

export type AsymmetricEncryptionAlgorithm = 'RSAES_OAEP_SHA_1' | 'RSAES_OAEP_SHA_256' | 'SM2PKE'

/** A key pair's algorithms know no encryption context. */
export interface AsymmetricInput {
  readonly EncryptionAlgorithm: AsymmetricEncryptionAlgorithm
  readonly EncryptionContext?: never
}

export interface SymmetricAlgorithm extends SymmetricInput {
  readonly EncryptionAlgorithm?: 'SYMMETRIC_DEFAULT'
}

export type DecryptInput = GrantInput & {
  /** 1 to 6144 bytes. */
  readonly CiphertextBlob: Uint8Array
} & (SymmetricAlgorithm | AsymmetricInput)

export type EncryptInput = GrantInput & {
  /** 1 to 4096 bytes. */
  readonly Plaintext: Uint8Array
} & (SymmetricAlgorithm | AsymmetricInput)

export type GenerateDataKeyInput = GrantInput &
  SymmetricInput &
  (
    | { readonly KeySpec: 'AES_256' | 'AES_128'; readonly NumberOfBytes?: never }
    | {
        /** 1 to 1024. */
        readonly NumberOfBytes: number
        readonly KeySpec?: never
      }
  )

export type DataKeyPairSpec =
  | 'RSA_2048'
  | 'RSA_3072'
  | 'RSA_4096'
  | 'ECC_NIST_P256'
  | 'ECC_NIST_P384'
  | 'ECC_NIST_P521'
  | 'ECC_SECG_P256K1'
  | 'SM2'
  | 'ECC_NIST_EDWARDS25519'

export type GenerateDataKeyPairInput = GrantInput &
  SymmetricInput & { readonly KeyPairSpec: DataKeyPairSpec }

export interface GenerateRandomInput {
  /** 1 to 1024. */
  readonly NumberOfBytes: number
}

export interface DeriveSharedSecretInput extends GrantInput {
  /** `ECDH`, the only one there is. */
  readonly KeyAgreementAlgorithm?: 'ECDH'
  /** The other side's public key, DER SubjectPublicKeyInfo, at most 8192 bytes. */
  readonly PublicKey: Uint8Array
}

/** What every call takes beside its input. */
export interface CallOptions {
  /** Ends the call; it is then rejected with the signal's reason. */
  readonly signal?: AbortSignal
}
