import { createHash, X509Certificate } from 'node:crypto'
import type { Server } from 'node:tls'
import type { AcmCertificate } from '../certificate.ts'
import { readPem, writePem } from '../pem.ts'
import type { AcmToken } from './token.ts'

/** Options of {@link followCertificate}. */
export interface FollowOptions {
  /** `CKA_LABEL` of its keys. Default `acm-key`, as in ACM for Nitro Enclaves. */
  readonly label?: string | undefined
  /**
   * Milliseconds that the key before stays after a renewal where nobody can tell whether it is needed: no connection is open
   * that has signed with it, nor a relay's. While one is, it stays: until the relay says that no worker needs it
   * (`AcmTokenRelay.removeRetired`), or the last such connection has ended. Default 3600000; at most a week.
   */
  readonly keepOldMs?: number | undefined
}

/** What a certificate gives to the servers that it is attached to. */
interface Material {
  readonly cert: string
  readonly key: Uint8Array
}

const MAX_CERTIFICATES = 11
const WEEK = 604_800_000
/** How often it is looked whether a key that is due is still in use. */
const LOOK_MS = 1000

/**
 * `CKA_ID` of the key of a certificate that a token follows: the first eight bytes of the certificate's SHA-256. New with each
 * renewal, and the same after a restart and in each enclave that has the certificate.
 */
export function certificateId(certificate: string | Uint8Array): Uint8Array {
  const { raw } = new X509Certificate(certificate)
  return new Uint8Array(createHash('sha256').update(raw).digest().subarray(0, 8))
}

/**
 * Has a token serve the key of a certificate that renews itself: now, and after each renewal the new one under a new
 * {@link certificateId}, beside the old one for a while. Costs one attested Decrypt, as attaching a server does. It ends when
 * the certificate or the token is closed.
 *
 * A certificate that has ended, or is stale, is not taken out of the token: clients see its dates.
 *
 * @throws {AcmError} what loading the certificate throws
 *
 * @example
 * ```ts
 * import type { AcmCertificate } from '@enclavejs/acm-enclave'
 * import { createToken, followCertificate } from '@enclavejs/acm-enclave/token'
 *
 * export async function serve(certificate: AcmCertificate, pin: string): Promise<void> {
 *   const token = createToken({ label: 'acm-token', pin, keys: [] })
 *   await followCertificate(token, certificate)
 * }
 * ```
 */
export async function followCertificate(
  token: AcmToken,
  certificate: AcmCertificate,
  options: FollowOptions = {},
): Promise<void> {
  const { label = 'acm-key', keepOldMs = 3_600_000 } = options
  if (!Number.isInteger(keepOldMs) || keepOldMs < 0 || keepOldMs > WEEK) {
    throw new RangeError(`keepOldMs is an integer from 0 to ${WEEK}, in milliseconds`)
  }
  let current: string | undefined
  const retired = new Map<string, NodeJS.Timeout>()
  const has = (name: string): boolean => token.ids.some((own) => nameOf(own) === name)
  const endLater = (name: string, milliseconds: number): void => {
    const timer = setTimeout(() => {
      if (!has(name)) retired.delete(name)
      else if (token.isInUse(idOf(name))) endLater(name, LOOK_MS)
      else {
        retired.delete(name)
        token.removeKey(idOf(name))
      }
    }, milliseconds)
    timer.unref()
    retired.set(name, timer)
  }
  const target = {
    setSecureContext({ cert, key }: Material): void {
      const [leaf = '', ...path] = certificates(cert)
      const id = certificateId(leaf)
      const name = nameOf(id)
      // It came back: no longer one that clients may end, nor time.
      clearTimeout(retired.get(name))
      if (retired.delete(name) && has(name)) token.reinstateKey(id)
      if (!has(name)) token.addKey({ id, label, privateKey: key, certificate: leaf, path })
      const old = current
      current = name
      if (old === undefined || old === name || !has(old)) return
      token.retireKey(idOf(old))
      endLater(old, keepOldMs)
    },
  }
  // All that a certificate asks of a server is that it takes what it serves.
  await certificate.attach(target as unknown as Server)
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id).toString('hex')
}

function idOf(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(name, 'hex'))
}

function certificates(pem: string): readonly string[] {
  const blocks = readPem(new TextEncoder().encode(pem), MAX_CERTIFICATES) ?? []
  return blocks.map(({ label, der }) => new TextDecoder().decode(writePem(label, der)))
}
