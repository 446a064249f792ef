import type { Duplex } from 'node:stream'
import { Deadline } from './deadline.ts'
import { VsockError } from './error.ts'
import { FrameSplitter } from './frame-splitter.ts'
import { MessageRemoteError } from './message-error.ts'
import { decodeResponse, LONGEST_ERROR, STATUS_LENGTH } from './message-response.ts'
import type { PendingRequest } from './pending-request.ts'

/** What a pipeline tells its owner. */
export interface PipelineListener {
  /** More can be sent. */
  room(): void
  /** It takes no more requests. */
  lost(): void
  /** Its stream is closed. */
  closed(): void
}

/** Bounds of a pipeline, as in the options of the client. */
export interface PipelineLimits {
  readonly maxMessageLength: number
  readonly maxInFlight: number
  readonly deadline: number
  readonly idleTimeout: number
}

/** How long a server may keep open a connection that was ended here. */
const LINGER = 2000

/** One connection of a client: requests go out, and the responses are theirs in the same order. */
export class MessagePipeline {
  readonly #stream: Duplex
  readonly #limits: PipelineLimits
  readonly #listener: PipelineListener
  readonly #splitter: FrameSplitter
  /** In the order of their responses. Those that were given up keep their place. */
  readonly #sent: PendingRequest[] = []
  readonly #idle: Deadline = new Deadline(() => this.end())
  readonly #overdue: Deadline = new Deadline(() =>
    this.#fail(new Error('a request that was given up has no response yet')),
  )
  readonly #linger: Deadline = new Deadline(() => this.destroy())
  #lost = false
  #corked = false

  constructor(stream: Duplex, limits: PipelineLimits, listener: PipelineListener) {
    this.#stream = stream
    this.#limits = limits
    this.#listener = listener
    const longest = Math.max(limits.maxMessageLength + STATUS_LENGTH, LONGEST_ERROR)
    this.#splitter = new FrameSplitter(longest)
    stream.on('error', (error: Error) => this.#fail(error))
    stream.on('end', () => this.#ended())
    stream.on('close', () => {
      this.#fail(new Error('the connection was closed'))
      this.#linger.stop()
      listener.closed()
    })
    stream.on('drain', () => listener.room())
    stream.on('data', (chunk: Uint8Array) => this.#receive(chunk))
    this.#settleIdle()
  }

  /** Whether a request can be sent now. */
  get hasRoom(): boolean {
    return (
      !this.#lost && this.#sent.length < this.#limits.maxInFlight && !this.#stream.writableNeedDrain
    )
  }

  /** Sends a request. Those of one tick go out together: vsock counts packets, not only bytes. */
  send(pending: PendingRequest): void {
    this.#sent.push(pending)
    this.#settleIdle()
    if (!this.#corked) {
      this.#corked = true
      this.#stream.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#stream.uncork()
      })
    }
    this.#stream.write(pending.takeFrame())
  }

  /**
   * Looks after those that were given up: a server that owes nothing else and takes no more, or has not answered the first
   * of them within another deadline, is left.
   */
  giveUp(): void {
    if (this.#lost || !this.#sent.some((pending) => pending.settled)) return
    if (!this.hasRoom && this.#sent.every((pending) => pending.settled)) {
      this.#fail(new Error('all requests under way were given up'))
    } else if (this.#sent[0]?.settled === true && !this.#overdue.started) {
      this.#overdue.start(this.#limits.deadline)
    }
  }

  /** Takes no more requests, and ends the connection. Nothing may be under way. */
  end(): void {
    if (this.#lost) return
    this.#leave()
    this.#reference(true)
    this.#stream.end()
    this.#linger.start(LINGER)
  }

  destroy(): void {
    this.#stream.destroy()
  }

  #receive(chunk: Uint8Array): void {
    if (this.#lost) return
    try {
      this.#splitter.push(chunk)
      for (;;) {
        const response = this.#splitter.shift()
        if (response === undefined) break
        this.#answer(response)
      }
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    this.#settleIdle()
    this.#listener.room()
  }

  #answer(response: Uint8Array): void {
    const pending = this.#sent[0]
    if (pending === undefined) decodeUnasked(response)
    else {
      let message: Uint8Array
      try {
        message = decodeResponse(response)
      } catch (error) {
        if (!(error instanceof MessageRemoteError)) throw error
        this.#next()
        pending.reject(error)
        return
      }
      this.#next()
      pending.resolve(message)
    }
  }

  #next(): void {
    this.#sent.shift()
    this.#overdue.stop()
    if (this.#sent[0]?.settled === true) this.#overdue.start(this.#limits.deadline)
  }

  #ended(): void {
    try {
      this.#splitter.end()
      this.#fail(new Error('the server ended the connection'))
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #fail(cause: Error): void {
    if (this.#lost) return
    this.#leave()
    for (const pending of this.#sent.splice(0)) {
      pending.reject(connectionError('the connection ended before the response', cause))
    }
    this.destroy()
  }

  #leave(): void {
    this.#lost = true
    this.#idle.stop()
    this.#overdue.stop()
    this.#listener.lost()
  }

  /** A connection without requests ends after a while, and does not keep the process alive until then. */
  #settleIdle(): void {
    const isIdle = this.#sent.length === 0
    if (isIdle === this.#idle.started) return
    if (isIdle) this.#idle.start(this.#limits.idleTimeout)
    else this.#idle.stop()
    this.#reference(!isIdle)
  }

  #reference(wanted: boolean): void {
    const method: unknown = Reflect.get(this.#stream, wanted ? 'ref' : 'unref')
    if (typeof method === 'function') Reflect.apply(method, this.#stream, [])
  }
}

/** A code that nobody asked for says why the server ends the connection; a message that nobody asked for is a fault. */
function decodeUnasked(response: Uint8Array): never {
  decodeResponse(response)
  throw new VsockError(
    'ERR_VSOCK_MESSAGE_RESPONSE',
    'expected no response: none was asked for; the order of the responses cannot be trusted any more',
  )
}

/** `ERR_VSOCK_MESSAGE_CONNECTION`. */
export function connectionError(what: string, cause: unknown): VsockError {
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new VsockError('ERR_VSOCK_MESSAGE_CONNECTION', `${what}${why}`, { cause })
}
