// Certificates and misbehaviours that a test suite for TLS clients asks about, put to the client as a whole.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { createKmsClient, type KmsClientOptions } from '../src/index.ts'
import { CREDENTIALS, dial, KEY_ARN } from './kms-server.ts'
import { failure } from './simulated-kms.ts'

/** How one call to a server ends: `nothing` is that it succeeded. */
async function outcome(options: Partial<KmsClientOptions>): Promise<string> {
  await using client = createKmsClient({
    keyArn: KEY_ARN,
    connect: () => Promise.reject(new Error('not told')),
    credentials: CREDENTIALS,
    getEvidence: async () => new Uint8Array(1),
    maxAttempts: 1,
    ...options,
  })
  return await failure(client.describeKey())
}

interface CertificateCase {
  readonly id: string
  readonly expect: 'accept' | 'reject'
  readonly host: string
  readonly why: string
  readonly key: string
  readonly chain: string
}

const file = vectors('tls-client/tls.json')
const { root = '', certificate_cases: cases = [] } =
  file === undefined
    ? {}
    : (JSON.parse(readFileSync(file, 'utf8')) as {
        root: string
        certificate_cases: CertificateCase[]
      })

describe('certificates of a test suite for TLS clients', () => {
  it.skipIf(file === undefined)('are here', () => {
    expect(cases.length).toBeGreaterThan(20)
  })

  it.each(cases.map((one) => [one.id, one.why, one] as const))('%s: %s', async (_id, _why, one) => {
    const server = createTlsServer({
      key: one.key,
      cert: one.chain,
      ciphers: 'ALL:@SECLEVEL=0',
      maxVersion: 'TLSv1.3',
    })
    const keyArn = KEY_ARN.replace('eu-west-1', 'us-east-1')
    server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined)
      const body = JSON.stringify({ KeyMetadata: { KeyId: 'x', Arn: keyArn } })
      socket.once('data', () => {
        socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
      })
    })
    server.on('tlsClientError', () => undefined)
    const port = await listen(server)
    const connect = dial(port)
    expect(await outcome({ keyArn, connect, roots: [root] })).toBe(
      one.expect === 'accept' ? 'nothing' : 'ERR_KMS_TLS',
    )
    server.close()
  })
})

describe('what a test suite for TLS clients asks of the protocol', () => {
  const rsa = cases.find(({ id }) => id === 'good-rsa2048')
  const keyArn = KEY_ARN.replace('eu-west-1', 'us-east-1')
  const body = JSON.stringify({ KeyMetadata: { KeyId: 'x', Arn: keyArn } })
  const head = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`

  /** How a call ends at a server with the suite's certificate, which answers as told. */
  async function against(
    tls: TlsOptions,
    answer: (socket: TLSSocket, raw: Socket) => void,
    minTlsVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.2',
  ): Promise<string> {
    const raws: Socket[] = []
    const server = createTlsServer({ key: rsa?.key, cert: rsa?.chain, ...tls } as TlsOptions)
    server.on('connection', (socket) => raws.push(socket))
    server.on('tlsClientError', () => undefined)
    server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => answer(socket, raws.at(-1) as Socket))
    })
    const connect = dial(await listen(server))
    const ended = await outcome({ keyArn, connect, roots: [root], minTlsVersion })
    for (const socket of raws) socket.destroy()
    server.close()
    return ended
  }
  const complete = (socket: TLSSocket): void => void socket.end(head + body)

  it.skipIf(rsa === undefined)('tls12-only: taken when that is said', async () => {
    const tls = { maxVersion: 'TLSv1.2' } as const
    expect(await against(tls, complete)).toBe('nothing')
    expect(await against(tls, complete, 'TLSv1.3')).toBe('ERR_KMS_TLS')
  })

  it.skipIf(rsa === undefined)('dh-1024: no finite-field DH at all', async () => {
    const ciphers = 'DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0'
    const tls = { maxVersion: 'TLSv1.2', ciphers, dhparam: 'auto' } as const
    expect(await against(tls, complete)).toBe('ERR_KMS_TLS')
  })

  it('garbage-hello', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(randomBytes(64))
    })
    const connect = dial(await listen(server))
    expect(await outcome({ connect })).toBe('ERR_KMS_TLS')
    server.close()
  })

  it.skipIf(rsa === undefined)('truncate-no-close-notify and reset-mid-body', async () => {
    const half = head + body.slice(0, 20)
    const cut = (how: 'end' | 'resetAndDestroy') => (socket: TLSSocket, raw: Socket) =>
      void socket.write(half, () => setTimeout(() => raw[how](), 20))
    expect(await against({}, cut('end'))).toBe('ERR_KMS_CONNECTION')
    expect(await against({}, cut('resetAndDestroy'))).toBe('ERR_KMS_CONNECTION')
    // Without a length the end of the stream is the end of the body, and half a body is no JSON.
    const endless = 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n' + body.slice(0, 20)
    const end = (socket: TLSSocket, raw: Socket): void =>
      void socket.write(endless, () => setTimeout(() => raw.end(), 20))
    expect(await against({}, end)).toBe('ERR_KMS_RESPONSE')
  })
})

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
