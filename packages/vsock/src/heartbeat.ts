import type { Duplex } from 'node:stream'
import { addressPart, integerOption, NITRO_PARENT_CID } from './address.ts'
import { connectUntil } from './connect-until.ts'
import { connect as connectVsock } from './connection.ts'
import { VsockError } from './error.ts'
import { ownOptions } from './option.ts'

/** The byte that is sent and comes back. */
const HEARTBEAT = 0xb7
const HEARTBEAT_PORT = 9000

/** Options of {@link sendHeartbeat}. */
export interface HeartbeatOptions {
  /** The CID of the parent. {@link NITRO_PARENT_CID} (3) unless given. */
  readonly cid?: number
  /** 9000 unless given. */
  readonly port?: number
  /** Milliseconds for all of it: 1 to 2147483647. 10000 unless given. */
  readonly timeout?: number
  /** Opens the connection. `connect` of this package unless given. */
  readonly connect?: (options: {
    readonly cid: number
    readonly port: number
    readonly signal: AbortSignal
  }) => Promise<Duplex>
}

const OPTIONS = new Set(['cid', 'port', 'timeout', 'connect'])

/**
 * The heartbeat of Nitro's init: connects to the parent (CID 3, port 9000), writes the byte 0xB7, reads it back, and closes.
 * `nitro-cli run-enclave` waits for it and terminates an enclave that does not send it (its error E36). Send it once, early,
 * from the program that is the enclave's init; if another init starts your program, AWS's or that of `@enclavejs/eif`, it has
 * sent it already. QEMU's `nitro-enclave` machine wants none.
 *
 * That it is answered says that something listens on that port of the parent, no more.
 *
 * @throws {VsockError} `ERR_VSOCK_HEARTBEAT`: no connection, no answer within `timeout`, an end or another byte in its place;
 * `cause` is what the connection failed with
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @see aws-nitro-enclaves-sdk-bootstrap, init/init.c, `enclave_ready`
 * @example
 * ```ts
 * import { sendHeartbeat } from '@enclavejs/vsock'
 *
 * await sendHeartbeat({ timeout: 5000 })
 * ```
 */
export async function sendHeartbeat(options: HeartbeatOptions = {}): Promise<void> {
  const given = ownOptions(options, OPTIONS, 'sendHeartbeat')
  const connect: NonNullable<HeartbeatOptions['connect']> = given.connect ?? connectVsock
  if (typeof connect !== 'function') throw new TypeError('connect: expected a function')
  const cid = addressPart('cid', given.cid ?? NITRO_PARENT_CID)
  const port = addressPart('port', given.port ?? HEARTBEAT_PORT)
  const timeout = integerOption('timeout', given.timeout ?? 10_000, 1, 2 ** 31 - 1)
  const late = new AbortController()
  const { signal } = late
  const timer = setTimeout(() => {
    late.abort(
      new DOMException(`it was not answered within ${timeout} milliseconds`, 'TimeoutError'),
    )
  }, timeout)
  try {
    const stream = await connectUntil(signal, () => connect({ cid, port, signal }))
    await exchange(stream, signal)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'the connection failed'
    throw new VsockError(
      'ERR_VSOCK_HEARTBEAT',
      `no heartbeat with CID ${cid}, port ${port}: ${why}; expected the parent to send 0xB7 back`,
      { cause },
    )
  } finally {
    clearTimeout(timer)
  }
}

/** Sends the byte and waits until it comes back. The stream is closed then, whatever came. */
function exchange(stream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    stream.on('error', reject)
    stream.on('close', () => reject(new Error('the connection was closed before the answer')))
    stream.on('end', () => reject(new Error('the connection ended before the answer')))
    stream.on('data', (chunk: Uint8Array) => {
      const [byte = 0] = chunk
      if (byte === HEARTBEAT) resolve()
      else reject(new Error(`the answer was 0x${byte.toString(16).padStart(2, '0')}`))
    })
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    stream.write(Uint8Array.of(HEARTBEAT))
  }).finally(() => stream.destroy())
}
