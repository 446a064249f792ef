import type { Duplex } from 'node:stream'
import { readStream } from '../connect.ts'
import { within } from '../deadline.ts'
import { KmsError, type KmsErrorCode } from '../error.ts'
import { ownMembers } from '../own-members.ts'
import { readCredentials, type CredentialsProvider } from './credentials.ts'
import { readLine } from './line.ts'

/** The vsock port that credentials are served on, unless told otherwise. */
export const CREDENTIALS_PORT = 8002

/** The most bytes of a question and of an answer, line ends left out. */
export const QUESTION_MAX = 1024
const ANSWER_MAX = 16_384

const UNTOLD: readonly KmsErrorCode[] = ['ERR_KMS_DEADLINE', 'ERR_KMS_CONNECTION']

/** Options of {@link createVsockCredentials}. */
export interface VsockCredentialsOptions {
  /** Opens a stream to whoever serves credentials on the parent: `enclavejs credentials serve`, or `serveCredentials`. */
  readonly connect: (options: { readonly signal: AbortSignal }) => Promise<Duplex>
  /** Milliseconds for the whole exchange, connecting included. Default 4000. */
  readonly timeout?: number
  /** The clock by which credentials expire. Default: the system's. */
  readonly now?: () => Date
}

/**
 * Credentials from the parent, asked for over a stream. A client keeps them and asks again before they end.
 *
 * On the wire is one line of JSON each way, then the stream ends. The question is
 * `{"enclavejs":"credentials","version":1,"refresh":false}`; `refresh` is true when KMS refused the set given last. The answer
 * is `{"version":1,"credentials":{"accessKeyId":…,"secretAccessKey":…,"sessionToken":…,"expiration":"2026-01-01T00:00:00Z"}}`, or
 * `{"version":1,"error":"unavailable"}`.
 *
 * The parent can answer what it likes: members are checked for their form, all else is left behind, and an answer has at
 * most 16384 bytes. Foreign credentials make KMS refuse, and can make no other key answer, since the client is bound to an ARN.
 *
 * @throws {KmsError} `ERR_KMS_CREDENTIALS` from the provider that this returns
 */
export function createVsockCredentials(options: VsockCredentialsOptions): CredentialsProvider {
  const { connect, timeout = 4000, now = () => new Date() } = ownMembers(options)
  if (typeof connect !== 'function') throw new TypeError('connect must be a function')
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > 600_000) {
    throw new RangeError('timeout must be an integer of 1 to 600000 milliseconds')
  }
  return async ({ forceRefresh = false, signal } = {}) => {
    const controller = new AbortController()
    const until = performance.now() + timeout
    const question = { enclavejs: 'credentials', version: 1, refresh: forceRefresh }
    let stream: Duplex | undefined
    try {
      const dialed = (async () => readStream(await connect({ signal: controller.signal })))()
      stream = await within(dialed, timeout, 'No stream to the parent', signal, (late) =>
        late.on('error', () => undefined).destroy(),
      )
      stream.on('error', () => undefined)
      stream.write(`${JSON.stringify(question)}\n`)
      const answer = await readLine(stream, {
        most: ANSWER_MAX,
        timeout: Math.max(1, until - performance.now()),
        what: 'No answer from the parent',
        ...(signal !== undefined && { signal }),
      })
      return readAnswer(answer, now())
    } catch (cause) {
      // All but a deadline, and something that is no stream, says already what is the matter.
      if (cause instanceof KmsError && !UNTOLD.includes(cause.code)) throw cause
      throw new KmsError(
        'ERR_KMS_CREDENTIALS',
        `The parent gave no credentials: ${(cause as Error).message}`,
        { cause },
      )
    } finally {
      controller.abort()
      stream?.destroy()
    }
  }
}

function readAnswer(line: string, now: Date): Awaited<ReturnType<CredentialsProvider>> {
  let answer: Record<string, unknown>
  try {
    answer = JSON.parse(line) as Record<string, unknown>
  } catch {
    // The parser's own message would quote the line.
    throw new KmsError('ERR_KMS_CREDENTIALS', 'The parent answered with something that is no JSON')
  }
  if (typeof answer !== 'object' || answer === null || answer['version'] !== 1) {
    throw new KmsError('ERR_KMS_CREDENTIALS', 'The parent answered in another version than 1')
  }
  if (Object.hasOwn(answer, 'error')) {
    throw new KmsError(
      'ERR_KMS_CREDENTIALS',
      'The parent has no credentials to give; look at the log of what serves them there',
    )
  }
  return readCredentials(answer['credentials'], 'The parent', now)
}
