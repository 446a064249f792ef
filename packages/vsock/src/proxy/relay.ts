import type { Socket } from 'node:net'
import type { CloseReason } from './event.ts'

/** How two joined connections ended. */
export interface RelayEnd {
  readonly reason: CloseReason
  /** Of the end that broke: `ECONNRESET`. */
  readonly code: string | undefined
}

/** Settings of {@link Relay}. */
export interface RelayOptions {
  /** Milliseconds. */
  readonly idleTimeout: number
  /** Told of the bytes that the client sent, and of those that were sent to it. */
  readonly up: (bytes: number) => void
  readonly down: (bytes: number) => void
}

/**
 * Joins two connections, each way on its own: the end of one direction is handed on and the other stays open. What one
 * side does not read is not read from the other, so that a pair holds at most a few chunks of 64 KiB each way. When one
 * side breaks, the other is cut off as well, by a reset where there is such a thing, so that a part of a message is not
 * taken for all of it.
 */
export class Relay {
  /** Fulfilled when both ends are closed. */
  readonly ended: Promise<RelayEnd>
  readonly #client: Socket
  readonly #server: Socket
  #reason: CloseReason = 'end'
  #code: string | undefined

  /** Both sockets allow half-open connections. `client` is the one that connected to us. */
  constructor(client: Socket, server: Socket, { idleTimeout, up, down }: RelayOptions) {
    this.#client = client
    this.#server = server
    const idle = setTimeout(() => this.cut('idle'), idleTimeout)
    this.ended = Promise.all([this.#watch(client), this.#watch(server)]).then(() => {
      clearTimeout(idle)
      return { reason: this.#reason, code: this.#code }
    })
    carry(client, server, (bytes) => {
      idle.refresh()
      up(bytes)
    })
    carry(server, client, (bytes) => {
      idle.refresh()
      down(bytes)
    })
  }

  /** Ends both at once. */
  cut(reason: CloseReason, code?: string): void {
    if (this.#reason === 'end') {
      this.#reason = reason
      this.#code = code
    }
    abort(this.#client)
    abort(this.#server)
  }

  /** Until the socket is closed; its failure, or its closing before both directions ended, cuts the other off. */
  #watch(socket: Socket): Promise<void> {
    return new Promise((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => this.cut('error', error.code))
      const closed = (): void => {
        if (!socket.readableEnded || !socket.writableFinished) {
          this.cut('error', (socket.errored as NodeJS.ErrnoException | null)?.code)
        }
        resolve()
      }
      if (socket.closed) process.nextTick(closed)
      else socket.once('close', closed)
    })
  }
}

/** Hands on bytes and the end, at the pace of the reader. */
function carry(from: Socket, to: Socket, count: (bytes: number) => void): void {
  from.on('data', (chunk: Buffer) => {
    count(chunk.length)
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => {
    count(0)
    from.resume()
  })
  from.once('end', () => to.end())
  if (from.readableEnded) to.end()
  else from.resume()
}

/** Closes a connection so that the other side does not mistake it for a proper end, as far as its kind allows. */
export function abort(socket: Socket): void {
  if (socket.destroyed) return
  // Only TCP has a reset, and only TCP has an address that node:net knows.
  const isTcp = !socket.connecting && socket.remoteFamily !== undefined
  if (isTcp && !isEnding(socket)) socket.resetAndDestroy()
  else socket.destroy()
}

/**
 * Whether everything was handed to the kernel and its end is on the way. libuv refuses a reset then (EINVAL), and node:net
 * neither closes the descriptor nor emits `close` after that.
 */
function isEnding(socket: Socket): boolean {
  return socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
}
