import type { EncryptionContext } from '@enclavejs/kms-enclave'
import { AcmError } from './error.ts'

/**
 * The encryption context of an own bundle's private key: what it is, of which certificate, and the how manieth. KMS decrypts with
 * the same alone, so none of the three can be changed by whoever stores or carries the bundle; a key policy can require it too.
 */
export function bundleContext(arn: string, version: number): EncryptionContext {
  return {
    'enclavejs:purpose': 'tls-private-key',
    'enclavejs:arn': arn,
    'enclavejs:version': String(version),
  }
}

/** @throws {AcmError} `ERR_ACM_BUNDLE_VERSION` for a bundle that says none */
export function versionOf({ version }: { readonly version: number | undefined }): number {
  if (version !== undefined) return version
  throw new AcmError(
    'ERR_ACM_BUNDLE_VERSION',
    'The bundle has no version; one of fromBundleObject must have been made by publishing, which gives it one',
  )
}

/** @throws {TypeError} */
export function checkArn(arn: string): string {
  if (typeof arn === 'string' && /^arn:[\x21-\x7e]{1,1000}$/.test(arn)) return arn
  throw new TypeError('arn must be the ARN that the private key was published under')
}
