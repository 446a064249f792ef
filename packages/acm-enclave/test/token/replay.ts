import type { Duplex } from 'node:stream'
import { RPC_CALLS } from '../../src/token/rpc-call.ts'
import { RpcFrameReader, type RpcFrame } from '../../src/token/rpc-frame.ts'
import { RpcReader } from '../../src/token/rpc-reader.ts'

/** Where an argument of a call is a handle or a slot: counted in bytes from the end of the signature. */
const SLOT_FIRST = new Set(['GetSlotInfo', 'GetTokenInfo', 'GetMechanismList', 'GetMechanismInfo'])
const SECOND_IS_OBJECT = new Set(['GetObjectSize', 'GetAttributeValue'])
const WITHOUT_HANDLE = new Set(['Initialize', 'Finalize', 'GetInfo', 'GetSlotList'])

/** One body, taken apart. */
export interface Body {
  readonly call: number
  readonly signature: string
  readonly args: Uint8Array
}

export function bodyOf(bytes: Uint8Array): Body {
  const reader = new RpcReader(bytes)
  const call = reader.u32()
  const signature = Buffer.from(reader.byteArray() ?? []).toString('latin1')
  return { call, signature, args: reader.bytes(reader.remaining) }
}

export function frameOf(bytes: Uint8Array): RpcFrame {
  const reader = new RpcFrameReader()
  reader.push(bytes)
  const frame = reader.shift()
  if (frame === undefined || reader.waiting) throw new Error('one frame expected')
  return frame
}

/** Handles of a recording, and those of this token. */
export class HandleMap {
  readonly #own = new Map<string, number>()

  learn(kind: 'session' | 'object', recorded: number, own: number): void {
    this.#own.set(`${kind} ${recorded}`, own)
  }

  of(kind: 'session' | 'object', recorded: number): number {
    return this.#own.get(`${kind} ${recorded}`) ?? recorded
  }
}

/** The recorded bytes of a client's frame, with the handles that this token gave. */
export function translate(bytes: Uint8Array, handles: HandleMap, slot: number): Uint8Array {
  const own = Buffer.from(bytes)
  const { call, signature } = bodyOf(frameOf(bytes).body)
  const name = RPC_CALLS.get(call)?.name
  if (name === undefined || WITHOUT_HANDLE.has(name)) return own
  const view = new DataView(own.buffer, own.byteOffset, own.length)
  const start = 12 + view.getUint32(4) + 8 + signature.length
  const put = (offset: number, value: number): void => view.setBigUint64(offset, BigInt(value))
  const get = (offset: number): number => Number(view.getBigUint64(offset))
  if (SLOT_FIRST.has(name) || name === 'OpenSession' || name === 'CloseAllSessions') {
    if (get(start) === slot) put(start, 1)
    return own
  }
  put(start, handles.of('session', get(start)))
  if (SECOND_IS_OBJECT.has(name)) put(start + 8, handles.of('object', get(start + 8)))
  if (name === 'SignInit') put(own.length - 8, handles.of('object', get(own.length - 8)))
  return own
}

/** Reads frames of a stream one by one. */
export class FrameSource {
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #reader = new RpcFrameReader()

  constructor(stream: Duplex) {
    this.#iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#iterator.next()
    if (done === true) throw new Error('the stream ended')
    this.#reader.push(value)
  }

  async byte(): Promise<number> {
    let byte = this.#reader.shiftByte()
    while (byte === undefined) {
      await this.#more()
      byte = this.#reader.shiftByte()
    }
    return byte
  }

  async frame(): Promise<RpcFrame> {
    let frame = this.#reader.shift()
    while (frame === undefined) {
      await this.#more()
      frame = this.#reader.shift()
    }
    return { code: frame.code, body: Uint8Array.from(frame.body) }
  }
}

/** `au` of an answer. */
export function numbersOf(args: Uint8Array): number[] {
  const reader = new RpcReader(args)
  if (!reader.flag()) return []
  return Array.from({ length: reader.u32() }, () => reader.u64())
}
