// The parent instance before there is TLS, and on the way out: it answers the enclave's first bytes with bytes of its own that
// never end, and cuts what the enclave sends wherever it likes.
import { createServer, connect as connectTcp, type AddressInfo, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKmsClient, KmsError, type Connect, type KmsClient } from '@enclavejs/kms-enclave'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedCredentials,
  type SimulatedKms,
} from '@enclavejs/simulator/kms'
import { carry, type Carried, type Mischief } from './parent.ts'

const EncryptionContext = { purpose: 'hostile parent' }
const SECRET = Buffer.from('the plaintext that never leaves the enclave')
const GIGABYTES = 4 * 2 ** 30

// What the collector has not come by yet is not what an attack holds.
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
/** The resident bytes of this process. */
function resident(): number {
  collect()
  return process.memoryUsage.rss()
}

let kms: SimulatedKms
let keyArn: string
let credentials: SimulatedCredentials
let getEvidence: (input: { publicKey: Uint8Array }) => Promise<Uint8Array>
let CiphertextBlob: Uint8Array

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
  CiphertextBlob = kms.encrypt(keyArn, SECRET, EncryptionContext)
  getEvidence = async ({ publicKey }) =>
    issueAttestationDocument(
      {
        moduleId: authority.moduleId,
        timestamp: Date.now(),
        pcrs: new Map([[0, new Uint8Array(48).fill(7)]]),
        publicKey,
      },
      authority.issueLeaf(),
    )
})
afterAll(() => kms.close())

function enclave(connect: Connect, deadline: number): KmsClient {
  return createKmsClient({
    ...{ keyArn, connect, credentials, getEvidence, roots: [kms.ca] },
    ...{ maxAttempts: 1, maxSockets: 1 },
    ...{ connectTimeout: deadline, handshakeTimeout: deadline, requestTimeout: deadline, deadline },
  })
}

async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'answered'
  } catch (error) {
    expect(error).toBeInstanceOf(KmsError)
    expect((error as Error).message).not.toContain(SECRET.toString())
    return (error as KmsError).code
  }
}

describe('a parent that answers the first bytes with 4 GB of its own', () => {
  const record = (type: number, ...body: number[]): Buffer =>
    Buffer.from([type, 3, 3, body.length >> 8, body.length & 255, ...body])
  const zeros = Array.from({ length: 16_000 }, () => 0)
  const [HANDSHAKE, ALERT, APPLICATION, CHANGE_CIPHER] = [22, 21, 23, 20]
  const line = Buffer.from('X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n')

  test.each<[string, Buffer, Buffer, string]>([
    ['zeros', Buffer.alloc(1), Buffer.alloc(1), 'ERR_KMS_TLS'],
    ['HTTP headers', Buffer.from('HTTP/1.1 200 OK\r\n'), line, 'ERR_KMS_TLS'],
    [
      'an HTTP body',
      Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${GIGABYTES}\r\n\r\n{"Plaintext":"`),
      Buffer.from('YWFh'),
      'ERR_KMS_TLS',
    ],
    [
      'a ServerHello of 16 MB',
      record(HANDSHAKE, 2, 255, 255, 255, ...zeros),
      record(HANDSHAKE, ...zeros),
      'ERR_KMS_TLS',
    ],
    [
      'a certificate of 16 MB',
      record(HANDSHAKE, 11, 255, 255, 255, ...zeros),
      record(HANDSHAKE, ...zeros),
      'ERR_KMS_TLS',
    ],
    ['warnings', record(ALERT, 1, 90), record(ALERT, 1, 90), 'ERR_KMS_TLS'],
    ['changes of cipher', record(CHANGE_CIPHER, 1), record(CHANGE_CIPHER, 1), 'ERR_KMS_TLS'],
    ['empty data', record(APPLICATION), record(APPLICATION), 'ERR_KMS_TLS'],
    ['empty messages', record(HANDSHAKE), record(HANDSHAKE), 'ERR_KMS_TLS'],
    [
      'hello requests, which TLS reads and forgets',
      record(HANDSHAKE, 0, 0, 0, 0),
      record(HANDSHAKE, 0, 0, 0, 0),
      'ERR_KMS_DEADLINE',
    ],
  ])('%s: is refused in time, with flat memory', async (_name, first, rest, code) => {
    const deadline = code === 'ERR_KMS_DEADLINE' ? 1000 : 10_000
    const before = resident()
    let most = before
    let sent = 0
    const flood = Buffer.concat(Array.from({ length: Math.ceil(65_536 / rest.length) }, () => rest))
    const pump = (socket: Socket): void => {
      while (!socket.destroyed && sent < GIGABYTES) {
        most = Math.max(most, process.memoryUsage.rss())
        sent += flood.length
        if (!socket.write(flood)) return void socket.once('drain', () => pump(socket))
      }
    }
    const parent = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => {
        socket.write(first)
        pump(socket)
      })
    })
    await new Promise<void>((resolve) => parent.listen(0, '127.0.0.1', resolve))
    const { port } = parent.address() as AddressInfo
    const client = enclave(async () => connectTcp(port, '127.0.0.1'), deadline)
    const began = performance.now()
    expect(await outcome(client.describeKey())).toBe(code)
    expect(performance.now() - began).toBeLessThan(deadline + 5000)
    expect(most - before).toBeLessThan(50e6)
    expect(sent).toBeLessThan(GIGABYTES / 2)
    await client.close()
    parent.close()
  })
})

