import type { Duplex } from 'node:stream'
import { CryptokiError } from './cryptoki.ts'
import { ERROR_CALL, ERROR_SIGNATURE, rpcCall, type RpcCall } from './rpc-call.ts'
import { beginFrame, endFrame, RpcFrameReader, type RpcFrame } from './rpc-frame.ts'
import { RpcReader, RpcSyntaxError } from './rpc-reader.ts'
import type { RpcWriter } from './rpc-writer.ts'

/** The version byte of this client: p11-kit 0.25.6 and later, whose mechanisms it writes. */
const VERSION = 2
const HANDSHAKE = new TextEncoder().encode('PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1')
/** Name of the module, which every frame carries and servers ignore. */
const OPTIONS = 'client'
const FIRST_CODE = 0x10

interface Pending {
  readonly call: RpcCall
  readonly resolve: (args: RpcReader) => void
  readonly reject: (error: Error) => void
}

/** The client's side of p11-kit's RPC. Calls may overlap: an answer finds its call by the code. */
export class RpcClient {
  readonly #stream: Duplex
  readonly #reader = new RpcFrameReader()
  readonly #pending = new Map<number, Pending>()
  readonly #onEnd: () => void
  #nextCode = FIRST_CODE
  #negotiated = false
  #gathered: Uint8Array[] | undefined
  #failure: Error | undefined

  /** Sends the version byte. `onEnd` is called once, when nothing more will be answered. */
  constructor(stream: Duplex, onEnd: () => void = () => {}, version: number = VERSION) {
    this.#stream = stream
    this.#onEnd = onEnd
    stream.on('data', (chunk: Uint8Array) => this.#take(chunk))
    stream.on('error', (error) => this.#fail(error))
    stream.on('end', () => this.#fail(new Error('the token ended the connection')))
    stream.on('close', () => this.#fail(new Error('the connection was closed')))
    stream.write(Uint8Array.of(version))
  }

  get ended(): boolean {
    return this.#failure !== undefined
  }

  /** C_Initialize. */
  async initialize(): Promise<void> {
    const write = (args: RpcWriter): RpcWriter => {
      return args.present(HANDSHAKE).u8(0).present(Uint8Array.of(0))
    }
    await this.call('Initialize', write)
  }

  /**
   * @returns the arguments of the answer: views of what was read, copied by whoever keeps them
   * @throws {CryptokiError} when the token refuses; any other error when the connection is of no use any more
   */
  call(name: string, write: (args: RpcWriter) => unknown = () => {}): Promise<RpcReader> {
    const call = rpcCall(name)
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const code = this.#nextCode++
    if (this.#nextCode > 0xffffffff) this.#nextCode = FIRST_CODE
    const frame = beginFrame(code, OPTIONS, call.id, call.request)
    write(frame)
    return new Promise((resolve, reject) => {
      this.#pending.set(code, { call, resolve, reject })
      const bytes = endFrame(frame, OPTIONS.length)
      if (this.#gathered === undefined) this.#stream.write(bytes)
      else this.#gathered.push(bytes)
    })
  }

  /** Calls in one write: one round trip. */
  together<Result>(make: () => Result): Result {
    const gathered = (this.#gathered ??= [])
    try {
      return make()
    } finally {
      this.#gathered = undefined
      if (gathered.length > 0) this.#stream.write(Buffer.concat(gathered))
    }
  }

  close(): void {
    this.#fail(new Error('the connection was closed here'))
  }

  #take(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk)
      if (!this.#negotiated) {
        const version = this.#reader.shiftByte()
        if (version === undefined) return
        if (version > VERSION) throw new RpcSyntaxError(`version ${version} was not offered`)
        this.#negotiated = true
      }
      for (let frame = this.#reader.shift(); frame !== undefined; frame = this.#reader.shift()) {
        this.#settle(frame)
      }
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #settle({ code, body }: RpcFrame): void {
    const pending = this.#pending.get(code)
    if (pending === undefined) throw new RpcSyntaxError('an answer to no call')
    const args = new RpcReader(body)
    const id = args.u32()
    const failed = id === ERROR_CALL
    if (!args.isText(failed ? ERROR_SIGNATURE : pending.call.response)) {
      throw new RpcSyntaxError('an answer with another signature')
    }
    if (failed) {
      const rv = args.u64()
      args.end()
      this.#pending.delete(code)
      pending.reject(new CryptokiError(rv))
      return
    }
    if (id !== pending.call.id) throw new RpcSyntaxError('an answer to another call')
    this.#pending.delete(code)
    pending.resolve(args)
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#stream.destroy()
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
    this.#onEnd()
  }
}
