import { checkRoleArn, dnsSuffix, parseCertificateArn } from '../arn.ts'
import { WAY_NAMES, type AttestedWay } from '../aws-way.ts'
import { decodeBundle } from '../bundle.ts'
import { CertificateSource } from '../certificate-source.ts'
import { decryptPrivateKey, openKms, type DecryptionKey } from '../kms-decryption.ts'
import { ObjectStore } from '../object-store.ts'
import { refuseUnknown } from '../option.ts'

/** Options of {@link fromAssociatedCertificate}. Unknown names are refused. */
export interface AssociatedCertificateOptions extends AttestedWay {
  /** The certificate in ACM. */
  readonly certificateArn: string
  /** The role that it is associated with, and whose credentials call. */
  readonly roleArn: string
  /** `EncryptionKmsKeyId`, as the association's answer and `enclavejs acm status` say it: an id or a full ARN. */
  readonly encryptionKmsKeyId: string
  /** `CertificateS3BucketName`. Default: `PARTITION-ec2-enclave-certificate-REGION-prod`, AWS's name at present. */
  readonly bucket?: string
  /** The account that must own the bucket. It is AWS's own, which AWS does not publish. Default: not asked for. */
  readonly expectedBucketOwner?: string
}

const NAMES: ReadonlySet<string> = new Set([
  ...['certificateArn', 'roleArn', 'encryptionKmsKeyId', 'bucket', 'expectedBucketOwner'],
  ...WAY_NAMES,
])

/**
 * The bundle that AWS makes in a bucket of its own when a certificate is associated with a role
 * (`AssociateEnclaveCertificateIamRole`), and renews.
 *
 * **Probably AWS's own enclave image alone can decrypt its private key**: the KMS key is AWS's, with a policy by attestation that
 * nobody outside of AWS can put PCRs into. KMS then refuses, and loading fails with `ERR_ACM_ASSOCIATED_KEY`. Use
 * {@link fromBundleObject} wherever the image is your own.
 *
 * @throws {TypeError} naming the option
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateEnclaveCertificateIamRole.html
 */
export function fromAssociatedCertificate(
  options: AssociatedCertificateOptions,
): CertificateSource {
  refuseUnknown(options, 'fromAssociatedCertificate', NAMES)
  const { arn, partition, region } = parseCertificateArn(options.certificateArn)
  const roleArn = checkRoleArn(options.roleArn)
  const { encryptionKmsKeyId: keyArn, expectedBucketOwner } = options
  const bucket = options.bucket ?? `${partition}-ec2-enclave-certificate-${region}-prod`
  const isArn = typeof keyArn === 'string' && keyArn.startsWith('arn:')
  const host = `kms.${region}.${dnsSuffix(region)}`
  const key: DecryptionKey = {
    keyArn,
    region: isArn ? undefined : region,
    host,
    associated: true,
  }
  const kms = openKms(options, key)
  const store = new ObjectStore({ ...options, bucket, region, expectedBucketOwner })
  const objectKey = `${roleArn}/${arn}`
  return new CertificateSource({
    description: `s3://${bucket}/${objectKey}`,
    async fetch(etag, signal) {
      const stored = await store.get(objectKey, { etag, signal })
      if (stored === undefined) return undefined
      return { bundle: decodeBundle(stored.bytes), etag: stored.etag }
    },
    decrypt: ({ encryptedPrivateKey }, signal) =>
      decryptPrivateKey(kms, key, encryptedPrivateKey, undefined, signal),
    async close() {
      await Promise.all([store.close(), kms.close()])
    },
  })
}