describe('a parent that cuts what the enclave sends', () => {
  const DEADLINE = 20_000
  type Call = (client: KmsClient) => Promise<unknown>
  const describeKey: Call = (client) => client.describeKey()
  const decrypt: Call = (client) => client.decrypt({ CiphertextBlob, EncryptionContext })

  /** Each attack has a connection of its own. How often which code, or `answered`; the longest that one took; most memory. */
  async function sweep(
    call: Call,
    attacks: readonly NonNullable<Mischief['after']>[],
    { lanes = 4, deadline = DEADLINE }: { lanes?: number; deadline?: number } = {},
  ): Promise<{ codes: ReadonlyMap<string, number>; longest: number; most: number }> {
    const codes = new Map<string, number>()
    const left = [...attacks]
    let longest = 0
    let most = 0
    const lane = async (): Promise<void> => {
      let mischief: Mischief = {}
      const connect: Connect = async (host, port, options) =>
        carry(await kms.connect(host, port, options), mischief)
      const client = enclave(connect, deadline)
      for (let after = left.shift(); after !== undefined; after = left.shift()) {
        mischief = { after }
        const began = performance.now()
        const code = await outcome(call(client))
        longest = Math.max(longest, performance.now() - began)
        codes.set(code, (codes.get(code) ?? 0) + 1)
        if (left.length % 250 === 0) most = Math.max(most, resident())
      }
      await client.close()
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    return { codes, longest, most }
  }

  /** How many bytes the enclave sends in a connection with one call. */
  async function lengthOf(call: Call): Promise<number> {
    const record: Carried = { toKms: [], toEnclave: [] }
    const connect: Connect = async (host, port, options) =>
      carry(await kms.connect(host, port, options), {}, record)
    const client = enclave(connect, 20_000)
    expect(await outcome(call(client))).toBe('answered')
    const length = record.toKms.reduce((sum, chunk) => sum + chunk.length, 0)
    await client.close()
    return length
  }

  const at = (bytes: number, what: 'end' | 'reset' | 'stall'): NonNullable<Mischief['after']> => ({
    ...{ bytes, what },
    direction: 'toKms',
  })

  test('at every byte of a handshake and a request gets one refusal', async () => {
    const length = await lengthOf(describeKey)
    const bytes = Array.from({ length }, (_, index) => index)
    const ends = bytes.filter((one) => one % 2 === 0).map((one) => at(one, 'end'))
    const resets = bytes.filter((one) => one % 2 === 1).map((one) => at(one, 'reset'))
    const first = await sweep(describeKey, ends)
    expect([...first.codes]).toEqual([['ERR_KMS_CONNECTION', ends.length]])
    // By now the process has grown to what it needs.
    const before = resident()
    const second = await sweep(describeKey, resets)
    expect([...second.codes]).toEqual([['ERR_KMS_CONNECTION', resets.length]])
    expect(Math.max(first.longest, second.longest)).toBeLessThan(DEADLINE)
    expect(second.most - before).toBeLessThan(50e6)
  })

  test('all over an attested one gets one refusal', async () => {
    const length = await lengthOf(decrypt)
    const attacks = Array.from({ length: 64 }, (_, index) =>
      at(Math.floor((index * length) / 64), index % 2 === 0 ? 'end' : 'reset'),
    )
    const { codes, longest } = await sweep(decrypt, attacks)
    expect([...codes]).toEqual([['ERR_KMS_CONNECTION', 64]])
    expect(longest).toBeLessThan(DEADLINE)
  })

  test('and keeps the connection is left at the deadline', async () => {
    const length = await lengthOf(describeKey)
    const attacks = Array.from({ length: 48 }, (_, index) =>
      at(Math.floor((index * length) / 48), 'stall'),
    )
    const { codes, longest } = await sweep(describeKey, attacks, { lanes: 12, deadline: 500 })
    expect([...codes]).toEqual([['ERR_KMS_DEADLINE', 48]])
    expect(longest).toBeLessThan(DEADLINE)
  })
})
