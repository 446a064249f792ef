// The parent instance against the KMS client of an enclave: it carries every byte, and here it does its worst with them. The
// KMS is the simulator's, the client is the one that is published. What the parent does as a source of credentials, as a
// clock and as a certificate authority is in packages/kms-enclave/test; here it has the wire.
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createKmsClient, KmsError, type Connect, type KmsClient } from '@enclavejs/kms-enclave'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedCredentials,
  type SimulatedKms,
} from '@enclavejs/simulator/kms'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import { carry, type Carried, type Mischief } from './parent.ts'

const EncryptionContext = { purpose: 'hostile parent' }
const SECRET = Buffer.from('the plaintext that never leaves the enclave')

let kms: SimulatedKms
let keyArn: string
let credentials: SimulatedCredentials
let ciphertext: Uint8Array
let getEvidence: (input: { publicKey: Uint8Array }) => Promise<Uint8Array>
/** How many bytes KMS sends in a connection with one Decrypt. */
let wire: number
const opened = new Set<KmsClient>()
/** After how many milliseconds without a call a connection was left. It is waited for while the others are attacked. */
let idle: Promise<number>

interface Attack {
  readonly mischief?: Mischief
  readonly carried?: Carried[]
  readonly began?: (record: Carried, stream: Duplex) => void
}

interface Settings {
  readonly connect?: Connect
  readonly deadline?: number
  readonly maxSockets?: number
}

/** A client whose streams all go through the parent's hands, with one attempt for a call. */
function enclave(
  attack: Attack | (() => Attack) = {},
  { connect, deadline = 20_000, maxSockets = 3 }: Settings = {},
): KmsClient {
  const through: Connect = async (host, port, options) => {
    const { mischief, carried, began } = typeof attack === 'function' ? attack() : attack
    const record: Carried = { toKms: [], toEnclave: [] }
    carried?.push(record)
    const stream = carry(await kms.connect(host, port, options), mischief, record)
    began?.(record, stream)
    return stream
  }
  const client = createKmsClient({
    keyArn,
    connect: connect ?? through,
    credentials,
    getEvidence,
    roots: [kms.ca],
    ...{ maxAttempts: 1, maxSockets },
    ...{ connectTimeout: deadline, handshakeTimeout: deadline, requestTimeout: deadline, deadline },
  })
  opened.add(client)
  return client
}

const decrypt = async (client: KmsClient): Promise<Buffer> =>
  Buffer.from((await client.decrypt({ CiphertextBlob: ciphertext, EncryptionContext })).Plaintext)

/** The code of a refusal; the plaintext when there was none. */
async function outcome(client: KmsClient): Promise<string> {
  try {
    return (await decrypt(client)).toString()
  } catch (error) {
    expect(error).toBeInstanceOf(KmsError)
    expect((error as Error).message).not.toContain(SECRET.toString())
    return (error as KmsError).code
  }
}

beforeAll(async () => {
  const authority = await createCertificateAuthority()
  const account = createSimulatedAccount()
  credentials = account.issueCredentials({ role: 'enclave' })
  kms = await createSimulatedKms({
    accounts: [account],
    attestationRoots: [authority.trustAnchor],
    recordLimit: 0,
  })
  keyArn = (await kms.createKey()).arn
  getEvidence = ({ publicKey }) =>
    Promise.resolve(
      issueAttestationDocument(
        {
          moduleId: authority.moduleId,
          timestamp: Date.now(),
          pcrs: new Map([[0, new Uint8Array(48).fill(7)]]),
          publicKey,
        },
        authority.issueLeaf(),
      ),
    )
  const carried: Carried[] = []
  const client = enclave({ carried })
  const encrypted = await client.encrypt({ Plaintext: SECRET, EncryptionContext })
  ciphertext = encrypted.CiphertextBlob
  carried.length = 0
  let last: Duplex | undefined
  const fresh = enclave({ carried, began: (_record, stream) => (last = stream) })
  expect(await outcome(fresh)).toBe(SECRET.toString())
  opened.delete(fresh)
  const since = performance.now()
  idle = once(last as unknown as Duplex, 'close').then(() => performance.now() - since)
  wire = carried.flatMap(({ toEnclave }) => toEnclave).reduce((sum, { length }) => sum + length, 0)
})
afterEach(async () => {
  kms.clearFaults()
  await Promise.all([...opened].map((client) => client.close()))
  opened.clear()
})
afterAll(() => kms.close())

/** How an attack ended: each call's code, or the plaintext. */
interface Sweep {
  readonly seen: Map<string, number>
  /** What went through the parent's hands, by attack. */
  readonly carried: ReadonlyMap<Mischief, Carried>
}

/**
 * One connection for each attack, `lanes` at a time for each of a few clients, which share what a client makes first, its RSA key. A
 * connection that survives its attack is ended, where that ends no other's.
 */
