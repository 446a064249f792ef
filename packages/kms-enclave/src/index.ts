export {
  openAwsEndpoint,
  type AwsEndpoint,
  type AwsEndpointOptions,
  type AwsRequest,
  type AwsResponse,
} from './aws-endpoint.ts'
export type { BoundKeyOptions } from './bound-key.ts'
export { createKmsClient, type KmsClient } from './client.ts'
export type { KmsClientOptions } from './client-options.ts'
export type { Connect } from './connect.ts'
export { cachedCredentials, type CachedCredentialsOptions } from './credentials/cache.ts'
export type {
  Credentials,
  CredentialsProvider,
  CredentialsRequest,
} from './credentials/credentials.ts'
export { fromImds, type ImdsOptions } from './credentials/imds.ts'
export { ordinaryCredentials, type OrdinaryCredentialsOptions } from './credentials/ordinary.ts'
export {
  serveCredentials,
  type CredentialsServed,
  type ServeCredentialsOptions,
} from './credentials/serve.ts'
export {
  createVsockCredentials,
  CREDENTIALS_PORT,
  type VsockCredentialsOptions,
} from './credentials/vsock.ts'
export type { Deadlines } from './deadline.ts'
export {
  createEnclaveKmsClient,
  defaultConnect,
  defaultCredentials,
  defaultGetEvidence,
  RECIPIENT_PURPOSE,
  type EnclaveKmsClientOptions,
} from './defaults.ts'
export { NO_ENCRYPTION_CONTEXT, type EncryptionContext } from './encryption-context.ts'
export type { EndpointVariant } from './endpoint.ts'
export {
  openEnvelope,
  openEnvelopeStream,
  type DecryptDataKey,
  type OpenEnvelopeOptions,
  type OpenEnvelopeStreamOptions,
  type OpenOptions,
} from './envelope/open.ts'
export {
  sealedEnvelope,
  sealedEnvelopeStream,
  type SealedEnvelopeOptions,
  type SealedEnvelopeStreamOptions,
  type SealOptions,
} from './envelope/seal.ts'
export type { GenerateDataKey } from './envelope/sealer.ts'
export { KmsError, type KmsErrorCode, type KmsErrorDetails } from './error.ts'
export type {
  AsymmetricEncryptionAlgorithm,
  AsymmetricInput,
  CallOptions,
  DataKeyPairSpec,
  DecryptInput,
  DeriveSharedSecretInput,
  EncryptInput,
  GenerateDataKeyInput,
  GenerateDataKeyPairInput,
  GenerateRandomInput,
  GrantInput,
  SymmetricAlgorithm,
  SymmetricInput,
} from './input.ts'
export type {
  DecryptOutput,
  DeriveSharedSecretOutput,
  DescribeKeyOutput,
  EncryptOutput,
  GenerateDataKeyOutput,
  GenerateDataKeyPairOutput,
  GenerateRandomOutput,
  GetKeyPolicyOutput,
  GetPublicKeyOutput,
  Grant,
  KeyMetadata,
  KeyOutput,
  ListGrantsOutput,
} from './output.ts'
export type { RecipientModulusLength } from './recipient-key.ts'
export type { RecipientSourceOptions } from './recipient.ts'
export type { GetEvidence } from './recipient-term.ts'
export type { KmsRequestEvent } from './request-event.ts'
export { KmsServiceError, type KmsServiceErrorDetails } from './service-error.ts'
export { AMAZON_ROOTS } from './tls-roots.ts'
export type { TlsVersion } from './tls-stream.ts'
export {
  createUnsafeParentClient,
  type UnsafeParentClient,
  type UnsafeParentClientOptions,
  type UnsafeParentRequest,
} from './unsafe-parent-transport.ts'
export { verifyKeyPolicyOf, type ExpectedOwnKeyPolicy } from './verify-key-policy-of.ts'
