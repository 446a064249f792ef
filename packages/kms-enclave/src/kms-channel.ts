import { setTimeout as sleep } from 'node:timers/promises'
import type { ClockSkew } from './clock-skew.ts'
import type { CredentialsCache } from './credentials/cache.ts'
import type { Credentials } from './credentials/credentials.ts'
import { deadlineError, within, type RequiredDeadlines } from './deadline.ts'
import { KmsError } from './error.ts'
import type { HttpResponse } from './http-exchange.ts'
import type { HttpPool } from './http-pool.ts'
import { requestEvents, type KmsRequestEvent } from './request-event.ts'
import { readMembers, type ResponseMembers } from './response.ts'
import { backoff, remedyFor } from './retry.ts'
import { KmsServiceError, readServiceError, requestIdOf } from './service-error.ts'
import type { RequestSigner } from './signing.ts'

export interface KmsChannelOptions {
  readonly host: string
  readonly pool: HttpPool
  readonly signer: RequestSigner
  readonly clock: ClockSkew
  readonly credentials: CredentialsCache
  readonly deadlines: RequiredDeadlines
  readonly maxAttempts: number
}

/** When a call began, until when it may last, and who may end it sooner. */
export interface CallTime {
  readonly until: number
  readonly milliseconds: number
  readonly signal: AbortSignal | undefined
}

/** Signs requests, sends them and tries again where that can help. */
export class KmsChannel {
  readonly #options: KmsChannelOptions

  constructor(options: KmsChannelOptions) {
    this.#options = options
  }

  /** A call begins now. */
  begin(signal?: AbortSignal): CallTime {
    signal?.throwIfAborted()
    const { deadline } = this.#options.deadlines
    return { until: performance.now() + deadline, milliseconds: deadline, signal }
  }

  /**
   * One operation, with as many attempts as its failures call for.
   *
   * @param body - the JSON of the request; octets are not copied
   * @throws {KmsError} what is left when there is no remedy, or none in time
   */
  async call(
    operation: string,
    body: string | Uint8Array,
    time: CallTime,
  ): Promise<ResponseMembers> {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    let refreshed = false
    let corrected = false
    let forceRefresh = false
    for (let attempt = 1; ; attempt++) {
      try {
        const { response, signingDate } = await this.#attempt(
          operation,
          bytes,
          attempt,
          forceRefresh,
          time,
        )
        if (response.status === 200) return readMembers(operation, response)
        const error = readServiceError(operation, response)
        const wrongClock = remedyFor(error) === 'clock' && this.#options.clock.isOff(signingDate)
        if (wrongClock && !corrected) {
          corrected = true
          continue
        }
        throw error
      } catch (error) {
        const remedy = remedyFor(error)
        const last = attempt >= this.#options.maxAttempts
        forceRefresh = remedy === 'credentials' && !refreshed
        if (forceRefresh) refreshed = true
        else if (remedy !== 'wait' || last) throw error
        else await pause(backoff(attempt), time, error)
      }
    }
  }

  async #attempt(
    operation: string,
    body: Uint8Array,
    attempt: number,
    forceRefresh: boolean,
    time: CallTime,
  ): Promise<{ response: HttpResponse; signingDate: Date }> {
    const { host, pool, signer, clock, deadlines } = this.#options
    const began = requestEvents.hasSubscribers ? performance.now() : undefined
    let response: HttpResponse | undefined
    let failure: unknown
    try {
      const { credentials: cache } = this.#options
      const credentials =
        (forceRefresh ? undefined : cache.ready()) ?? (await this.#credentials(forceRefresh, time))
      const signingDate = clock.signingDate()
      const headers = await signer.sign(
        {
          host,
          headers: {
            'content-type': 'application/x-amz-json-1.1',
            'x-amz-target': `TrentService.${operation}`,
          },
          body,
        },
        credentials,
        signingDate,
      )
      const timeout = Math.min(deadlines.requestTimeout, remaining(time))
      response = await pool.send({ headers, body }, timeout, time.signal)
      clock.learn(response.headers['date'], response.headers['age'])
      return { response, signingDate }
    } catch (error) {
      failure = error
      throw error
    } finally {
      if (began !== undefined) {
        requestEvents.publish(
          event({ operation, host, attempt, requestBytes: body.length, began }, response, failure),
        )
      }
    }
  }

  #credentials(forceRefresh: boolean, time: CallTime): Promise<Credentials> {
    const left = remaining(time)
    const asked = this.#options.credentials.get({ forceRefresh })
    return within(asked, left, 'The call did not end', time.signal)
  }
}

/** @throws {KmsError} `ERR_KMS_DEADLINE` where nothing is left */
export function remaining({ until, milliseconds }: CallTime): number {
  const left = Math.ceil(until - performance.now())
  if (left > 0) return left
  throw deadlineError('The call did not end', milliseconds)
}

/** Waits before the next attempt; where there is no time for one, what went wrong last is what is said. */
async function pause(milliseconds: number, time: CallTime, last: unknown): Promise<void> {
  if (performance.now() + milliseconds >= time.until) throw last
  try {
    await sleep(milliseconds, undefined, time.signal === undefined ? {} : { signal: time.signal })
  } catch {
    throw time.signal?.reason
  }
}

function event(
  {
    began,
    ...sent
  }: { operation: string; host: string; attempt: number; requestBytes: number; began: number },
  response: HttpResponse | undefined,
  failure: unknown,
): KmsRequestEvent {
  const requestId = response === undefined ? undefined : requestIdOf(response)
  const error = errorName(sent.operation, response, failure)
  return {
    ...sent,
    ...(response !== undefined && {
      responseBytes: response.body.length,
      status: response.status,
    }),
    ...(requestId !== undefined && { requestId }),
    ...(error !== undefined && { error }),
    duration: performance.now() - began,
  }
}

function errorName(
  operation: string,
  response: HttpResponse | undefined,
  failure: unknown,
): string | undefined {
  if (failure instanceof KmsServiceError) return failure.kmsCode
  if (failure instanceof KmsError) return failure.code
  if (failure !== undefined) return 'aborted'
  if (response === undefined || response.status === 200) return undefined
  return readServiceError(operation, response).kmsCode
}
