// More calls than sockets: who waits, for whom, and what becomes of them.
import type { ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createKmsClient, type KmsClient, type KmsClientOptions } from '../src/index.ts'
import { CREDENTIALS, HOST, json, KEY_ARN, KmsServer } from './kms-server.ts'
import { failure } from './simulated-kms.ts'
import { TlsAuthority } from './tls-authority.ts'

let authority: TlsAuthority
let server: KmsServer
let client: KmsClient
/** Requests that came and were not answered. */
let held: { readonly text: string; readonly response: ServerResponse }[] = []

const textOf = (base64: unknown): string => Buffer.from(String(base64), 'base64').toString()

/** The answer to Encrypt says what was encrypted. */
function reply(text: string, response: ServerResponse, headers: Record<string, string> = {}): void {
  json(response, 200, answerTo(text), headers)
}

function answerTo(text: string): Record<string, string> {
  const CiphertextBlob = Buffer.from(`of ${text}`).toString('base64')
  return { KeyId: KEY_ARN, CiphertextBlob, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
}

beforeAll(async () => {
  authority = await TlsAuthority.create()
  server = await KmsServer.start(await authority.issue({ names: [HOST] }), () => undefined)
})
afterAll(async () => {
  await server.close()
  authority.remove()
})
afterEach(() => client.close())

function open(options: Partial<KmsClientOptions>): void {
  held = []
  server.seen.length = 0
  server.connections = 0
  server.answer = ({ body }, response) => {
    held.push({ text: textOf(body['Plaintext']), response })
  }
  client = createKmsClient({
    keyArn: KEY_ARN,
    connect: server.connect,
    credentials: CREDENTIALS,
    getEvidence: async () => new Uint8Array(1),
    roots: [authority.root],
    maxAttempts: 1,
    ...options,
  })
}

/** What the answer says was encrypted. */
async function encrypt(text: string, signal?: AbortSignal): Promise<string> {
  const { CiphertextBlob } = await client.encrypt(
    { Plaintext: Buffer.from(text), EncryptionContext: { purpose: 'test' } },
    signal === undefined ? {} : { signal },
  )
  return Buffer.from(CiphertextBlob).toString()
}

const seen = (): readonly string[] => server.seen.map(({ body }) => textOf(body['Plaintext']))

async function arrived(count: number): Promise<void> {
  await expect.poll(() => server.seen.length, { interval: 2 }).toBe(count)
}

describe('more calls than sockets', () => {
  it('are sent in their order, one at a time on each socket, and each gets its own answer', async () => {
    open({ maxSockets: 3 })
    let most = 0
    server.answer = ({ body }, response) => {
      held.push({ text: textOf(body['Plaintext']), response })
      most = Math.max(most, held.length)
      setImmediate(() => {
        const one = held.shift()
        if (one !== undefined) reply(one.text, one.response)
      })
    }
    const texts = Array.from({ length: 40 }, (_, index) => `call ${index}`)
    const answers = await Promise.all(texts.map((text) => encrypt(text)))
    expect(answers).toEqual(texts.map((text) => `of ${text}`))
    expect(seen().slice(3)).toEqual(texts.slice(3))
    expect(most).toBeLessThanOrEqual(3)
    expect(server.connections).toBe(3)
  })

  it('do not wait for one that is not answered while another socket is free', async () => {
    open({ maxSockets: 2 })
    const stuck = encrypt('stuck')
    await arrived(1)
    server.answer = ({ body }, response) => reply(textOf(body['Plaintext']), response)
    const texts = ['a', 'b', 'c', 'd', 'e']
    expect(await Promise.all(texts.map((text) => encrypt(text)))).toEqual(
      texts.map((text) => `of ${text}`),
    )
    reply('stuck', held[0]?.response as ServerResponse)
    expect(await stuck).toBe('of stuck')
  })

  it('one that was given up while it waited is never sent', async () => {
    open({ maxSockets: 1 })
    const first = encrypt('first')
    await arrived(1)
    const controller = new AbortController()
    const second = encrypt('second', controller.signal)
    const third = encrypt('third')
    controller.abort(new Error('given up'))
    expect(await failure(second)).toBe('Error: given up')
    server.answer = ({ body }, response) => reply(textOf(body['Plaintext']), response)
    reply('first', held[0]?.response as ServerResponse)
    expect(await Promise.all([first, third])).toEqual(['of first', 'of third'])
    expect(seen()).toEqual(['first', 'third'])
  })

  it('one that had no answer in time leaves its place to the next', async () => {
    open({ maxSockets: 1, requestTimeout: 500 })
    const first = encrypt('first')
    await arrived(1)
    const codes = failure(first)
    server.answer = ({ body }, response) => reply(textOf(body['Plaintext']), response)
    await new Promise((resolve) => setTimeout(resolve, 250))
    const second = encrypt('second')
    expect(await codes).toBe('ERR_KMS_DEADLINE')
    expect(await second).toBe('of second')
    expect(server.connections).toBe(2)
  })

  it.each([
    ['breaks', (response: ServerResponse): void => void response.socket?.destroy()],
    [
      'breaks within the answer',
      (response: ServerResponse): void => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('{', () => response.socket?.destroy())
      },
    ],
  ] as const)('a socket that %s fails its own call alone', async (_name, end) => {
    open({ maxSockets: 1 })
    const [first, second, third] = [encrypt('first'), encrypt('second'), encrypt('third')]
    await arrived(1)
    server.answer = ({ body }, response) => reply(textOf(body['Plaintext']), response)
    end(held[0]?.response as ServerResponse)
    expect(await failure(first)).toBe('ERR_KMS_CONNECTION')
    expect(await Promise.all([second, third])).toEqual(['of second', 'of third'])
    expect(server.connections).toBe(2)
  })

  it('a server that ends the connection with its answer gets the next call on a new one', async () => {
    open({ maxSockets: 1 })
    server.answer = ({ body }, response) =>
      reply(textOf(body['Plaintext']), response, { connection: 'close' })
    const texts = ['a', 'b', 'c']
    expect(await Promise.all(texts.map((text) => encrypt(text)))).toEqual(['of a', 'of b', 'of c'])
    expect(server.connections).toBe(3)
  })

  it('a second answer to one request is not taken for that to the next', async () => {
    open({ maxSockets: 1 })
    const [first, second] = [encrypt('first'), encrypt('second')]
    await arrived(1)
    server.answer = ({ body }, response) => reply(textOf(body['Plaintext']), response)
    const twice = ['first', 'forged'].map((text) => {
      const body = JSON.stringify(answerTo(text))
      return `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    })
    held[0]?.response.socket?.write(twice.join(''))
    expect(await first).toBe('of first')
    expect(await second).toBe('of second')
    expect(server.connections).toBe(2)
  })

  it('are refused when the client is closed, whether sent or waiting', async () => {
    open({ maxSockets: 1 })
    const codes = ['first', 'second', 'third'].map((text) => failure(encrypt(text)))
    await arrived(1)
    await client.close()
    expect(await Promise.all(codes)).toEqual(Array.from({ length: 3 }, () => 'ERR_KMS_CLOSED'))
    expect(await failure(encrypt('late'))).toBe('ERR_KMS_CLOSED')
    expect(seen()).toEqual(['first'])
  })
})
