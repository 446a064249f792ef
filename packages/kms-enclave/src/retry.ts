import { KmsError } from './error.ts'
import { KmsServiceError } from './service-error.ts'

/**
 * What may help after a failure: `wait`, and try again; `credentials`, and try again with new ones; `clock`, and try again
 * when the clock turned out wrong; `document`, and try again with new Evidence.
 */
export type Remedy = 'wait' | 'credentials' | 'clock' | 'document'

const THROTTLED: ReadonlySet<string> = new Set([
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'SlowDown',
])
const TRANSIENT: ReadonlySet<string> = new Set([
  'KMSInternalException',
  'DependencyTimeoutException',
  'KeyUnavailableException',
  'RequestTimeout',
  'RequestTimeoutException',
  'TimeoutError',
])
const CREDENTIALS: ReadonlySet<string> = new Set([
  'ExpiredTokenException',
  'ExpiredToken',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidAccessKeyId',
  'InvalidToken',
])
const CLOCK: ReadonlySet<string> = new Set([
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'RequestExpired',
  'RequestInTheFuture',
  'RequestTimeTooSkewed',
  'AuthFailure',
  'AccessDeniedException',
])
const TOO_OLD = /exceeded the five-minute age limit/

/** Which remedy there is; undefined where trying again cannot help. */
export function remedyFor(error: unknown): Remedy | undefined {
  if (error instanceof KmsServiceError) return serviceRemedy(error)
  if (!(error instanceof KmsError)) return undefined
  if (error.code === 'ERR_KMS_CONNECTION' || error.code === 'ERR_KMS_DEADLINE') return 'wait'
  return undefined
}

function serviceRemedy({ kmsCode, kmsMessage, status }: KmsServiceError): Remedy | undefined {
  if (THROTTLED.has(kmsCode) || TRANSIENT.has(kmsCode)) return 'wait'
  if (CREDENTIALS.has(kmsCode)) return 'credentials'
  if (CLOCK.has(kmsCode)) return 'clock'
  if (kmsCode === 'ValidationException' && TOO_OLD.test(kmsMessage)) return 'document'
  return [429, 500, 502, 503, 504].includes(status) ? 'wait' : undefined
}

const BASE_MS = 100
const CAP_MS = 5000

/** Full jitter: anything from nothing to a bound that doubles. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  return Math.floor(random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt))
}
