import type { Server, Socket } from 'node:net'
import { ownMembers } from '../own-members.ts'
import { CredentialsCache } from './cache.ts'
import type { Credentials, CredentialsProvider } from './credentials.ts'
import { readLine } from './line.ts'
import { QUESTION_MAX } from './vsock.ts'

/** Options of {@link serveCredentials}. */
export interface ServeCredentialsOptions {
  /** Connections at a time, 1 to 1024. Default 64; more are closed at once. */
  readonly maxConnections?: number
  /** Milliseconds that a connection may last, from its beginning to its end. Default 5000. */
  readonly timeout?: number
  /** Told of every answer. `error` is what the provider threw: it is not sent to the enclave. What it throws itself is ignored. */
  readonly onServed?: (event: CredentialsServed) => void
  /** Default: the system's clock. */
  readonly now?: () => Date
}

/** One answer, without anything of it. */
export interface CredentialsServed {
  readonly outcome: 'served' | 'unavailable' | 'malformed'
  /** When the set that was given ends. */
  readonly expiration?: Date
  readonly error?: unknown
}

/**
 * Serves credentials to an enclave, for `createVsockCredentials`: the parent's side. Takes the connections of a server that
 * listens wherever the caller let it: on vsock, `listenVsock(server, { port: CREDENTIALS_PORT, allowedCids: [16] })`.
 * Whoever can connect gets the credentials, so admit the enclave's CID alone.
 *
 * What `provider` gives is kept and renewed five minutes before its end; while it fails, the last good set is given until it ends. The
 * server keeps running whatever a connection does; closing it is the caller's.
 */
export function serveCredentials<T extends Server>(
  server: T,
  provider: CredentialsProvider,
  options: ServeCredentialsOptions = {},
): T {
  const { maxConnections = 64, timeout = 5000, onServed, now } = ownMembers(options)
  if (!Number.isInteger(maxConnections) || maxConnections < 1 || maxConnections > 1024) {
    throw new RangeError('maxConnections must be an integer of 1 to 1024')
  }
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > 600_000) {
    throw new RangeError('timeout must be an integer of 1 to 600000 milliseconds')
  }
  const cache = new CredentialsCache(provider, now === undefined ? {} : { now })
  const tell = async (event: CredentialsServed): Promise<void> => onServed?.(event)
  let open = 0
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined)
    if (open >= maxConnections) {
      socket.destroy()
      return
    }
    open++
    answer(socket, cache, timeout)
      .then(tell, (error: unknown) => {
        socket.destroy()
        return tell({ outcome: 'malformed', error })
      })
      .catch(() => undefined)
    // Neither a reader that does not read nor a byte now and then may hold the connection.
    const timer = setTimeout(() => socket.destroy(), timeout).unref()
    socket.once('close', () => {
      open--
      clearTimeout(timer)
    })
  })
  return server
}

async function answer(
  socket: Socket,
  cache: CredentialsCache,
  timeout: number,
): Promise<CredentialsServed> {
  const line = await readLine(socket, { most: QUESTION_MAX, timeout, what: 'No question' })
  const { refresh } = readQuestion(line)
  try {
    const credentials = await cache.get({ forceRefresh: refresh })
    socket.end(`${JSON.stringify({ version: 1, credentials: onTheWire(credentials) })}\n`)
    const { expiration } = credentials
    return { outcome: 'served', ...(expiration !== undefined && { expiration }) }
  } catch (error) {
    socket.end(`${JSON.stringify({ version: 1, error: 'unavailable' })}\n`)
    return { outcome: 'unavailable', error }
  }
}

function readQuestion(line: string): { refresh: boolean } {
  const question = JSON.parse(line) as Record<string, unknown> | null
  if (
    question?.['enclavejs'] !== 'credentials' ||
    question['version'] !== 1 ||
    typeof question['refresh'] !== 'boolean'
  ) {
    throw new Error('a question for credentials of version 1 expected')
  }
  return { refresh: question['refresh'] }
}

function onTheWire({
  accessKeyId,
  secretAccessKey,
  sessionToken,
  expiration,
}: Credentials): object {
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    ...(expiration !== undefined && { expiration: expiration.toISOString() }),
  }
}
