import type { Duplex } from 'node:stream'
import { addressPart, integerOption } from '../address.ts'
import { connectUntil } from '../connect-until.ts'
import { connect as connectVsock } from '../connection.ts'
import { VsockError } from '../error.ts'
import { ownOptions, pathOption } from '../option.ts'
import { LOG_PORT, LONGEST_LINE, parseBeginning, parseEntry, type LogEntry } from './entry.ts'

/** Settings of {@link readLog}. Unknown names are refused. */
export interface ReadLogOptions {
  /** The CID of the enclave. It, `path` or `connect` is needed. */
  readonly cid?: number
  /** In place of a CID: the Unix socket of a virtual machine (hybrid vsock). */
  readonly path?: string
  /** {@link LOG_PORT} (8006) unless given. */
  readonly port?: number
  /** Opens the connection, in place of an address. */
  readonly connect?: (options: { readonly signal: AbortSignal }) => Promise<Duplex>
  /** Goes on when everything that was there has been read, until the enclave ends the connection. False unless given. */
  readonly follow?: boolean
  /** Milliseconds for connecting and the first line, and without `follow` for all of it: 1 to 600,000. 10,000 unless given. */
  readonly timeout?: number
  /** Ends the reading; its reason is thrown. */
  readonly signal?: AbortSignal
}

const OPTIONS = new Set(['cid', 'path', 'port', 'connect', 'follow', 'timeout', 'signal'])

/**
 * Reads the log of an enclave that made one with `createLog`: the parent's side. The enclave is not trusted: a line is at
 * most 8,192 bytes, what is no entry is given as `malformed` without its content, and reading is at the caller's pace. Text in
 * fields may hold anything; print entries with `formatLogEntry` or as JSON with everything but ASCII escaped.
 *
 * The first entry is `beginning`. Entries come from the oldest that the enclave still has.
 *
 * @throws {VsockError} `ERR_VSOCK_LOG_PROTOCOL`: what listens there is no log; `ERR_VSOCK_LOG_LINE`: a line is too long;
 * `ERR_VSOCK_LOG_TIMEOUT`. What the connection failed with (`ECONNRESET` where nothing listens), and the reason of `signal`.
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { formatLogEntry, readLog } from '@enclavejs/vsock/log'
 *
 * for await (const entry of readLog({ cid: 16, follow: true })) console.log(formatLogEntry(entry))
 * ```
 */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<LogEntry, void, undefined> {
  const given = ownOptions(options, OPTIONS, 'readLog')
  const open = door(given)
  const timeout = integerOption('timeout', given.timeout ?? 10_000, 1, 600_000)
  const follow = given.follow === true
  const ending = new AbortController()
  const { signal } = ending
  const abort = (): void => ending.abort(given.signal?.reason)
  if (given.signal?.aborted === true) abort()
  given.signal?.addEventListener('abort', abort, { once: true })
  const late = setTimeout(() => {
    const message = `the log was not read within ${timeout} ms`
    ending.abort(new VsockError('ERR_VSOCK_LOG_TIMEOUT', message))
  }, timeout)
  let stream: Duplex | undefined
  try {
    stream = await connectUntil(signal, () => open({ signal }))
    const lines = linesOf(stream, signal)
    const first = await lines.next()
    if (first.done === true)
      throw new VsockError('ERR_VSOCK_LOG_PROTOCOL', 'it ended without a line')
    const beginning = parseBeginning(first.value)
    if (follow) clearTimeout(late)
    yield beginning
    let last = 0
    if (!follow && beginning.next <= 1) return
    for await (const line of lines) {
      const entry = parseEntry(line, last)
      if ('sequence' in entry) last = entry.sequence
      yield entry
      if (!follow && last >= beginning.next - 1) return
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    clearTimeout(late)
    given.signal?.removeEventListener('abort', abort)
    stream?.on('error', () => undefined).destroy()
  }
}

function door(given: ReadLogOptions): NonNullable<ReadLogOptions['connect']> {
  const { cid, path, connect } = given
  if ([cid, path, connect].filter((one) => one !== undefined).length !== 1) {
    throw new TypeError('readLog: expected one of cid, path and connect')
  }
  if (connect !== undefined) {
    if (typeof connect !== 'function') throw new TypeError('connect: expected a function')
    return connect
  }
  const port = addressPart('port', given.port ?? LOG_PORT)
  const where = cid === undefined ? { path: pathOption(path) } : { cid: addressPart('cid', cid) }
  return ({ signal }) => connectVsock({ ...where, port, signal, connectTimeout: 600_000 })
}

async function* linesOf(stream: Duplex, signal: AbortSignal): AsyncGenerator<string, void> {
  signal.addEventListener('abort', () => stream.destroy(), { once: true })
  signal.throwIfAborted()
  let held: Buffer = Buffer.alloc(0)
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    for (let end = held.indexOf(10); end >= 0; end = held.indexOf(10)) {
      if (end > LONGEST_LINE) throw tooLong()
      yield held.toString('utf8', 0, end)
      held = held.subarray(end + 1)
    }
    if (held.length > LONGEST_LINE) throw tooLong()
  }
}

function tooLong(): VsockError {
  return new VsockError(
    'ERR_VSOCK_LOG_LINE',
    `a line of a log is longer than ${LONGEST_LINE} bytes`,
  )
}
