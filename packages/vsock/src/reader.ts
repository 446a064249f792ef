import { Socket } from 'node:net'

/** What one read takes at most; also what node:net offers the kernel. */
const SIZE = 65_536

/** One for all sockets of the thread: what is in it is copied out before anything else can run. */
let scratch: Uint8Array | undefined

/** The option `onread` of net.Socket. */
interface ReaderOption {
  readonly buffer: () => Uint8Array
  readonly callback: (length: number, buffer: Uint8Array) => boolean
}

/**
 * How the sockets of this package read: by node:net's own option `onread`, which spares each read the making of 64 KiB of
 * memory. Reads come into the thread's scratch and are copied out, each into memory of its own and of its length. While
 * the reads of a socket are full, it reads into memory of its own, which goes with the chunk and is not touched again.
 */
export class Reader {
  readonly option: ReaderOption = {
    buffer: () => this.#own ?? (scratch ??= Buffer.allocUnsafeSlow(SIZE)),
    callback: (length, buffer) => this.#take(length, buffer),
  }
  #socket: Socket | undefined
  #own: Uint8Array | undefined
  /** Whether the stream knows of a first chunk. */
  #begun = false

  /** Where the chunks go. */
  attach(socket: Socket): void {
    this.#socket = socket
  }

  /** node:net asks for the next buffer when this has returned. False stops the reading, as `push` means it. */
  #take(length: number, buffer: Uint8Array): boolean {
    // After an exception node:net has not asked for the next buffer, and it is still the one before.
    const own = buffer === this.#own
    this.#own = length < SIZE ? undefined : Buffer.allocUnsafeSlow(SIZE)
    if (length < SIZE || !own) return this.#give(copyOf(buffer, length))
    try {
      return this.#give(buffer)
    } catch (error) {
      // Of a listener. Thrown through node:net it would leave the handle with the memory that the chunk has now.
      process.nextTick(raise, error)
      return true
    }
  }

  /** To the listeners of a stream that flows and has nothing before it; otherwise into the stream. */
  #give(chunk: Uint8Array): boolean {
    const socket = this.#socket as Socket
    if (
      this.#begun &&
      socket.readableFlowing === true &&
      socket.readableLength === 0 &&
      socket.readableEncoding === null &&
      socket.emit('data', chunk)
    ) {
      return true
    }
    const more = socket.push(chunk)
    this.#begun = socket.readableDidRead
    return more
  }
}

/** A Buffer's own slice() would be another view of the same memory. */
function copyOf(buffer: Uint8Array, length: number): Uint8Array {
  return Uint8Array.prototype.slice.call(buffer, 0, length)
}

function raise(error: unknown): never {
  throw error
}

/** Where net.Socket keeps the option `onread`. */
interface Slots {
  readonly buffer: symbol
  readonly generator: symbol
  readonly callback: symbol
}

let slots: Slots | undefined | null = null

/**
 * node:net takes the option for sockets that it opens, not for those that it accepts. What it sets for the option is put on
 * the accepted one: three properties without public names, found by what is in them on a socket made for that. Where they are
 * not found any more, the socket reads as node:net has made it.
 */
export function readAccepted(socket: Socket): boolean {
  slots = slots === null ? findSlots() : slots
  const handle = (socket as { _handle?: { useUserBuffer?: (buffer: Uint8Array) => void } | null })
    ._handle
  if (slots === undefined || typeof handle?.useUserBuffer !== 'function') return false
  const reader = new Reader()
  reader.attach(socket)
  const { buffer: generator, callback } = reader.option
  const buffer = generator()
  Object.assign(socket, {
    [slots.buffer]: buffer,
    [slots.generator]: generator,
    [slots.callback]: callback,
  })
  handle.useUserBuffer(buffer)
  return true
}

function findSlots(): Slots | undefined {
  const option = { buffer: () => new Uint8Array(0), callback: () => true }
  const [plain, made] = [new Socket(), new Socket({ onread: option })].map(
    (socket) => socket as unknown as Record<symbol, unknown>,
  ) as [Record<symbol, unknown>, Record<symbol, unknown>]
  const differing = Object.getOwnPropertySymbols(made).filter(
    (name) => plain[name] === null && made[name] !== null,
  )
  const find = (value: unknown): symbol | undefined =>
    differing.find((name) => made[name] === value)
  const [buffer, generator, callback] = [find(true), find(option.buffer), find(option.callback)]
  if (differing.length !== 3) return undefined
  if (buffer === undefined || generator === undefined || callback === undefined) return undefined
  return { buffer, generator, callback }
}
