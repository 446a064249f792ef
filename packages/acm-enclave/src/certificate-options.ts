import type { SecureContextOptions } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import type { CertificateSource } from './certificate-source.ts'
import { readMilliseconds, refuseUnknown } from './option.ts'

/** Settings of the TLS that is served, as in `tls.createSecureContext`. */
export type TlsSettings = Pick<
  SecureContextOptions,
  | 'ca'
  | 'ciphers'
  | 'ecdhCurve'
  | 'honorCipherOrder'
  | 'maxVersion'
  | 'minVersion'
  | 'sessionIdContext'
  | 'sessionTimeout'
  | 'sigalgs'
>

/** Options of {@link createAcmCertificate}. Unknown names are refused. */
export interface AcmCertificateOptions {
  /** Where the certificate comes from. It is closed with the certificate. */
  readonly source: CertificateSource
  /** Host names that the certificate must all be for; `*.example.com` must be in it as it is. From the image, at least one. */
  readonly hostNames: readonly string[]
  /** PEM. When given, the path must end below one of them. Default: any root, as the clients judge it anyway. */
  readonly trustAnchors?: readonly string[]
  /** Versions below are refused. Raise it with each image: it is all that reaches across boots. Default 1. */
  readonly leastVersion?: number
  /** Milliseconds between polls, give or take a tenth. 1000 to 86400000, default 600000. After a failure sooner. */
  readonly pollMs?: number
  /** The private key is decrypted again after this time even if nothing changed, so that a policy that no longer allows it is noticed. Default 12 hours. */
  readonly reattestMs?: number
  /** `expiring` is published from so long before the end. Default 15 days. */
  readonly warnBeforeMs?: number
  /** Nothing is served when no poll has succeeded for so long, even if the certificate is still valid. Default: until its end. */
  readonly failClosedAfterMs?: number
  /** How long the first load tries again while S3, KMS or credentials are out. 0: once. Default 30000. */
  readonly startTimeoutMs?: number
  /** Settings of the TLS that is served. Default: Node's, TLS 1.2 and 1.3. */
  readonly tls?: TlsSettings
  /** The clock that dates are judged by. Default: the system's. */
  readonly now?: () => Date
}

export type RequiredOptions = Required<Omit<AcmCertificateOptions, 'trustAnchors'>> & {
  readonly trustAnchors: readonly string[] | undefined
}

const NAMES: ReadonlySet<string> = new Set([
  ...['source', 'hostNames', 'trustAnchors', 'leastVersion', 'pollMs', 'reattestMs'],
  ...['warnBeforeMs', 'failClosedAfterMs', 'startTimeoutMs', 'tls', 'now'],
])
const TLS_NAMES: ReadonlySet<string> = new Set([
  ...['ca', 'ciphers', 'ecdhCurve', 'honorCipherOrder', 'maxVersion', 'minVersion'],
  ...['sessionIdContext', 'sessionTimeout', 'sigalgs'],
])
const HOST_NAME =
  /^(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
const DAY = 86_400_000
const FOREVER = 100 * 366 * DAY

/** Copies and checks. @throws {TypeError} {@link RangeError} naming the option */
export function readOptions(options: AcmCertificateOptions): RequiredOptions {
  refuseUnknown(options, 'createAcmCertificate', NAMES)
  const { hostNames, trustAnchors, leastVersion = 1, tls = {}, now = () => new Date() } = options
  if (!Array.isArray(hostNames) || hostNames.length === 0) {
    throw new TypeError('hostNames must be a list of at least one host name')
  }
  for (const name of hostNames as readonly unknown[]) {
    if (typeof name !== 'string' || !HOST_NAME.test(name)) {
      throw new TypeError('hostNames must be host names, as www.example.com or *.example.com')
    }
  }
  for (const anchor of trustAnchors ?? []) checkAnchor(anchor)
  if (trustAnchors?.length === 0) throw new TypeError('trustAnchors must have at least one')
  if (!Number.isSafeInteger(leastVersion) || leastVersion < 1) {
    throw new RangeError('leastVersion must be a whole number from 1')
  }
  if (typeof now !== 'function') throw new TypeError('now must be a function')
  refuseUnknown(tls, 'tls', TLS_NAMES)
  const time = (name: keyof AcmCertificateOptions, fallback: number, least: number): number =>
    readMilliseconds(name, (options[name] as number | undefined) ?? fallback, least, FOREVER)
  return {
    source: options.source,
    hostNames: [...(hostNames as readonly string[])],
    trustAnchors: trustAnchors === undefined ? undefined : [...trustAnchors],
    leastVersion,
    pollMs: readMilliseconds('pollMs', options.pollMs ?? 600_000, 1000, DAY),
    reattestMs: time('reattestMs', 12 * 3_600_000, 1000),
    warnBeforeMs: time('warnBeforeMs', 15 * DAY, 0),
    failClosedAfterMs: time('failClosedAfterMs', FOREVER, 1000),
    startTimeoutMs: readMilliseconds('startTimeoutMs', options.startTimeoutMs ?? 30_000, 0, DAY),
    tls: { ...tls },
    now,
  }
}

function checkAnchor(pem: unknown): void {
  try {
    if (typeof pem === 'string' && new X509Certificate(pem).ca) return
  } catch {
    // Said below.
  }
  throw new TypeError('trustAnchors must be CA certificates in PEM, one in each')
}
