import { publicDecrypt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { vectors } from '../../../../test/vectors.ts'
import { createToken } from '../../src/token.ts'
import { CKA, CKR } from '../../src/token/cryptoki.ts'
import { readAttributes, writeAttributes } from '../../src/token/rpc-attribute.ts'
import { RPC_CALLS, rpcCall } from '../../src/token/rpc-call.ts'
import { readMechanism, writeMechanism } from '../../src/token/rpc-mechanism.ts'
import { RpcReader } from '../../src/token/rpc-reader.ts'
import { RpcWriter } from '../../src/token/rpc-writer.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { recordings, type Recording } from './recording.ts'
import {
  bodyOf,
  frameOf,
  FrameSource,
  HandleMap,
  numbersOf,
  translate,
  type Body,
} from './replay.ts'
import { streamTo } from './user.ts'

const golden = recordings('golden')
const transcripts = recordings('transcripts')
const without = vectors('p11') === undefined
const reason = 'no ../shared/vectors/p11'
let rsa: MadeKey
let ec: MadeKey

beforeAll(() => {
  const authority = new MadeAuthority()
  rsa = authority.issue('rsa', 1)
  ec = authority.issue('ec', 2)
})

/** Everything that both servers must answer alike, whatever they are. */
const SAME = new Set<number>([
  ...[CKA.CLASS, CKA.KEY_TYPE, CKA.ID, CKA.LABEL, CKA.ALWAYS_AUTHENTICATE, CKA.EC_PARAMS],
  ...[CKA.PUBLIC_EXPONENT, CKA.TOKEN],
])

interface Exchange {
  readonly request: Body
  readonly recorded: Body
  readonly own: Body
  readonly handles: HandleMap
}

function compareAttributes({ recorded, own }: Exchange): void {
  const [theirs, ours] = [recorded, own].map(({ args }) => readAttributes(new RpcReader(args)))
  expect(ours?.map(({ type }) => type)).toEqual(theirs?.map(({ type }) => type))
  for (const [index, attribute] of (theirs ?? []).entries()) {
    if (SAME.has(attribute.type)) expect(ours?.[index]).toEqual(attribute)
    if (attribute.type === CKA.MODULUS) expect(ours?.[index]?.length).toBe(attribute.length)
  }
}

/** What a client gets from this token where another gave it the recorded answer. */
function compare(exchange: Exchange): void {
  const { request, recorded, own, handles } = exchange
  const call = RPC_CALLS.get(request.call)
  if (call === undefined) {
    expect(own.call).toBe(0)
    expect(new RpcReader(own.args).u64()).toBe(CKR.FUNCTION_NOT_SUPPORTED)
    // CopyObject made a copy, by which the client called the key from then on.
    const made = request.call === 21 && recorded.call === 21
    if (made) {
      const source = new RpcReader(request.args.subarray(8)).u64()
      handles.learn('object', new RpcReader(recorded.args).u64(), handles.of('object', source))
    }
    return
  }
  if (call.name === 'DestroyObject') {
    // Of a copy, which was never made: refused.
    expect(own.call).toBe(0)
    return
  }
  expect([own.call, own.signature], call.name).toEqual([recorded.call, recorded.signature])
  const first = (body: Body): number => new RpcReader(body.args).u64()
  if (call.name === 'OpenSession') handles.learn('session', first(recorded), first(own))
  if (call.name === 'GetAttributeValue') compareAttributes(exchange)
  if (call.name === 'FindObjects') {
    const [theirs, ours] = [numbersOf(recorded.args), numbersOf(own.args)]
    expect(ours).toHaveLength(theirs.length)
    for (const [index, handle] of theirs.entries()) {
      handles.learn('object', handle, ours[index] as number)
    }
  }
  if (call.name === 'Sign') compareSignature(exchange)
}

function compareSignature({ request, recorded, own }: Exchange): void {
  const [theirs, ours] = [recorded, own].map(({ args }) => new RpcReader(args).optionalBytes())
  expect(ours?.length).toBe(theirs?.length)
  const data = new RpcReader(request.args.subarray(8)).optionalBytes() as Uint8Array
  if (data.length === 51) {
    expect(new Uint8Array(publicDecrypt(rsa.publicKey, ours as Uint8Array))).toEqual(data)
  }
}

/** Plays the client's part to a token of ours, connection by connection, in the recorded order. */
async function replay({ writes }: Recording): Promise<number> {
  using token = createToken({ label: 'acmtok', pin: '123456', keys: [rsa, ec] })
  const streams = new Map<number, ReturnType<typeof streamTo>>()
  const sources = new Map<number, FrameSource>()
  const maps = new Map<number, HandleMap>()
  const asked = new Map<string, Uint8Array>()
  let exchanges = 0
  for (const { connection, from, bytes } of writes) {
    if (!streams.has(connection)) {
      const stream = streamTo(token)
      streams.set(connection, stream)
      sources.set(connection, new FrameSource(stream))
      maps.set(connection, new HandleMap())
    }
    const [stream, source] = [streams.get(connection), sources.get(connection) as FrameSource]
    const handles = maps.get(connection) as HandleMap
    if (bytes.length === 1) {
      if (from === 'client') stream?.write(bytes)
      else expect(await source.byte()).toBe(bytes[0])
      continue
    }
    const { code, body } = frameOf(bytes)
    if (from === 'client') {
      asked.set(`${connection} ${code}`, body)
      stream?.write(translate(bytes, handles, 17))
      continue
    }
    const answer = await source.frame()
    expect(answer.code).toBe(code)
    const request = bodyOf(asked.get(`${connection} ${code}`) as Uint8Array)
    const own = bodyOf(answer.body)
    // The recording's second slot was empty; this token has none.
    if (new RpcReader(own.args).remaining === 8 && own.call === 0) {
      if (new RpcReader(own.args).u64() === CKR.SLOT_ID_INVALID) continue
    }
    compare({ request, recorded: bodyOf(body), own, handles })
    exchanges++
  }
  for (const stream of streams.values()) stream.destroy()
  return exchanges
}

describe.skipIf(without)(`conversations of stock clients (${reason})`, () => {
  test.each(golden)('$name is answered as by SoftHSM', async (recording) => {
    expect(await replay(recording)).toBeGreaterThan(50)
  })

  const replayed = transcripts.filter(({ name }) => /^b12-(?!.*list)/.test(name))
  test.each(replayed)('$name is answered as by SoftHSM', async (recording) => {
    expect(await replay(recording)).toBeGreaterThan(10)
  })

  test('every recorded frame has the signature of the table', () => {
    let frames = 0
    for (const { writes } of [...golden, ...transcripts]) {
      for (const { from, bytes } of writes) {
        if (bytes.length === 1) continue
        const { call, signature } = bodyOf(frameOf(bytes).body)
        const known = RPC_CALLS.get(call)
        if (known === undefined) continue
        expect(signature).toBe(from === 'client' ? known.request : known.response)
        frames++
      }
    }
    expect(frames).toBeGreaterThan(5000)
  })

  test('what is read and written again is the same: mechanisms, templates, attributes', () => {
    const counts = { mechanism: 0, attributes: 0 }
    for (const { writes } of [...golden, ...transcripts]) {
      for (const { from, bytes } of writes) {
        if (bytes.length === 1) continue
        const { call, args } = bodyOf(frameOf(bytes).body)
        const reader = new RpcReader(args)
        if (call === rpcCall('SignInit').id && from === 'client') {
          reader.u64()
          // Old or new is seen by the length alone; the client's byte would say the same.
          const encoding = [12 + 4, 32 + 4].includes(args.length - 8) ? 'old' : 'new'
          const mechanism = readMechanism(reader, encoding, 8)
          if (mechanism === undefined) continue
          const writer = new RpcWriter()
          writeMechanism(writer, encoding, mechanism)
          expect(Uint8Array.from(writer.finish())).toEqual(args.subarray(8, args.length - 8))
          counts.mechanism++
        }
        if (call === rpcCall('GetAttributeValue').id && from === 'server') {
          const attributes = readAttributes(reader)
          const writer = new RpcWriter()
          writeAttributes(writer, attributes)
          expect(Uint8Array.from(writer.finish())).toEqual(args.subarray(0, args.length - 8))
          counts.attributes++
        }
      }
    }
    expect(counts.mechanism).toBeGreaterThan(40)
    expect(counts.attributes).toBeGreaterThan(500)
  })
})

interface Seed {
  readonly name: string
  readonly b64: string
}

const corpus = vectors('p11-rpc/rpc-corpus.json')

describe.skipIf(corpus === undefined)("p11-kit's fuzz seeds (no ../shared/vectors/p11-rpc)", () => {
  const seeds = (): Seed[] => JSON.parse(readFileSync(corpus as string, 'utf8')) as Seed[]

  async function ask(bodies: readonly Uint8Array[]): Promise<Body[]> {
    using token = createToken({ label: 'acmtok', pin: '123456', keys: [rsa, ec] })
    const stream = streamTo(token)
    const source = new FrameSource(stream)
    stream.write(Uint8Array.of(2))
    await source.byte()
    const answers: Body[] = []
    const handshake = new TextEncoder().encode('PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1')
    const writer = new RpcWriter().u32(1).byteArray(new TextEncoder().encode('ayyay'))
    const initialize = writer.present(handshake).u8(0).absent(0).finish()
    for (const body of [initialize, ...bodies]) {
      stream.write(new RpcWriter().u32(16).u32(0).u32(body.length).raw(body).finish())
      answers.push(bodyOf((await source.frame()).body))
    }
    stream.destroy()
    return answers.slice(1)
  }

  test('each is answered', async () => {
    const bodies = seeds().map(({ b64 }) => new Uint8Array(Buffer.from(b64, 'base64')))
    const answers = await ask(bodies)
    for (const [index, answer] of answers.entries()) {
      const { call } = bodyOf(bodies[index] as Uint8Array)
      expect([0, call]).toContain(answer.call)
      if (!RPC_CALLS.has(call)) {
        expect(new RpcReader(answer.args).u64()).toBe(CKR.FUNCTION_NOT_SUPPORTED)
      }
    }
  })

  test('cut anywhere, each u32 blown up: answered with an error or as before, nothing held', async () => {
    const before = process.memoryUsage().rss
    for (const { b64 } of seeds()) {
      const body = new Uint8Array(Buffer.from(b64, 'base64'))
      const changed: Uint8Array[] = []
      for (let end = 0; end < body.length; end++) changed.push(body.slice(0, end))
      for (let offset = 0; offset + 4 <= body.length; offset++) {
        for (const value of [0xffffffff, 0x7fffffff, 0x80000000, 0x10000, 129]) {
          const copy = body.slice()
          new DataView(copy.buffer).setUint32(offset, value)
          changed.push(copy)
        }
      }
      const answers = await ask(changed)
      for (const answer of answers.slice(0, body.length)) expect(answer.call).toBe(0)
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
  })
})
