import { readFileSync } from 'node:fs'
import { duplexPair } from 'node:stream'
import { Client } from '../../packages/acm-enclave/src/token/client.ts'
import { CKA, CKK, CKO } from '../../packages/acm-enclave/src/token/cryptoki.ts'
import { Pin } from '../../packages/acm-enclave/src/token/pin.ts'
import { RPC_CALLS } from '../../packages/acm-enclave/src/token/rpc-call.ts'
import { MAX_FRAME, RpcFrameReader } from '../../packages/acm-enclave/src/token/rpc-frame.ts'
import { RpcReader, RpcSyntaxError } from '../../packages/acm-enclave/src/token/rpc-reader.ts'
import { answerFrame, RpcConnection } from '../../packages/acm-enclave/src/token/rpc-server.ts'
import type { SigningKey } from '../../packages/acm-enclave/src/token/signing-key.ts'
import { TokenStore } from '../../packages/acm-enclave/src/token/token-store.ts'
import { vectors } from '../../test/vectors.ts'
import { LawBroken, type FuzzTarget } from '../target.ts'

const MAX_SESSIONS = 8
const PIN = '123456'
const HASH_LENGTHS = { sha256: 32, sha384: 48, sha512: 64 }
const SECRET = [CKA.PRIVATE_EXPONENT, CKA.PRIME_1]

/**
 * A store whose keys say what they are asked for, in the place of signing: one, something public, and a key that another has
 * replaced, which a client may end.
 */
function openStore(asked: () => void, ended: () => void): TokenStore {
  const labels = { label: 'fuzz', manufacturer: 'fuzz', model: 'fuzz', serialNumber: '1' }
  const store = new TokenStore(labels, new Pin(PIN, () => 0), MAX_SESSIONS)
  const key: SigningKey = {
    type: 'rsa',
    signatureLength: 256,
    sign: async ({ scheme, hash, digest }) => {
      asked()
      if (scheme === 'ecdsa') throw new LawBroken('an RSA key was asked for ECDSA')
      if (digest.length !== HASH_LENGTHS[hash]) throw new LawBroken('no digest was signed')
      return new Uint8Array(256)
    },
    release: () => {},
  }
  const attributes = new Map<number, number | Uint8Array>([
    ...[[CKA.CLASS, CKO.PRIVATE_KEY] as const, [CKA.KEY_TYPE, CKK.RSA] as const],
    ...[[CKA.PRIVATE, 1] as const, [CKA.ID, Uint8Array.of(1)] as const],
    ...SECRET.map((type) => [type, new Uint8Array(16).fill(0x5e)] as const),
  ])
  const [, , retired = 0] = store.add([
    ...[{ attributes, key }, { attributes: new Map([[CKA.PRIVATE, 0]]) }],
    { attributes: new Map([...attributes, [CKA.ID, Uint8Array.of(2)]]), key },
  ])
  store.allowDestroy(retired, () => {
    store.remove([retired])
    ended()
  })
  return store
}

/** The handles of a fuzzed session are not known to the engine: 1 to 4 stand for them. */
function withHandles(body: Uint8Array, handles: readonly number[]): Uint8Array {
  const copy = Buffer.from(body)
  for (let offset = 0; offset + 8 <= copy.length; offset++) {
    if (copy.readUInt32BE(offset) !== 0 || copy.readUInt16BE(offset + 4) !== 0xf0f0) continue
    const handle = handles[copy.readUInt16BE(offset + 6) % handles.length]
    if (handle !== undefined) copy.writeBigUInt64BE(BigInt(handle), offset)
  }
  return copy
}

/** Every input in two ways: frame by frame, where each answer is judged by what came before it, and as a stream. */
async function run(input: Uint8Array): Promise<void> {
  await runFrames(input)
  await runStream(input)
}

const TIMES = { handshake: 60_000, transfer: 60_000 }

/** A client that is logged in writes the input in two pieces, and reads; frames come back in their order, and nothing else. */
async function runStream(input: Uint8Array): Promise<void> {
  const store = openStore(
    () => {},
    () => {},
  )
  const [near, far] = duplexPair()
  const connection = new RpcConnection(store, far, TIMES)
  const output: Uint8Array[] = []
  near.on('data', (chunk: Uint8Array) => output.push(Uint8Array.from(chunk)))
  const objects = [...store.objects()].map(({ handle }) => handle)
  // Handles are given one after the other.
  const session = Math.max(...objects) + 1
  const rest = withHandles(input.subarray(1), [session, ...objects])
  near.write(Uint8Array.of(input[0] ?? 0))
  for (const frame of opening(session)) near.write(frame)
  const cut = rest.length === 0 ? 0 : (input[0] ?? 0) % rest.length
  near.write(rest.subarray(0, cut))
  near.write(rest.subarray(cut))
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
  connection.close()
  near.destroy()
  if (store.sessions !== 0) throw new LawBroken('sessions outlived their connection')
  checkStream(Buffer.concat(output), rest)
}

