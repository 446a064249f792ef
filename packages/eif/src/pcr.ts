import { checkCreateHash, extendZero, sha384, type CreateHash } from './sha384.ts'

/**
 * PCR3 of an enclave whose parent instance has this IAM role: SHA-384 over 48 zero bytes and the ARN, once. Without a
 * role PCR3 is zero. It is not part of an image: whoever launches the enclave decides it.
 *
 * ```ts
 * import { createHash } from 'node:crypto'
 * import { computeRolePcr } from '@enclavejs/eif'
 *
 * const role = 'arn:aws:iam::123456789012:role/webserver'
 * export const pcr3: string = computeRolePcr(role, { createHash: () => createHash('sha384') })
 * ```
 *
 * @returns 96 hex digits.
 * @throws {TypeError} when it is not the ARN of a role.
 * @see AWS user guide, "Where to get an enclave's measurements"
 */
export function computeRolePcr(roleArn: string, options: { createHash: CreateHash }): string {
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(roleArn)) {
    throw new TypeError('roleArn must be arn:aws:iam::ACCOUNT:role/NAME')
  }
  return extendZero(checkCreateHash(options.createHash), new TextEncoder().encode(roleArn))
}

/**
 * PCR4 of an enclave on this parent instance: SHA-384 over 48 zero bytes and the instance's id, once.
 *
 * @param instanceId `i-` and 8 or 17 hex digits.
 * @returns 96 hex digits.
 * @throws {TypeError} when it is not an instance id.
 */
export function computeInstancePcr(
  instanceId: string,
  options: { createHash: CreateHash },
): string {
  if (!/^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(instanceId)) {
    throw new TypeError('instanceId must be i- and 8 or 17 hex digits')
  }
  return extendZero(checkCreateHash(options.createHash), new TextEncoder().encode(instanceId))
}

/**
 * The measurement of any bytes as `nitro-cli pcr --input` gives it, and PCR8 when they are the DER of a signing
 * certificate: SHA-384 over 48 zero bytes and SHA-384 of the bytes.
 *
 * @returns 96 hex digits.
 */
export function computePcr(bytes: Uint8Array, options: { createHash: CreateHash }): string {
  const createHash = checkCreateHash(options.createHash)
  return extendZero(createHash, sha384(createHash, bytes))
}
