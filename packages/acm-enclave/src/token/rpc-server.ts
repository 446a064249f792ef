import type { Duplex } from 'node:stream'
import type { Answer } from './answer.ts'
import { Client } from './client.ts'
import { CKR, CryptokiError } from './cryptoki.ts'
import { OBJECT_CALLS } from './object-calls.ts'
import { ERROR_CALL, ERROR_SIGNATURE, RPC_CALLS } from './rpc-call.ts'
import { beginFrame, endFrame, RpcFrameReader, type RpcFrame } from './rpc-frame.ts'
import { mechanismEncoding } from './rpc-mechanism.ts'
import { RpcReader, RpcSyntaxError } from './rpc-reader.ts'
import { SESSION_CALLS } from './session-calls.ts'
import { SIGN_CALLS } from './sign-calls.ts'
import { SLOT_CALLS } from './slot-calls.ts'
import type { TokenStore } from './token-store.ts'

/** The version that the server knows: clients of 0.25.6 and later know it too. */
const VERSION = 2
const ANSWERS: Readonly<Record<string, Answer>> = {
  ...{ ...SLOT_CALLS, ...SESSION_CALLS },
  ...{ ...OBJECT_CALLS, ...SIGN_CALLS },
}

/** A frame that fails, whatever its call was. */
function errorFrame(code: number, rv: number): Uint8Array {
  return endFrame(beginFrame(code, '', ERROR_CALL, ERROR_SIGNATURE).u64(rv))
}

function returnValue(error: unknown): number {
  if (error instanceof CryptokiError) return error.rv
  if (error instanceof RpcSyntaxError) return CKR.DEVICE_ERROR
  return CKR.GENERAL_ERROR
}

/** Answers one frame. Never throws, never rejects. */
export function answerFrame(client: Client, frame: RpcFrame): Uint8Array | Promise<Uint8Array> {
  const { code, body } = frame
  try {
    const args = new RpcReader(body)
    const call = RPC_CALLS.get(args.u32())
    if (call === undefined) throw new CryptokiError(CKR.FUNCTION_NOT_SUPPORTED)
    if (!args.isText(call.request)) throw new RpcSyntaxError(`${call.name} has another signature`)
    if (!client.initialized && call.name !== 'Initialize') {
      throw new CryptokiError(CKR.CRYPTOKI_NOT_INITIALIZED)
    }
    const answer = beginFrame(code, '', call.id, call.response)
    const pending = (ANSWERS[call.name] as Answer)(client, args, answer)
    if (pending === undefined) return endFrame(answer)
    return pending.then(
      () => endFrame(answer),
      (error: unknown) => errorFrame(code, returnValue(error)),
    )
  } catch (error) {
    return errorFrame(code, returnValue(error))
  }
}

/** Limits of one connection, in milliseconds. */
export interface ConnectionTimes {
  /** From the connection to the end of C_Initialize. */
  readonly handshake: number
  /** From the first byte of a frame to its last, and from an answer to when the client has taken it. */
  readonly transfer: number
}

/** Answers that are held for one write, in bytes; the one that exceeds it goes with them. */
const MAX_HELD = 16_384

/**
 * One client on one stream, one call after the other. What is held is bounded: one frame, one chunk, a few answers. Answers to
 * calls that came together go back together, in one write: those of C_SignInit and C_Sign with the signature.
 */
export class RpcConnection {
  readonly #store: TokenStore
  readonly #stream: Duplex
  readonly #times: ConnectionTimes
  readonly #reader = new RpcFrameReader()
  #client: Client | undefined
  #answers: Uint8Array[] = []
  #held = 0
  #busy = false
  #timer: NodeJS.Timeout | undefined
  #ended = false

  constructor(store: TokenStore, stream: Duplex, times: ConnectionTimes) {
    this.#store = store
    this.#stream = stream
    this.#times = times
    stream.on('data', (chunk: Uint8Array) => this.#take(chunk))
    stream.on('end', () => this.#end())
    stream.on('error', () => this.#end())
    stream.on('close', () => this.#end())
    this.#arm(times.handshake)
  }

  /** Whether the client has begun to sign with a key. */
  hasUsed(handle: number): boolean {
    return this.#client?.used.has(handle) === true
  }

  /** Sessions that a client has that has not logged in; undefined for one that has. */
  get strangerSessions(): number | undefined {
    return this.#client?.loggedIn === true ? undefined : (this.#client?.sessionCount ?? 0)
  }

  /** Ends the connection at once. Calls under way end without an answer. */
  close(): void {
    this.#end()
  }

  #arm(milliseconds: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#end(), milliseconds)
    this.#timer.unref()
  }

  #disarm(): void {
    if (this.#timer === undefined || this.#client?.initialized !== true) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#client?.closeAllSessions()
    this.#stream.destroy()
  }

  #take(chunk: Uint8Array): void {
    if (this.#ended) return
    this.#reader.push(chunk)
    if (this.#busy) this.#stream.pause()
    else this.#answerAll()
  }

  /** Answers what has come. While one call is under way, what comes is held back. */
  #answerAll(): void {
    try {
      if (this.#client === undefined) this.#negotiate()
      while (!this.#ended && !this.#busy) {
        const frame = this.#client && this.#reader.shift()
        if (frame === undefined) break
        this.#disarm()
        this.#answer(this.#client as Client, frame)
      }
    } catch {
      // Where the next frame begins is unknown.
      this.#flush()
      this.#end()
      return
    }
    if (!this.#busy) this.#flush()
    if (this.#ended || this.#busy) return
    if (!this.#reader.waiting) this.#disarm()
    else if (this.#timer === undefined) this.#arm(this.#times.transfer)
  }

  #negotiate(): void {
    const first = this.#reader.shiftByte()
    if (first === undefined) return
    this.#client = new Client(this.#store, mechanismEncoding(first))
    this.#stream.write(Uint8Array.of(Math.min(first, VERSION)))
  }

  #answer(client: Client, frame: RpcFrame): void {
    const answer = answerFrame(client, frame)
    if (answer instanceof Uint8Array) {
      this.#hold(answer)
      return
    }
    this.#busy = true
    void answer.then((bytes) => {
      this.#busy = false
      if (this.#ended) return
      this.#hold(bytes)
      this.#flush()
      this.#continue()
    })
  }

  #hold(answer: Uint8Array): void {
    this.#answers.push(answer)
    this.#held += answer.length
    if (this.#held >= MAX_HELD) this.#flush()
  }

  #flush(): void {
    const [first] = this.#answers
    if (first === undefined) return
    const bytes = this.#answers.length === 1 ? first : Buffer.concat(this.#answers)
    this.#answers = []
    this.#held = 0
    if (this.#stream.write(bytes)) return
    // A client that does not read gets no more answers, and is not listened to.
    this.#busy = true
    this.#arm(this.#times.transfer)
    this.#stream.once('drain', () => {
      this.#busy = false
      this.#disarm()
      this.#continue()
    })
  }

  #continue(): void {
    if (this.#ended || this.#busy) return
    this.#answerAll()
    if (!this.#busy && !this.#ended) this.#stream.resume()
  }
}
