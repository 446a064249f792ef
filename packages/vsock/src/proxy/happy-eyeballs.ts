import { connect, isIPv6, type Socket } from 'node:net'
import { VsockError } from '../error.ts'

/** Milliseconds after which the next address is tried beside one that has not answered (RFC 8305 §5). */
const ATTEMPT_DELAY = 250

/** Settings of {@link connectAny}. */
export interface ConnectAnyOptions {
  /** Milliseconds for all attempts together. */
  readonly timeout: number
  /** Told of each address that failed, or was overtaken by one that was tried after it. */
  readonly failed?: (address: string) => void
}

/** The socket that won, and the address that it is connected to. */
export interface Connected {
  readonly socket: Socket
  readonly address: string
}

/** The families in turn, IPv6 first (RFC 8305 §4); within a family the order stays. */
export function alternate(addresses: readonly string[]): readonly string[] {
  const six = addresses.filter((address) => isIPv6(address))
  const four = addresses.filter((address) => !isIPv6(address))
  return Array.from({ length: Math.max(six.length, four.length) }, (_, index) => [
    six[index],
    four[index],
  ])
    .flat()
    .filter((address) => address !== undefined)
}

/**
 * Connects to whichever of the addresses answers first. Each gets a start of 250 ms before the next is tried beside it,
 * and none once it has failed; the losers are destroyed. Several dead addresses cost their refusals, or 250 ms each, not
 * the operating system's two minutes each.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONNECT` when all failed; `ERR_VSOCK_PROXY_TIMEOUT` after the deadline.
 */
export function connectAny(
  addresses: readonly string[],
  port: number,
  { timeout, failed }: ConnectAnyOptions,
): Promise<Connected> {
  return new Promise((resolve, reject) => {
    const waiting = [...addresses]
    const attempts = new Map<Socket, string>()
    const failures: NodeJS.ErrnoException[] = []
    let stagger: NodeJS.Timeout | undefined

    const settle = (winner?: Socket): void => {
      clearTimeout(stagger)
      clearTimeout(deadline)
      let before = true
      for (const [socket, address] of attempts) {
        before &&= socket !== winner
        if (before) failed?.(address)
        if (socket !== winner) socket.destroy()
      }
      attempts.clear()
    }
    const fail = (code: 'ERR_VSOCK_PROXY_CONNECT' | 'ERR_VSOCK_PROXY_TIMEOUT', what: string) => {
      settle()
      const codes = [...new Set(failures.map(({ code = 'unknown' }) => code))].join(', ')
      const tried = `${addresses.length} address${addresses.length === 1 ? '' : 'es'}`
      const cause = failures.length > 1 ? new AggregateError(failures, codes) : failures[0]
      const message = codes === '' ? `${what} (${tried})` : `${what} (${tried}: ${codes})`
      reject(new VsockError(code, message, { cause }))
    }
    const next = (): void => {
      clearTimeout(stagger)
      const address = waiting.shift()
      if (address === undefined) {
        if (attempts.size === 0) fail('ERR_VSOCK_PROXY_CONNECT', 'no address accepts a connection')
        return
      }
      const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true })
      attempts.set(socket, address)
      // A socket that lost is destroyed, and may still have an error to tell.
      socket.on('error', (error) => {
        if (!attempts.delete(socket)) return
        failures.push(error)
        failed?.(address)
        next()
      })
      socket.once('connect', () => {
        if (!attempts.has(socket)) return
        settle(socket)
        resolve({ socket, address })
      })
      stagger = setTimeout(next, ATTEMPT_DELAY)
    }
    const deadline = setTimeout(
      () => fail('ERR_VSOCK_PROXY_TIMEOUT', `no connection within ${timeout} ms`),
      timeout,
    )
    next()
  })
}
