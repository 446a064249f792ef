import { duplexPair } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { vectors } from '../../../../test/vectors.ts'
import { CryptokiError } from '../../src/token/cryptoki.ts'
import {
  readAttributeBuffers,
  readAttributes,
  writeAttributes,
} from '../../src/token/rpc-attribute.ts'
import { ERROR_CALL, RPC_CALLS, type RpcCall } from '../../src/token/rpc-call.ts'
import { RpcClient } from '../../src/token/rpc-client.ts'
import {
  mechanismEncoding,
  readMechanism,
  writeMechanism,
  type MechanismEncoding,
} from '../../src/token/rpc-mechanism.ts'
import { RpcReader } from '../../src/token/rpc-reader.ts'
import type { RpcWriter } from '../../src/token/rpc-writer.ts'
import { recordings, type Recording } from './recording.ts'
import { bodyOf, frameOf, FrameSource } from './replay.ts'

/** Reads each argument of a recorded call, and writes it again as this client does. */
function rewrite(
  call: RpcCall,
  args: Uint8Array,
  encoding: MechanismEncoding,
  to: RpcWriter,
): void {
  const reader = new RpcReader(args)
  const parts: Readonly<Record<string, () => unknown>> = {
    u: () => to.u64(reader.u64()),
    y: () => to.u8(reader.u8()),
    fu: () => to.u32(reader.u32()),
    fy: () => to.u32(reader.u32()),
    aA: () => writeAttributes(to, readAttributes(reader)),
    ay: () =>
      reader.flag() ? to.present(reader.byteArray() as Uint8Array) : to.absent(reader.u32()),
    fA: () => {
      const buffers = readAttributeBuffers(reader)
      to.u32(buffers.length)
      for (const { type, length } of buffers) to.u32(type).u32(length)
    },
    M: () => {
      const rest = args.subarray(args.length - reader.remaining)
      const mechanism = readMechanism(reader, encoding, 8)
      if (mechanism !== undefined) writeMechanism(to, encoding, mechanism)
      else {
        // One that is not the token's, for which this client has no form.
        to.raw(rest.subarray(0, -8))
        reader.bytes(reader.remaining - 8)
      }
    },
  }
  for (const [part] of call.request.matchAll(/fu|fy|fA|aA|ay|u|y|M/g)) parts[part]?.()
  reader.end()
}

interface Waiting {
  readonly code: number
  readonly answer: Promise<Uint8Array | number>
}

/** The client of one recorded connection, before which the recorded server stands. */
class Player {
  readonly #client: RpcClient
  readonly #far: ReturnType<typeof duplexPair>[1]
  readonly sent: FrameSource
  readonly #version: number
  readonly #waiting = new Map<number, Waiting>()

  constructor(version: number) {
    const [near, far] = duplexPair()
    this.#client = new RpcClient(near, () => {}, version)
    this.#version = version
    this.#far = far
    this.sent = new FrameSource(far)
  }

  /** The version byte of the server. */
  answerVersion(version: number): void {
    this.#far.write(Uint8Array.of(version))
  }

  /** Has the client make a recorded call; what it writes is what was recorded. */
  async ask(bytes: Uint8Array): Promise<void> {
    const recorded = frameOf(bytes)
    const { call: id, args, signature } = bodyOf(recorded.body)
    const call = RPC_CALLS.get(id) as RpcCall
    let left: Promise<Uint8Array> = Promise.resolve(new Uint8Array(0))
    if (call.name === 'Initialize') {
      left = this.#client.initialize().then(() => new Uint8Array(0))
    } else {
      const encoding = mechanismEncoding(this.#version)
      const called = this.#client.call(call.name, (to) => rewrite(call, args, encoding, to))
      left = called.then((reader) => Uint8Array.from(reader.bytes(reader.remaining)))
    }
    const answer = left.catch((error: unknown) => {
      if (error instanceof CryptokiError) return error.rv
      throw error
    })
    const own = await this.sent.frame()
    expect(bodyOf(own.body).signature).toBe(signature)
    expect(Buffer.from(own.body).toString('hex'), call.name).toBe(
      Buffer.from(recorded.body).toString('hex'),
    )
    this.#waiting.set(recorded.code, { code: own.code, answer })
  }

  /** Gives the client a recorded answer, under the code of its own call. */
  async answer(bytes: Uint8Array): Promise<void> {
    const recorded = frameOf(bytes)
    const waiting = this.#waiting.get(recorded.code)
    if (waiting === undefined) return
    const frame = Buffer.from(bytes)
    frame.writeUInt32BE(waiting.code, 0)
    // In two pieces, as a stream may have it.
    this.#far.write(frame.subarray(0, 9))
    this.#far.write(frame.subarray(9))
    const { call, args } = bodyOf(recorded.body)
    const got = await waiting.answer
    if (call === ERROR_CALL) expect(got).toBe(new RpcReader(args).u64())
    else expect(Buffer.from(got as Uint8Array).equals(args)).toBe(true)
  }

  close(): void {
    this.#client.close()
  }
}

async function play({ writes }: Recording): Promise<number> {
  const players = new Map<number, Player>()
  const skipped = new Set<string>()
  let calls = 0
  for (const { connection, from, bytes } of writes) {
    const player = players.get(connection)
    if (bytes.length === 1) {
      if (from === 'server') player?.answerVersion(bytes[0] as number)
      else {
        const own = new Player(bytes[0] as number)
        players.get(connection)?.close()
        players.set(connection, own)
        expect(await own.sent.byte()).toBe(bytes[0])
      }
      continue
    }
    const { code, body } = frameOf(bytes)
    const name = `${connection} ${code}`
    if (from === 'client') {
      // A call that this client has not, CopyObject for one.
      if (!RPC_CALLS.has(bodyOf(body).call)) skipped.add(name)
      else await player?.ask(bytes)
      calls++
    } else if (!skipped.delete(name)) await player?.answer(bytes)
  }
  for (const player of players.values()) player.close()
  return calls
}

const reason = 'no ../shared/vectors/p11'
describe.skipIf(vectors('p11') === undefined)(
  `recorded servers, before our client (${reason})`,
  () => {
    const all = [...recordings('golden'), ...recordings('transcripts')]
    // One has nothing in it.
    test.each(all.filter(({ writes }) => writes.length > 0))('$name', async (recording) => {
      expect(await play(recording)).toBeGreaterThan(10)
    })
  },
)
