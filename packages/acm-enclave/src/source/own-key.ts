import { dnsSuffix } from '../arn.ts'
import type { DecryptionKey } from '../kms-decryption.ts'

/** @throws {TypeError} */
export function regionOfKey(keyArn: string): string {
  const [, region] =
    typeof keyArn === 'string'
      ? (/^arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:key\/.+$/.exec(keyArn) ?? [])
      : []
  if (region !== undefined) return region
  throw new TypeError(
    'keyArn must be the full ARN of a key, arn:PARTITION:kms:REGION:ACCOUNT:key/ID',
  )
}

/** An own key. @throws {TypeError} */
export function kmsKey(keyArn: string): DecryptionKey {
  const region = regionOfKey(keyArn)
  return { keyArn, host: `kms.${region}.${dnsSuffix(region)}`, associated: false }
}
