import {
  createKmsClient,
  KmsError,
  KmsServiceError,
  NO_ENCRYPTION_CONTEXT,
  type EncryptionContext,
  type KmsClient,
} from '@enclavejs/kms-enclave'
import { readWay, type AttestedWay } from './aws-way.ts'
import { AcmError, type AcmErrorCode } from './error.ts'

/** Which key private keys are encrypted under. */
export interface DecryptionKey {
  /** The full ARN; or, with `region`, the bare id of a key of AWS's account. */
  readonly keyArn: string
  /** Given where `keyArn` is a bare id. */
  readonly region?: string | undefined
  /** The host of KMS. */
  readonly host: string
  /** The key is AWS's, of an associated certificate. */
  readonly associated: boolean
}

/** A KMS client for one key. Nothing is dialed yet. @throws {TypeError} naming the option */
export function openKms(way: AttestedWay, { keyArn, region, host }: DecryptionKey): KmsClient {
  const unbound =
    region === undefined ? {} : { dangerouslyUnboundKey: { region, anyAccount: true } }
  return createKmsClient({ ...readWay(way, [host]), keyArn, ...unbound })
}

/**
 * Decrypts a private key, attested. The caller overwrites what it gets.
 *
 * @throws {AcmError} `ERR_ACM_FOREIGN_KEY`, `ERR_ACM_CIPHERTEXT`, `ERR_ACM_DENIED`, `ERR_ACM_ASSOCIATED_KEY`, `ERR_ACM_KMS`,
 * `ERR_ACM_CREDENTIALS`
 */
export async function decryptPrivateKey(
  client: KmsClient,
  { associated }: DecryptionKey,
  CiphertextBlob: Uint8Array,
  context: EncryptionContext | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  try {
    const { Plaintext } = await client.decrypt(
      { CiphertextBlob, EncryptionContext: context ?? NO_ENCRYPTION_CONTEXT },
      signal === undefined ? {} : { signal },
    )
    return Plaintext
  } catch (cause) {
    if (signal?.aborted === true || !(cause instanceof KmsError)) throw cause
    throw inOurWords(cause, associated, client.keyArn)
  }
}

/** What a failure of KMS means for a certificate. */
export function inOurWords(cause: KmsError, associated: boolean, keyArn: string): AcmError {
  const make = (code: AcmErrorCode, message: string): AcmError =>
    new AcmError(code, message, { cause })
  const said = cause instanceof KmsServiceError ? cause.kmsCode : cause.code
  switch (said) {
    case 'AccessDeniedException':
      return associated
        ? make(
            'ERR_ACM_ASSOCIATED_KEY',
            "KMS refuses to decrypt the key of this associated certificate. Its KMS key is AWS's own, with a policy by attestation that probably names the image of AWS's ACM for Nitro Enclaves alone, and that nobody else can change. Serve the certificate from an own bundle: enclavejs acm publish. If this is AWS's image, look at the permissions of the role: kms:Decrypt",
          )
        : make(
            'ERR_ACM_DENIED',
            `KMS refuses to decrypt under ${keyArn}: its policy must allow kms:Decrypt to this role with the PCRs of this image (enclavejs kms explain says what is missing), and the parent must not have given other credentials`,
          )
    case 'IncorrectKeyException':
    case 'NotFoundException':
    case 'ERR_KMS_KEY_MISMATCH':
      return make(
        'ERR_ACM_FOREIGN_KEY',
        `The private key is not encrypted under ${keyArn} (${said}): the bundle is another's`,
      )
    case 'InvalidCiphertextException':
      return make(
        'ERR_ACM_CIPHERTEXT',
        'KMS cannot decrypt the private key: it was changed, or made for another ARN or version than the bundle says',
      )
    case 'UnrecognizedClientException':
    case 'ExpiredTokenException':
    case 'InvalidSignatureException':
    case 'ERR_KMS_CREDENTIALS':
      return make('ERR_ACM_CREDENTIALS', `KMS has no credentials that it takes: ${cause.message}`)
    case 'ERR_KMS_CLOSED':
      return make('ERR_ACM_CLOSED', 'The source was closed')
    default:
      return make('ERR_ACM_KMS', `The private key was not decrypted: ${cause.message}`)
  }
}