function checkStream(output: Uint8Array, rest: Uint8Array): void {
  const answers = new RpcFrameReader()
  const asked = new RpcFrameReader()
  answers.push(output)
  asked.push(rest)
  if ((answers.shiftByte() ?? 0) > 2) throw new LawBroken('a version that does not exist')
  for (let count = 0; ; count++) {
    const answer = answers.shift()
    if (answer === undefined) break
    const code = count < 3 ? 0x10 : asked.shift()?.code
    if (code === undefined) throw new LawBroken('an answer to no call')
    const { length } = answer.body
    const head = Buffer.alloc(12)
    head.writeUInt32BE(answer.code)
    head.writeUInt32BE(length, 8)
    check(Buffer.concat([head, answer.body]), code, true)
  }
  if (answers.waiting) throw new LawBroken('half an answer')
}

/** C_Initialize, C_OpenSession, C_Login. */
function opening(session: number): readonly Buffer[] {
  const magic = Buffer.from('PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1').toString('hex')
  const pin = Buffer.from(PIN).toString('hex')
  const handle = session.toString(16).padStart(16, '0')
  return [
    frameOf(1, 'ayyay', `01 00000029 ${magic} 00 00 00000000`),
    frameOf(10, 'uu', '0000000000000001 0000000000000004'),
    frameOf(18, 'uuay', `${handle} 0000000000000001 01 00000006 ${pin}`),
  ]
}

/** Frames of one client, as its stream has them. */
async function runFrames(input: Uint8Array): Promise<void> {
  let signatures = 0
  let ended = 0
  const store = openStore(
    () => signatures++,
    () => ended++,
  )
  const client = new Client(store, (input[0] ?? 0) >= 2 ? 'new' : 'old')
  client.initialized = ((input[0] ?? 0) & 0x40) === 0
  const session = client.openSession(false)
  client.loggedIn = ((input[0] ?? 0) & 0x80) !== 0
  const handles = [session, ...[...store.objects()].map(({ handle }) => handle)]
  const reader = new RpcFrameReader()
  reader.push(input.subarray(1))
  for (let count = 0; count < 32; count++) {
    let frame
    try {
      frame = reader.shift()
    } catch (error) {
      if (error instanceof RpcSyntaxError) return
      throw error
    }
    if (frame === undefined) return
    const before = client.loggedIn
    const [signed, gone] = [signatures, ended]
    const body = withHandles(frame.body, handles)
    const answer = await answerFrame(client, { code: frame.code, body })
    check(answer, frame.code, before || client.loggedIn)
    if (!before && signatures > signed) throw new LawBroken('signed without a login')
    if (!before && ended > gone) throw new LawBroken('a key was ended without a login')
    if ([...store.objects()].length + ended !== 3) throw new LawBroken('an object is gone')
    if (ended > 1) throw new LawBroken('a key was ended twice')
    if (client.sessionCount > MAX_SESSIONS) throw new LawBroken('too many sessions')
  }
}

function check(answer: Uint8Array, code: number, loggedIn: boolean): void {
  if (answer.length > MAX_FRAME) throw new LawBroken(`an answer of ${answer.length} bytes`)
  const frame = new RpcReader(answer)
  if (frame.u32() !== code || frame.u32() !== 0 || frame.u32() !== answer.length - 12) {
    throw new LawBroken('an answer with another head')
  }
  const call = frame.u32()
  const signature = Buffer.from(frame.byteArray() ?? []).toString('latin1')
  if (call === 0) {
    if (signature !== 'u' || frame.u64() === 0) throw new LawBroken('a failure without a reason')
    frame.end()
  } else if (RPC_CALLS.get(call)?.response !== signature) {
    throw new LawBroken('an answer with another signature')
  }
  if (Buffer.from(answer).includes(Buffer.alloc(16, 0x5e))) {
    throw new LawBroken(`a private value was told${loggedIn ? '' : ', without a login'}`)
  }
}

function frameOf(call: number, signature: string, args: string): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 0, 0, call, 0, 0, 0, signature.length]),
    ...[Buffer.from(signature), Buffer.from(args.replaceAll(' ', ''), 'hex')],
  ])
  const head = Buffer.alloc(12)
  head.writeUInt32BE(0x10)
  head.writeUInt32BE(body.length, 8)
  return Buffer.concat([head, body])
}