async function sweep(
  attacks: readonly Mischief[],
  { deadline, lanes = 1, clients = 8 }: { deadline: number; lanes?: number; clients?: number },
): Promise<Sweep> {
  const seen = new Map<string, number>()
  const carried = new Map<Mischief, Carried>()
  const left = attacks.toReversed()
  let calls = attacks.length
  const lane = async (): Promise<void> => {
    let stream: Duplex | undefined
    let armed = false
    const client = enclave(
      () => {
        // There can be more connections than calls: one that came too late for its call.
        const mischief = (armed ? (left.pop() ?? attacks[0]) : undefined) ?? {}
        const began = (record: Carried, one: Duplex): void => {
          if (!carried.has(mischief)) carried.set(mischief, record)
          stream = one
        }
        return { mischief, began }
      },
      { deadline, maxSockets: lanes },
    )
    const end = async (): Promise<void> => {
      if (stream?.destroy().closed === false) await once(stream, 'close')
      await setTimeout(2) // until the client has let go of it
    }
    // Its key takes a while to make, and a deadline must not pass over that.
    for (let tries = 0; tries < 20 && (await outcome(client)) !== SECRET.toString(); tries++);
    await end()
    armed = true
    const call = async (): Promise<void> => {
      while (calls-- > 0) {
        const code = await outcome(client)
        seen.set(code, (seen.get(code) ?? 0) + 1)
        if (lanes === 1) await end()
      }
    }
    await Promise.all(Array.from({ length: lanes }, call))
    await client.close()
    opened.delete(client)
  }
  await Promise.all(Array.from({ length: Math.min(clients, attacks.length) }, lane))
  return { seen, carried }
}

const sum = (counts: Iterable<number>): number => [...counts].reduce((one, other) => one + other, 0)

describe('a parent that only carries', () => {
  test('sees neither the plaintext nor the ciphertext nor the document', async () => {
    const carried: Carried[] = []
    expect(await outcome(enclave({ carried }))).toBe(SECRET.toString())
    const seen = Buffer.concat(carried.flatMap(({ toKms, toEnclave }) => [...toKms, ...toEnclave]))
    expect(seen.length).toBeGreaterThan(8000)
    for (const hidden of [
      SECRET,
      Buffer.from('CiphertextForRecipient'),
      Buffer.from('Recipient'),
    ]) {
      expect(seen.includes(hidden)).toBe(false)
    }
  })
})

describe('a parent that cuts the connection', () => {
  test('at every byte gets one refusal, and the answer only where the cut is behind it', async () => {
    // Lengths differ by a few bytes from call to call (ECDSA signatures in DER).
    const positions = Array.from({ length: wire + 8 }, (_, bytes) => bytes)
    const attacks = positions.map((bytes) => ({
      after: { bytes, what: bytes % 2 === 0 ? ('end' as const) : ('reset' as const) },
    }))
    const { seen, carried } = await sweep(attacks, { deadline: 30_000 })
    // A call that was put on a connection that had just ended took no attack.
    expect(attacks.filter((attack) => !carried.has(attack)).length).toBeLessThan(10)
    const accepted = seen.get(SECRET.toString()) ?? 0
    expect(accepted).toBeGreaterThan(0)
    expect(accepted).toBeLessThan(24)
    expect([...seen.keys()].toSorted()).toEqual(['ERR_KMS_CONNECTION', SECRET.toString()])
  }, 300_000)
})

/** Of stalls: each takes a whole deadline, and many are waited for at a time. */
const STRIDE = 1

describe('a parent that stalls', () => {
  test('at every byte is left at the deadline', async () => {
    const deadline = 1500
    let attacks = Array.from({ length: Math.floor((wire - 24) / STRIDE) }, (_, index) => ({
      after: { bytes: index * STRIDE, what: 'stall' as const },
    }))
    // Where the machine is busy the deadline can come before the byte: those are tried again.
    for (let round = 0; attacks.length > 0 && round < 5; round++) {
      const lanes = 32 >> round
      const { seen, carried } = await sweep(attacks, { deadline, lanes, clients: 5 })
      expect([...seen.keys()]).toEqual(['ERR_KMS_DEADLINE'])
      attacks = attacks.filter((attack) => {
        const { toEnclave } = carried.get(attack) ?? {}
        if (toEnclave === undefined) return true
        return sum(toEnclave.map(({ length }) => length)) < attack.after.bytes
      })
    }
    expect(attacks).toHaveLength(0)
  }, 300_000)

  test('without ever giving a stream is left as well', async () => {
    const connect: Connect = () => new Promise<Duplex>(() => undefined)
    const begin = performance.now()
    expect(await outcome(enclave({}, { connect, deadline: 300 }))).toBe('ERR_KMS_DEADLINE')
    expect(performance.now() - begin).toBeLessThan(20_000)
  })
})

/** One bit of one byte of a direction. */
const flip = (position: number, wanted: 'toKms' | 'toEnclave'): Mischief => ({
  change: (chunk, offset, direction) => {
    const at = position - offset
    if (direction !== wanted || at < 0 || at >= chunk.length) return chunk
    const copy = Buffer.from(chunk)
    copy[at] = (copy[at] as number) ^ (1 << (position & 7))
    return copy
  },
})

