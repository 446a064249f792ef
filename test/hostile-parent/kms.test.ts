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
const clients = new Set<KmsClient>()

interface Attack {
  readonly mischief?: Mischief
  readonly carried?: Carried[]
  readonly connect?: Connect
  readonly deadline?: number
  readonly opened?: (stream: Duplex) => void
}

/** A client whose streams all go through the parent's hands, with one attempt for a call. */
function enclave(attack: Attack | (() => Attack) = {}): KmsClient {
  const { connect, deadline = 5000 } = typeof attack === 'function' ? attack() : attack
  const through: Connect = async (host, port, options) => {
    const { mischief, carried, opened } = typeof attack === 'function' ? attack() : attack
    const record: Carried = { toKms: [], toEnclave: [] }
    carried?.push(record)
    const stream = carry(await kms.connect(host, port, options), mischief, record)
    opened?.(stream)
    return stream
  }
  const client = createKmsClient({
    keyArn,
    connect: connect ?? through,
    credentials,
    getEvidence,
    roots: [kms.ca],
    maxAttempts: 1,
    ...{ connectTimeout: deadline, handshakeTimeout: deadline, requestTimeout: deadline, deadline },
  })
  clients.add(client)
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
  const fresh = enclave({ carried })
  expect(await outcome(fresh)).toBe(SECRET.toString())
  wire = carried.flatMap(({ toEnclave }) => toEnclave).reduce((sum, { length }) => sum + length, 0)
})
afterEach(async () => {
  kms.clearFaults()
  await Promise.all([...clients].map((client) => client.close()))
  clients.clear()
})
afterAll(() => kms.close())

/**
 * One call for each attack, a new connection each, over a few clients: a client makes an RSA key first, which takes longer
 * than all the rest. Returns how often each outcome was seen.
 */
async function sweep(
  attacks: readonly Mischief[],
  deadline: number,
  lanes = 4,
): Promise<Map<string, number>> {
  const seen = new Map<string, number>()
  let next = 0
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      let mischief: Mischief = {}
      let stream: Duplex | undefined
      const client = enclave(() => ({ mischief, deadline, opened: (one) => (stream = one) }))
      while (next < attacks.length) {
        mischief = attacks[next++] as Mischief
        const code = await outcome(client)
        seen.set(code, (seen.get(code) ?? 0) + 1)
        if (stream?.destroy().closed === false) await once(stream, 'close')
        await setTimeout(2) // until the client has let go of it
      }
    }),
  )
  return seen
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
  test.each(['end', 'reset'] as const)(
    'anywhere (%s) gets a refusal, and the answer only where the cut is behind it',
    async (what) => {
      // The answer byte by byte, the handshake in steps.
      const positions = Array.from({ length: wire }, (_, index) => index).filter(
        (index) => index > wire - 200 || index % 40 === 0,
      )
      const seen = await sweep(
        positions.map((bytes) => ({ after: { bytes, what } })),
        5000,
      )
      const accepted = seen.get(SECRET.toString()) ?? 0
      seen.delete(SECRET.toString())
      for (const code of seen.keys()) expect(['ERR_KMS_CONNECTION', 'ERR_KMS_TLS']).toContain(code)
      // Lengths differ by a few bytes from call to call (ECDSA signatures in DER).
      expect(accepted).toBeLessThan(24)
      expect(sum(seen.values())).toBeGreaterThan(200)
    },
    300_000,
  )
})

describe('a parent that stalls', () => {
  test('anywhere is left at the deadline', async () => {
    const attacks = Array.from({ length: 40 }, (_, index) => ({
      after: { bytes: Math.floor((index * (wire - 50)) / 40), what: 'stall' as const },
    }))
    const begin = performance.now()
    expect([...(await sweep(attacks, 1500, 8))]).toEqual([['ERR_KMS_DEADLINE', 40]])
    expect(performance.now() - begin).toBeLessThan(60_000)
  }, 300_000)

  test('without ever giving a stream is left as well', async () => {
    const connect: Connect = () => new Promise<Duplex>(() => undefined)
    expect(await outcome(enclave({ connect, deadline: 300 }))).toBe('ERR_KMS_DEADLINE')
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
    const seen = await sweep(attacks, 2000, 8)
    seen.delete(SECRET.toString()) // a byte behind the answer
    for (const code of seen.keys()) expect(REFUSALS).toContain(code)
    expect(sum(seen.values())).toBeGreaterThan(150)
  }, 300_000)

  test('to KMS: KMS ends the connection', async () => {
    const attacks = [5, 100, 600, 1500, 4000].map((position) => flip(position, 'toKms'))
    const seen = await sweep(attacks, 2000)
    for (const code of seen.keys()) expect(REFUSALS).toContain(code)
    expect(sum(seen.values())).toBe(attacks.length)
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
    const one = enclave({ connect, deadline: 2000 })
    const other = enclave({ connect, deadline: 2000 })
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
        await outcome(enclave({ mischief, deadline: 2000 })),
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
    const code = await outcome(enclave({ deadline: 10_000 }))
    expect(['ERR_KMS_RESPONSE_SIZE', 'ERR_KMS_CONNECTION']).toContain(code)
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
  })
})
