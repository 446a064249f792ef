import { createPublicKey, type KeyObject } from 'node:crypto'
import { KmsError, type KmsClient } from '@enclavejs/kms-enclave'
import { WAY_NAMES, type AttestedWay } from './aws-way.ts'
import { decodeBundle, encodeBundle } from './bundle.ts'
import { privateKeyOf, type CertificateRequest } from './certificate-request.ts'
import { readCertificationPath } from './certification-path.ts'
import { bundleContext } from './encryption-context.ts'
import { AcmError } from './error.ts'
import { inOurWords, openKms } from './kms-decryption.ts'
import { ObjectStore } from './object-store.ts'
import { refuseUnknown } from './option.ts'
import { writePem } from './pem.ts'
import { checkKind } from './private-key.ts'
import { LOCATION_NAMES, readLocation, type BundleLocation } from './source/bundle-object.ts'
import { kmsKey } from './source/own-key.ts'

/** Where to store, and how to reach it. */
export interface PublishOptions extends AttestedWay, BundleLocation {
  /**
   * The version of the bundle; enclaves take none below the newest they have seen. Default: one more than that of the object that
   * is there now, which is as true as S3 and whoever may write there.
   */
  readonly version?: number
}

/** What was stored. */
export interface PublishedBundle {
  readonly version: number
  readonly arn: string
  readonly bucket: string
  readonly key: string
  readonly notAfter: Date
}

/** A certificate that a CA gave. */
export interface IssuedCertificate {
  /** The leaf, PEM. */
  readonly certificate: string
  /** Its issuers, PEM; in whatever order. */
  readonly certificateChain: string
}

const NAMES: ReadonlySet<string> = new Set(['version', ...LOCATION_NAMES, ...WAY_NAMES])

/**
 * The second half of publishing: takes the certificate that a CA gave to the request, encrypts the request's private key under the own
 * KMS key with its ARN and version as encryption context, and stores both as one object. The private key has then never
 * been outside of an enclave.
 *
 * @throws {AcmError} `ERR_ACM_REQUEST` for a certificate of another key; `ERR_ACM_CERTIFICATE`, `ERR_ACM_CERTIFICATE_USAGE`,
 * `ERR_ACM_PATH`, `ERR_ACM_EXPIRED`, `ERR_ACM_NOT_YET_VALID`, `ERR_ACM_NAME`; `ERR_ACM_DENIED`, `ERR_ACM_KMS`,
 * `ERR_ACM_CREDENTIALS`, `ERR_ACM_OBJECT_DENIED`, `ERR_ACM_STORE`
 */
export async function publishCertificate(
  request: CertificateRequest,
  issued: IssuedCertificate,
  options: PublishOptions,
): Promise<PublishedBundle> {
  refuseUnknown(options, 'publishCertificate', NAMES)
  return storeBundle(privateKeyOf(request), request.hostNames, issued, options)
}

/** Encrypts a key, and stores it with its certificate. */
export async function storeBundle(
  privateKey: KeyObject,
  hostNames: readonly string[],
  issued: IssuedCertificate,
  options: PublishOptions,
): Promise<PublishedBundle> {
  const { arn, bucket, key, ...location } = readLocation(options)
  const { version: asked, now = () => new Date() } = options
  if (asked !== undefined && (!Number.isSafeInteger(asked) || asked < 1 || asked >= 1e15)) {
    throw new RangeError('version must be a whole number from 1')
  }
  checkKind(privateKey)
  const { certificate, certificateChain } = issued
  const path = readCertificationPath(
    { certificate, certificateChain },
    { hostNames, currentDate: now() },
  )
  const isItsKey = path.leaf.publicKey.equals(createPublicKey(privateKey))
  if (!isItsKey) {
    throw new AcmError('ERR_ACM_REQUEST', 'The certificate is not one for the key of this request')
  }
  const store = new ObjectStore({ ...options, ...location, bucket })
  const kms = openKms(options, kmsKey(location.keyArn))
  try {
    const version = asked ?? (await nextVersion(store, key))
    const encryptedPrivateKey = await encrypt(kms, privateKey, arn, version)
    const [leaf = '', ...issuers] = path.pem.split(/(?<=-----END CERTIFICATE-----\n)/)
    const bundle = encodeBundle({
      certificate: leaf,
      certificateChain: issuers.join(''),
      encryptedPrivateKey,
      encryptionMethod: 'SYMMETRIC_DEFAULT',
      version,
    })
    decodeBundle(bundle)
    await store.put(key, bundle)
    return { version, arn, bucket, key, notAfter: path.notAfter }
  } finally {
    await Promise.all([store.close(), kms.close()])
  }
}

async function nextVersion(store: ObjectStore, key: string): Promise<number> {
  try {
    const stored = await store.get(key)
    return stored === undefined ? 1 : (decodeBundle(stored.bytes).version ?? 0) + 1
  } catch (error) {
    if (error instanceof AcmError && error.code === 'ERR_ACM_OBJECT_MISSING') return 1
    throw error
  }
}

async function encrypt(
  kms: KmsClient,
  privateKey: KeyObject,
  arn: string,
  version: number,
): Promise<Uint8Array> {
  const der = privateKey.export({ format: 'der', type: 'pkcs8' })
  const pem = writePem('PRIVATE KEY', der)
  der.fill(0)
  try {
    const { CiphertextBlob } = await kms.encrypt({
      Plaintext: pem,
      EncryptionContext: bundleContext(arn, version),
    })
    return CiphertextBlob
  } catch (cause) {
    throw cause instanceof KmsError ? inOurWords(cause, false, kms.keyArn) : cause
  } finally {
    pem.fill(0)
  }
}
