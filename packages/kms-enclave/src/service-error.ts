import { KmsError } from './error.ts'
import type { HttpResponse } from './http-exchange.ts'

/** What KMS said. */
export interface KmsServiceErrorDetails {
  readonly operation: string
  readonly kmsCode: string
  readonly kmsMessage: string
  readonly status: number
  readonly requestId: string | undefined
}

/**
 * KMS refused a request, or failed. Always `ERR_KMS_SERVICE`; what KMS calls it is in `kmsCode`.
 *
 * @example
 * ```ts
 * import { KmsServiceError } from '@enclavejs/kms-enclave'
 *
 * function mayTryAgainLater(error: unknown): boolean {
 *   return error instanceof KmsServiceError && error.kmsCode === 'ThrottlingException'
 * }
 * ```
 */
export class KmsServiceError extends KmsError {
  /** The API operation: `Decrypt`. */
  readonly operation: string
  /** KMS's name of the error, `AccessDeniedException`; `Unknown` where the answer had none. */
  readonly kmsCode: string
  /** KMS's explanation, at most 1024 characters; empty where there was none. It may name principals and keys. */
  readonly kmsMessage: string
  /** The HTTP status. */
  readonly status: number
  /** `x-amzn-RequestId`, by which AWS finds the request. */
  readonly requestId: string | undefined

  constructor({ operation, kmsCode, kmsMessage, status, requestId }: KmsServiceErrorDetails) {
    const explanation = kmsMessage === '' ? '' : `: ${kmsMessage}`
    const request = requestId === undefined ? '' : `, request ${requestId}`
    super(
      'ERR_KMS_SERVICE',
      `KMS refused ${operation}: ${kmsCode}${explanation} (HTTP ${status}${request})`,
    )
    this.name = 'KmsServiceError'
    this.operation = operation
    this.kmsCode = kmsCode
    this.kmsMessage = kmsMessage
    this.status = status
    this.requestId = requestId
  }
}

const MESSAGE_MAX = 1024
const CODE = /^[A-Za-z][A-Za-z0-9.]{0,127}$/
const REQUEST_ID = /^[A-Za-z0-9-]{1,128}$/

/** Reads a refusal. A load balancer's page of HTML is one without a name. */
export function readServiceError(operation: string, response: HttpResponse): KmsServiceError {
  const { status, headers, body } = response
  const members = readObject(body)
  const header = headers['x-amzn-errortype']
  const type = members['__type'] ?? members['code'] ?? header
  const message = members['message'] ?? members['Message']
  return new KmsServiceError({
    operation,
    kmsCode: errorCode(type),
    kmsMessage: typeof message === 'string' ? printable(message) : '',
    status,
    requestId: requestIdOf(response),
  })
}

/** The id of the request, where the answer has one of the usual form. */
export function requestIdOf({ headers }: Pick<HttpResponse, 'headers'>): string | undefined {
  const id = headers['x-amzn-requestid']
  return typeof id === 'string' && REQUEST_ID.test(id) ? id : undefined
}

/** `ns#Code` and `Code:http://…` are both `Code`. */
function errorCode(type: unknown): string {
  if (typeof type !== 'string') return 'Unknown'
  const [code = ''] = (type.split('#').at(-1) ?? '').split(':')
  return CODE.test(code) ? code : 'Unknown'
}

function readObject(body: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/**
 * KMS's message repeats what callers wrote, so that it must not reach a terminal as it is; and of a signature that it does not
 * find right it repeats the whole canonical request, the session token in it.
 */
function printable(text: string): string {
  const kept = text
    .replace(/\bThe Canonical String\b[^]*/i, '…')
    .replace(/(x-amz-security-token\s*[:=]\s*)\S+/gi, '$1…')
    .trimEnd()
  const short = kept.length > MESSAGE_MAX ? `${kept.slice(0, MESSAGE_MAX - 1)}…` : kept
  return short.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\u{fffd}')
}
