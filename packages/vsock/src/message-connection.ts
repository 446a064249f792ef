import type { Socket } from 'node:net'
import { Deadline } from './deadline.ts'
import { FrameSplitter } from './frame-splitter.ts'
import { publishMessage } from './message-event.ts'
import {
  callHandler,
  remoteOf,
  type MessageHandler,
  type MessageRemote,
} from './message-handler.ts'
import { encodeErrorResponse, encodeResponse } from './message-response.ts'

/** Bounds of a connection, in bytes, requests and milliseconds. */
export interface MessageLimits {
  readonly maxMessageLength: number
  readonly maxInFlight: number
  readonly highWaterMark: number
  readonly readTimeout: number
  readonly idleTimeout: number
  readonly writeTimeout: number
  readonly handlerTimeout: number
}

/** How long a peer that was told the last response may go on sending, unread, before the connection is cut. */
const LINGER = 1000

/**
 * One connection of a server. Requests are handled side by side, up to `maxInFlight`, and answered in their order. It
 * stops reading while too many are at work, or too many bytes of responses wait.
 */
export class MessageConnection {
  readonly #socket: Socket
  readonly #handler: MessageHandler
  readonly #limits: MessageLimits
  readonly #account: (change: number) => boolean
  readonly #remote: MessageRemote
  #splitter: FrameSplitter
  readonly #read: Deadline = new Deadline(() => this.refuse('TIMEOUT'))
  readonly #write: Deadline = new Deadline(() => this.#socket.destroy())
  readonly #idle: Deadline = new Deadline(() => this.#considerIdle())
  readonly #linger: Deadline = new Deadline(() => this.#socket.destroy())
  /** In the order of the requests; without a frame where the handler is at work. */
  readonly #responses: { frame?: Uint8Array }[] = []
  /** Handlers at work, those whose time is up included. */
  readonly #running = new Set<AbortController>()
  #requestBytes = 0
  #responseBytes = 0
  #unwritten = 0
  #held = 0
  /** Whether requests are taken, and how many more of the chunk at hand. */
  #open = true
  #mayTake = Infinity
  #peerEnded = false
  #closing = false
  #ended = false
  #advancing = false
  #corked = false
  #active = performance.now()

