import { KmsError } from '../error.ts'

/**
 * AWS credentials, under the names that the AWS SDKs use. They say which role calls; that an enclave calls is what the
 * attestation document says. The parent always knows them, so they must never serve as a secret.
 */
export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Temporary credentials have one. */
  readonly sessionToken?: string
  /** When they end. Without it they are taken as lasting. */
  readonly expiration?: Date
}

/** What a source of credentials is told. */
export interface CredentialsRequest {
  /** KMS refused the set given last: it must not come again from a cache. */
  readonly forceRefresh?: boolean
  readonly signal?: AbortSignal
}

/** A source of credentials. The providers of the AWS SDK for JavaScript v3 are of this form. */
export type CredentialsProvider = (request?: CredentialsRequest) => Promise<Credentials>

const ACCESS_KEY_ID = /^[A-Z0-9]{16,128}$/
/** Neither holds white space or a line break, so that neither can add a header of its own. */
const SECRET_ACCESS_KEY = /^[\x21-\x7e]{16,128}$/
const SESSION_TOKEN = /^[\x21-\x7e]{1,8192}$/
const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

/**
 * Takes credentials as they came from outside: a plain object of the four members, `expiration` a `Date` or a date in
 * ISO 8601. Anything else in it is left behind.
 *
 * @param source - who gave them, for the message
 * @throws {KmsError} `ERR_KMS_CREDENTIALS` naming the member, never its value
 */
export function readCredentials(value: unknown, source: string, now: Date): Credentials {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = members(value)
  if (typeof accessKeyId !== 'string' || !ACCESS_KEY_ID.test(accessKeyId)) {
    throw malformed(source, 'accessKeyId', '16 to 128 capital letters and digits')
  }
  if (typeof secretAccessKey !== 'string' || !SECRET_ACCESS_KEY.test(secretAccessKey)) {
    throw malformed(source, 'secretAccessKey', '16 to 128 visible ASCII characters')
  }
  const token = sessionToken ?? undefined
  if (token !== undefined && (typeof token !== 'string' || !SESSION_TOKEN.test(token))) {
    throw malformed(source, 'sessionToken', 'at most 8192 visible ASCII characters')
  }
  const until = readExpiration(expiration ?? undefined, source)
  if (until !== undefined && until.getTime() <= now.getTime()) {
    throw new KmsError(
      'ERR_KMS_CREDENTIALS',
      `${source} gave credentials that expired at ${until.toISOString()}, and it is ${now.toISOString()}; look at what serves them, and at both clocks`,
    )
  }
  return {
    accessKeyId,
    secretAccessKey,
    ...(token !== undefined && { sessionToken: token }),
    ...(until !== undefined && { expiration: until }),
  }
}

function members(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function readExpiration(value: unknown, source: string): Date | undefined {
  if (value === undefined) return undefined
  const date =
    value instanceof Date
      ? new Date(value)
      : new Date(typeof value === 'string' && ISO_DATE.test(value) ? value : Number.NaN)
  if (Number.isNaN(date.getTime())) {
    throw malformed(source, 'expiration', 'a date in ISO 8601 with its zone')
  }
  return date
}

function malformed(source: string, member: string, expected: string): KmsError {
  return new KmsError(
    'ERR_KMS_CREDENTIALS',
    `${source} gave malformed credentials: ${member} must be ${expected}`,
  )
}