const SESSION = '00000000f0f00000'
const KEY = '00000000f0f00001'
const RETIRED = '00000000f0f00003'
const SLOT = '0000000000000001'
const PSS = '0000000000000250 0000000000000002 0000000000000020'

function ownSeeds(): Uint8Array[] {
  const digest = '11'.repeat(32)
  const info = `3031300d060960864801650304020105000420${digest}`
  const sign = (data: string): Buffer => {
    const length = (data.length / 2).toString(16).padStart(8, '0')
    return frameOf(43, 'uayfy', `${SESSION} 01 ${length} ${data} 00000100`)
  }
  return [
    [
      Buffer.of(0x80),
      frameOf(42, 'uMu', `${SESSION} 00000001 ffffffff ${KEY}`),
      sign(info),
      frameOf(42, 'uMu', `${SESSION} 0000000d ${PSS} ${KEY}`),
      sign(digest),
    ],
    [
      Buffer.of(0x82),
      frameOf(42, 'uMu', `${SESSION} 00000043 01 ${PSS} ${KEY}`),
      frameOf(44, 'uay', `${SESSION} 01 00000004 01020304`),
      frameOf(45, 'ufy', `${SESSION} 00000100`),
    ],
    [
      Buffer.of(2),
      frameOf(18, 'uuay', `${SESSION} 0000000000000001 01 00000006 313233343536`),
      frameOf(26, 'uaA', `${SESSION} 00000001 00000000 01 00000008 0000000000000003`),
      frameOf(27, 'ufu', `${SESSION} 00000010`),
      frameOf(24, 'uufA', `${SESSION} ${KEY} 00000002 00000123 00000100 00000102 000000ff`),
      frameOf(
        24,
        'uufA',
        `${SESSION} ${KEY} 00000001 40000211 00000018 00000001 00000000 00000008`,
      ),
    ],
    [
      Buffer.of(0x81),
      ...[frameOf(3, '', ''), frameOf(4, 'yfu', '01 00000004'), frameOf(5, 'u', SLOT)],
      ...[frameOf(6, 'u', SLOT), frameOf(7, 'ufu', `${SLOT} 00000010`)],
      frameOf(8, 'uu', `${SLOT} 0000000000001041`),
      ...[frameOf(8, 'uu', `${SLOT} 000000000000000d`), frameOf(13, 'u', SESSION)],
      ...[frameOf(23, 'uu', `${SESSION} ${KEY}`), frameOf(63, 'uay', `${SESSION} 01 00000001 07`)],
      frameOf(64, 'ufy', `${SESSION} 00000010`),
      frameOf(10, 'uu', `${SLOT} 0000000000000006`),
      ...[frameOf(11, 'u', SESSION), frameOf(12, 'u', SLOT), frameOf(2, '', '')],
    ],
    [Buffer.of(0x82), frameOf(22, 'uu', `${SESSION} ${KEY}`), frameOf(19, 'u', SESSION)],
    [
      Buffer.of(2),
      frameOf(22, 'uu', `${SESSION} ${RETIRED}`),
      frameOf(18, 'uuay', `${SESSION} 0000000000000001 01 00000006 313233343536`),
      frameOf(42, 'uMu', `${SESSION} 0000000d 01 ${PSS} ${RETIRED}`),
      ...[frameOf(22, 'uu', `${SESSION} ${RETIRED}`), sign(digest)],
      ...[frameOf(22, 'uu', `${SESSION} ${RETIRED}`), frameOf(26, 'uaA', `${SESSION} 00000000`)],
      frameOf(27, 'ufu', `${SESSION} 00000010`),
    ],
  ].map((parts) => new Uint8Array(Buffer.concat(parts)))
}

function theirSeeds(): Uint8Array[] {
  const corpus = vectors('p11-rpc/rpc-corpus.json')
  if (corpus === undefined) return []
  const seeds = JSON.parse(readFileSync(corpus, 'utf8')) as { b64: string }[]
  return seeds.map(({ b64 }) => {
    const body = Buffer.from(b64, 'base64')
    const head = Buffer.from([0x82, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, body.length])
    return new Uint8Array(Buffer.concat([head, body]))
  })
}

export const target: FuzzTarget = {
  format: undefined,
  maxLength: 4096,
  dictionary: [
    SESSION,
    KEY,
    RETIRED,
    PSS.replaceAll(' ', ''),
    '00000123',
    '40000211',
    'ffffffff',
  ].map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  seeds: () => [...ownSeeds(), ...theirSeeds()],
  run,
}
