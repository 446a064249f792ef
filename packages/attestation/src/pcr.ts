import { copyBytes } from './bytes.ts'

// PCRs begin as 48 zero bytes and are extended: new = SHA-384(old || data).
async function extendZero(data: Uint8Array): Promise<Uint8Array> {
  const input = new Uint8Array(48 + data.length)
  input.set(data, 48)
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-384', input))
}

/**
 * PCR3 of an enclave whose parent instance has this IAM role: SHA-384 over 48 zero bytes and the ARN. Without a role
 * PCR3 is zero.
 *
 * ```ts
 * import { computeRolePcr } from '@enclavejs/attestation'
 *
 * export const pcr3 = await computeRolePcr('arn:aws:iam::123456789012:role/webserver')
 * ```
 *
 * @param roleArn The role's ARN, `arn:aws:iam::…:role/…` (not that of its instance profile or session).
 * @returns 48 bytes for `referenceValues`.
 * @throws {TypeError} when it is not the ARN of a role.
 */
export async function computeRolePcr(roleArn: string): Promise<Uint8Array> {
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(roleArn)) {
    throw new TypeError('roleArn must be arn:aws:iam::ACCOUNT:role/NAME')
  }
  return extendZero(new TextEncoder().encode(roleArn))
}

/**
 * PCR4 of an enclave on this parent instance: SHA-384 over 48 zero bytes and the instance's id.
 *
 * @param instanceId `i-` and 8 or 17 hex digits.
 * @returns 48 bytes for `referenceValues`.
 * @throws {TypeError} when it is not an instance id.
 */
export async function computeInstancePcr(instanceId: string): Promise<Uint8Array> {
  if (!/^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(instanceId)) {
    throw new TypeError('instanceId must be i- and 8 or 17 hex digits')
  }
  return extendZero(new TextEncoder().encode(instanceId))
}

/**
 * PCR8 of an image signed with this certificate: SHA-384 over 48 zero bytes and SHA-384 of the certificate's DER.
 *
 * @param certificate The signing certificate, as DER bytes or as PEM text with exactly one certificate.
 * @returns 48 bytes for `referenceValues`.
 * @throws {TypeError} when the PEM text does not hold exactly one certificate.
 */
export async function computeSigningCertificatePcr(
  certificate: Uint8Array | string,
): Promise<Uint8Array> {
  const der =
    typeof certificate === 'string' ? fromPem(certificate) : copyBytes(certificate, 'certificate')
  const digest = await globalThis.crypto.subtle.digest('SHA-384', new Uint8Array(der))
  return extendZero(new Uint8Array(digest))
}

function fromPem(pem: string): Uint8Array {
  try {
    const body = /^\s*-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----\s*$/.exec(
      pem,
    )?.[1]
    return Uint8Array.from(atob(body as string), (character) => character.charCodeAt(0))
  } catch (cause) {
    throw new TypeError('certificate must be PEM of exactly one CERTIFICATE', { cause })
  }
}
