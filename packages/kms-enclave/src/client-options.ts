import { X509Certificate } from 'node:crypto'
import type { BoundKeyOptions } from './bound-key.ts'
import type { Connect } from './connect.ts'
import type { Credentials, CredentialsProvider } from './credentials/credentials.ts'
import type { Deadlines } from './deadline.ts'
import { ownMembers } from './own-members.ts'
import type { RecipientSourceOptions } from './recipient.ts'
import { AMAZON_ROOTS } from './tls-roots.ts'
import type { TlsVersion } from './tls-stream.ts'

/** Options of {@link createKmsClient}. Unknown names are refused. */
export interface KmsClientOptions
  extends BoundKeyOptions, Deadlines, Omit<RecipientSourceOptions, 'now'> {
  /** Streams to KMS, port 443. Who carries them need not be trusted: TLS begins and ends in this process. */
  readonly connect: Connect
  /**
   * Who calls. They are asked for again five minutes before their end, and once when KMS refuses them; see
   * `createVsockCredentials` and `fromImds`.
   */
  readonly credentials: Credentials | CredentialsProvider
  /**
   * PEM certificates in the place of Amazon's five roots. Default: those of `connect` (a simulator's has its own), else
   * Amazon's. Neither the system's roots nor the environment add any.
   */
  readonly roots?: readonly string[]
  /** Default `TLSv1.3`. */
  readonly minTlsVersion?: TlsVersion
  /** Sockets to KMS at a time, 1 to 64. Default 3: AWS's vsock-proxy serves four, and keeps more waiting. */
  readonly maxSockets?: number
  /** Attempts of one call where waiting can help, 1 to 10. Default 3. */
  readonly maxAttempts?: number
  /** The clock of signatures and of credentials. Default: the system's. Certificates are always judged by the system's. */
  readonly now?: () => Date
}

const NAMES: ReadonlySet<string> = new Set([
  ...['keyArn', 'endpoint', 'dangerouslyUnboundKey', 'connect', 'credentials', 'roots'],
  ...['minTlsVersion', 'maxSockets', 'maxAttempts', 'now'],
  ...['connectTimeout', 'handshakeTimeout', 'requestTimeout', 'deadline'],
  ...['getEvidence', 'singleUse', 'maxAgeMs', 'maxCalls', 'modulusLength', 'evidenceDeadlineMs'],
])

/**
 * Refuses options that do not exist.
 *
 * @returns a copy of what was given, nothing inherited: what to read from then on
 * @throws {TypeError} naming the option
 */
export function refuseUnknown<T extends object>(
  options: T,
  door: string,
  also: readonly string[] = [],
): T {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${door} takes an object of options`)
  }
  const own = ownMembers(options)
  for (const name of Object.keys(own)) {
    if (!NAMES.has(name) && !also.includes(name))
      throw new TypeError(`${door} takes no option ${name}`)
  }
  return own
}

/** The roots that a client trusts: its own, else those of its `Connect`, else Amazon's. */
export function readRoots(
  given: readonly string[] | undefined,
  connect: Connect,
): readonly string[] {
  const its = Object.hasOwn(connect, 'roots') ? connect.roots : undefined
  const roots = given ?? its ?? AMAZON_ROOTS
  if (!Array.isArray(roots) || roots.length === 0) {
    throw new TypeError('roots must be a list of at least one PEM certificate')
  }
  for (const root of roots as readonly unknown[]) {
    if (typeof root !== 'string' || !isCertificate(root)) {
      throw new TypeError('roots must be PEM certificates, one in each')
    }
  }
  return [...(roots as readonly string[])]
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca && pem.split('-----BEGIN').length === 2
  } catch {
    return false
  }
}

export function readTlsVersion(value: TlsVersion = 'TLSv1.3'): TlsVersion {
  if (value === 'TLSv1.3' || value === 'TLSv1.2') return value
  throw new TypeError('minTlsVersion must be TLSv1.3 or TLSv1.2')
}

export function readCount(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new RangeError(`${name} must be an integer of 1 to ${most}`)
}
