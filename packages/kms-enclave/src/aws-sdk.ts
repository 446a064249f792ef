export {
  attestKmsClient,
  type AttestKmsClientOptions,
  type AwsKmsClient,
} from './aws-sdk/attest.ts'
export { KmsError, type KmsErrorCode, type KmsErrorDetails } from './error.ts'