  /** `account` is told of each change of the bytes held here; false: too many are held by all together. */
  constructor(
    socket: Socket,
    handler: MessageHandler,
    limits: MessageLimits,
    account: (change: number) => boolean,
  ) {
    this.#socket = socket
    this.#handler = handler
    this.#limits = limits
    this.#account = account
    this.#remote = remoteOf(socket)
    this.#splitter = new FrameSplitter(limits.maxMessageLength)
    socket.allowHalfOpen = true // a peer that has sent all it wants still reads
    socket.setNoDelay(true)
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => this.#closed())
    socket.on('end', () => {
      this.#peerEnded = true
      this.#advance()
    })
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk))
    this.#idle.start(limits.idleTimeout)
    this.#updateReading() // a server may hand out paused sockets
  }

  /** Answers with a code after what is at work, and ends. */
  refuse(code: string): void {
    if (!this.#open) return
    this.#open = false
    const frame = encodeErrorResponse(code)
    const requestBytes = this.#splitter.received
    this.#splitter = new FrameSplitter(0) // lets go of what came
    publishMessage({ status: code, requestBytes, responseBytes: frame.length, duration: 0 })
    this.#respond(this.#expect(), frame)
    this.#advance()
  }

  /** Finishes the requests that have begun to arrive, and ends. */
  close(): void {
    // Two turns of the event loop: one whole look at what the kernel has for this socket.
    setImmediate(() =>
      setImmediate(() => {
        this.#closing = true
        this.#advance()
      }),
    )
  }

  #receive(chunk: Uint8Array): void {
    if (!this.#open) return // read and dropped: to leave it unread would reset the connection before its last response
    this.#active = performance.now()
    if (this.#closing && !this.#splitter.waiting) this.#mayTake = 1
    this.#splitter.push(chunk)
    if (this.#updateHeld()) this.#advance()
    else this.refuse('BUSY')
  }

  get #hasRoom(): boolean {
    const { maxInFlight, highWaterMark } = this.#limits
    return (
      this.#running.size < maxInFlight &&
      this.#responses.length < maxInFlight &&
      this.#responseBytes < highWaterMark
    )
  }

  /** Takes the requests that may be taken, and does what follows from where things stand. */
  #advance(): void {
    if (this.#advancing || this.#socket.destroyed) return
    this.#advancing = true
    try {
      this.#takeRequests()
    } finally {
      this.#advancing = false
    }
    if (!this.#open && this.#responses.length === 0 && !this.#ended) {
      this.#ended = true
      this.#idle.stop()
      this.#socket.end(() => this.#linger.start(LINGER))
    }
    this.#updateReading()
    this.#updateHeld()
  }

  #takeRequests(): void {
    while (this.#open && this.#hasRoom) {
      if (this.#mayTake === 0) {
        this.#open = false
        return
      }
      let request: Uint8Array | undefined
      try {
        request = this.#splitter.shift()
      } catch {
        this.refuse('TOO_LARGE')
        return
      }
      if (request === undefined) {
        if (this.#peerEnded && this.#splitter.begun) this.refuse('TRUNCATED')
        else if (this.#peerEnded || (this.#closing && !this.#splitter.begun)) this.#open = false
        return
      }
      this.#mayTake--
      this.#read.stop()
      void this.#answer(request)
    }
  }

  async #answer(request: Uint8Array): Promise<void> {
    const { handlerTimeout, maxMessageLength } = this.#limits
    const response = this.#expect()
    const controller = new AbortController()
    this.#running.add(controller)
    this.#requestBytes += request.length
    const requestBytes = request.length
    const started = performance.now()
    const give = (status: string, frame: Uint8Array, errorName?: string): void => {
      if (response.frame !== undefined) return // it was late
      const duration = performance.now() - started
      publishMessage({
        ...{ status, requestBytes, duration },
        ...(!this.#socket.destroyed && { responseBytes: frame.length }),
        ...(errorName !== undefined && { errorName }),
      })
      this.#respond(response, frame)
    }
    const timer = setTimeout(() => {
      give('TIMEOUT', encodeErrorResponse('TIMEOUT'))
      controller.abort(new DOMException('handlerTimeout has passed', 'TimeoutError'))
      this.#advance()
    }, handlerTimeout)
    const { signal } = controller
    const context = { signal, remote: this.#remote, socket: this.#socket }
    const outcome = await callHandler(this.#handler, request, context, maxMessageLength)
    clearTimeout(timer)
    const { status, message, errorName } = outcome
    give(status, message ? encodeResponse(message) : encodeErrorResponse(status), errorName)
    this.#running.delete(controller)
    this.#requestBytes -= requestBytes
    this.#advance()
  }

  /** A place in the order of the responses. */
  #expect(): { frame?: Uint8Array } {
    const response = {}
    this.#responses.push(response)
    return response
  }

  #respond(response: { frame?: Uint8Array }, frame: Uint8Array): void {
    response.frame = frame
    if (this.#socket.destroyed) return
    this.#responseBytes += frame.length
    for (let first = this.#responses[0]?.frame; first; first = this.#responses[0]?.frame) {
      this.#responses.shift()
      this.#send(first)
    }
  }

  /** Responses of one tick go out together: vsock counts packets, not only bytes. */
  #send(frame: Uint8Array): void {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#socket.uncork()
      })
    }
    this.#unwritten++
    if (!this.#write.started) this.#write.start(this.#limits.writeTimeout)
    this.#socket.write(frame, () => {
      this.#responseBytes -= frame.length
      this.#unwritten--
      this.#active = performance.now()
      if (this.#unwritten === 0) this.#write.stop()
      else this.#write.start(this.#limits.writeTimeout)
      this.#advance()
    })
  }

  /** The time of a request runs while it is read, not while this side makes the peer wait. */
  #updateReading(): void {
    if (this.#open && !this.#hasRoom) {
      this.#socket.pause()
      this.#read.pause()
      return
    }
    this.#socket.resume()
    if (!this.#open || !this.#splitter.begun) this.#read.stop()
    else if (this.#read.started) this.#read.resume()
    else this.#read.start(this.#limits.readTimeout)
  }

  #updateHeld(): boolean {
    const held = this.#splitter.held + this.#requestBytes + this.#responseBytes
    const change = held - this.#held
    this.#held = held
    return this.#account(change)
  }

  #considerIdle(): void {
    const busy = this.#responses.length > 0 || this.#unwritten > 0 || this.#splitter.begun
    const left = busy
      ? this.#limits.idleTimeout
      : this.#active + this.#limits.idleTimeout - performance.now()
    if (left > 0) {
      this.#idle.start(Math.max(1, left))
      return
    }
    this.#open = false
    this.#advance()
  }

  #closed(): void {
    this.#open = false
    for (const deadline of [this.#read, this.#write, this.#idle, this.#linger]) deadline.stop()
    for (const controller of this.#running) {
      controller.abort(new DOMException('the connection is gone', 'AbortError'))
    }
    this.#account(-this.#held)
    this.#held = 0
  }
}