describe('a parent that changes bytes', () => {
  // A length that is made longer is waited for, so a deadline is a refusal here too.
  const REFUSALS = ['ERR_KMS_TLS', 'ERR_KMS_CONNECTION', 'ERR_KMS_DEADLINE']

  test('to the enclave, anywhere: nothing is accepted that KMS did not send', async () => {
    const attacks = Array.from({ length: 200 }, (_, index) =>
      flip(Math.floor((index * wire) / 200), 'toEnclave'),
    )
    const { seen } = await sweep(attacks, { deadline: 2000 })
    seen.delete(SECRET.toString()) // a byte behind the answer
    for (const code of seen.keys()) expect(REFUSALS).toContain(code)
    expect(sum(seen.values())).toBeGreaterThan(150)
  }, 300_000)

  test('to KMS: KMS ends the connection', async () => {
    const attacks = [5, 100, 600, 1500, 4000].map((position) => flip(position, 'toKms'))
    const { seen } = await sweep(attacks, { deadline: 2000 })
    for (const code of seen.keys()) expect(REFUSALS).toContain(code)
    expect(sum(seen.values())).toBeGreaterThanOrEqual(attacks.length)
  })
})

describe('a parent that plays with records', () => {
  test('replays a whole conversation of before', async () => {
    const carried: Carried[] = []
    expect(await outcome(enclave({ carried }))).toBe(SECRET.toString())
    const before = Buffer.concat(carried.flatMap(({ toEnclave }) => toEnclave))
    const mischief: Mischief = {
      change: (chunk, offset, direction) =>
        direction === 'toEnclave' ? before.subarray(offset, offset + chunk.length) : chunk,
    }
    expect(await outcome(enclave({ mischief }))).toBe('ERR_KMS_TLS')
  })

  test('gives one connection the answers of another', async () => {
    // Both conversations run, and what KMS sends to each goes to the other.
    const ends: { enclave: (chunk: Buffer) => void }[] = []
    const connect: Connect = async (host, port, options) => {
      const stream = await kms.connect(host, port, options)
      const own = ends.length
      const crossed = carry(stream, {
        change: (chunk, _offset, direction) => {
          if (direction === 'toKms') return chunk
          ends[own ^ 1]?.enclave(chunk)
          return Buffer.alloc(0)
        },
      })
      ends.push({ enclave: (chunk) => void crossed.push(chunk) })
      return crossed
    }
    const one = enclave({}, { connect, deadline: 2000 })
    const other = enclave({}, { connect, deadline: 2000 })
    const codes = await Promise.all([outcome(one), outcome(other)])
    for (const code of codes) expect(['ERR_KMS_TLS', 'ERR_KMS_DEADLINE']).toContain(code)
  })

  test('swaps two records, drops one, repeats one', async () => {
    const attacks: readonly ((records: Buffer[]) => Buffer[])[] = [
      (records) => records.toReversed(),
      (records) => records.slice(1),
      ([first = Buffer.alloc(0), ...rest]) => [first, first, ...rest],
    ]
    for (const attack of attacks) {
      let encrypted = 0
      const mischief: Mischief = {
        change: (chunk, _offset, direction) => {
          if (direction === 'toKms') return chunk
          const records: Buffer[] = []
          for (let at = 0; at + 5 <= chunk.length;) {
            const length = 5 + chunk.readUInt16BE(at + 3)
            records.push(chunk.subarray(at, at + length))
            at += length
          }
          // Only encrypted records, of which the handshake's own begin.
          if (records.every((record) => record[0] === 23)) encrypted++
          return encrypted > 0 ? Buffer.concat(attack(records)) : chunk
        },
      }
      expect(['ERR_KMS_TLS', 'ERR_KMS_CONNECTION', 'ERR_KMS_DEADLINE']).toContain(
        await outcome(enclave({ mischief }, { deadline: 2000 })),
      )
    }
  })
})

describe('an answer without end', () => {
  test.each([
    ['4 GB of body', { kind: 'huge-body', bytes: 2 ** 32 }],
    ['4 GB of headers', { kind: 'huge-headers', bytes: 2 ** 32 }],
  ] as const)('%s is refused with flat memory', async (_, fault) => {
    kms.fault({ ...fault })
    const before = process.memoryUsage().rss
    const code = await outcome(enclave({}, { deadline: 30_000 }))
    expect(code).toBe('ERR_KMS_RESPONSE_SIZE')
    expect(process.memoryUsage().rss - before).toBeLessThan(50e6)
  })
})

test('a connection without a call is left after 20 seconds, although KMS would keep it for a minute', async () => {
  const milliseconds = await idle
  expect(milliseconds).toBeGreaterThan(15_000)
  expect(milliseconds).toBeLessThan(45_000)
})
