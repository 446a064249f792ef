import { partitionOf } from '../arn.ts'
import { WAY_NAMES, type AttestedWay } from '../aws-way.ts'
import { decodeBundle } from '../bundle.ts'
import { CertificateSource } from '../certificate-source.ts'
import { bundleContext, checkArn, versionOf } from '../encryption-context.ts'
import { decryptPrivateKey, openKms } from '../kms-decryption.ts'
import { ObjectStore } from '../object-store.ts'
import { refuseUnknown } from '../option.ts'
import { regionOfKey, kmsKey } from './own-key.ts'

/** An object in an own bucket, and the own key: where a bundle is published to and loaded from. */
export interface BundleLocation {
  readonly bucket: string
  /** The object's key. */
  readonly key: string
  /** The account that must own the bucket, twelve digits. */
  readonly expectedBucketOwner: string
  /** The full ARN of the own KMS key, whose policy names the PCRs of the image. From the image, never from the parent. */
  readonly keyArn: string
  /** The bucket's region. Default: that of the KMS key. */
  readonly region?: string
  /**
   * What the private key is bound to beside its version, in the encryption context. Default: the object's own ARN,
   * `arn:PARTITION:s3:::BUCKET/KEY`. The ARN of a certificate in ACM where there is one.
   */
  readonly arn?: string
}

/** Options of {@link fromBundleObject}. Unknown names are refused. */
export interface BundleObjectOptions extends AttestedWay, BundleLocation {}

export const LOCATION_NAMES: readonly string[] = [
  ...['bucket', 'key', 'expectedBucketOwner', 'keyArn', 'region', 'arn'],
]
const NAMES: ReadonlySet<string> = new Set([...LOCATION_NAMES, ...WAY_NAMES])

/** A location with its defaults. @throws {TypeError} naming the option */
export function readLocation(location: BundleLocation): Required<BundleLocation> {
  const { bucket, key, expectedBucketOwner, keyArn } = location
  if (typeof key !== 'string' || key.length === 0 || key.length > 1024 || key.startsWith('/')) {
    throw new TypeError('key must be the key of an object in S3')
  }
  if (typeof expectedBucketOwner !== 'string') {
    throw new TypeError('expectedBucketOwner must be the twelve digits of an account')
  }
  const region = location.region ?? regionOfKey(keyArn)
  const arn = location.arn ?? `arn:${partitionOf(region)}:s3:::${bucket}/${key}`
  return { bucket, key, expectedBucketOwner, keyArn, region, arn: checkArn(arn) }
}

/**
 * A bundle in an own bucket, its private key under an own KMS key: what {@link publishCertificate} stores. KMS decrypts it for
 * enclaves alone whose PCRs the key's policy names (`enclavejs kms check-policy`), and for the ARN and the version that it was made
 * for.
 *
 * @throws {TypeError} naming the option
 */
export function fromBundleObject(options: BundleObjectOptions): CertificateSource {
  refuseUnknown(options, 'fromBundleObject', NAMES)
  const { bucket, key: objectKey, arn, ...location } = readLocation(options)
  const key = kmsKey(location.keyArn)
  const kms = openKms(options, key)
  const store = new ObjectStore({ ...options, ...location, bucket })
  return new CertificateSource({
    description: `s3://${bucket}/${objectKey}`,
    async fetch(etag, signal) {
      const stored = await store.get(objectKey, { etag, signal })
      if (stored === undefined) return undefined
      const bundle = decodeBundle(stored.bytes)
      versionOf(bundle)
      return { bundle, etag: stored.etag }
    },
    decrypt: (bundle, signal) =>
      decryptPrivateKey(
        kms,
        key,
        bundle.encryptedPrivateKey,
        bundleContext(arn, versionOf(bundle)),
        signal,
      ),
    async close() {
      await Promise.all([store.close(), kms.close()])
    },
  })
}
