// What answers instead of an enclave: every step of a connection stalled, broken or flooded. The bytes below TLS are real.
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAttestedFetch, type AttestedClientOptions } from '../src/client.ts'
import { makeCertificate } from './certificate.ts'
import { Attester, listen, outcome } from './enclave.ts'

const { key, cert } = makeCertificate('enclave.example', 'ec')
const TYPE = 'content-type: application/cose; cose-type="cose-sign1"\r\n'
const SHORT = { connectTimeout: 300, handshakeTimeout: 300, attestationTimeout: 400 }
let attester: Attester
const servers: Server[] = []

beforeAll(async () => {
  attester = await Attester.open()
})
afterAll(() => {
  for (const server of servers) server.close()
})

/** What a client makes of a server, and how long it took. */
async function verdict(
  server: Server,
  options: Partial<AttestedClientOptions> = {},
): Promise<string> {
  servers.push(server)
  const port = await listen(server)
  await using fetch = createAttestedFetch({ ...attester.policy(), ...SHORT, ...options })
  const began = performance.now()
  const code = await outcome(() => fetch(`https://127.0.0.1:${port}/`))
  expect(performance.now() - began).toBeLessThan(3000)
  return code
}

/** A server of TLS 1.3 that answers the first bytes of a client. */
function answering(answer: (socket: TLSSocket) => void): Server {
  return createTlsServer({ key, cert }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => answer(socket))
  })
}

const saying = (text: string): Server => answering((socket) => socket.write(text, 'latin1'))

describe('no connection', () => {
  it('where nobody listens', async () => {
    const server = createTcpServer()
    const port = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    await using fetch = createAttestedFetch(attester.policy())
    const refused = outcome(() => fetch(`https://127.0.0.1:${port}/`))
    expect(await refused).toBe('ERR_ATTESTED_TLS_CONNECTION')
  })

  it.each<[string, AttestedClientOptions['connect'], string]>([
    ['never ends', () => new Promise(() => {}), 'ERR_ATTESTED_TLS_DEADLINE'],
    ['throws', () => Promise.reject(new Error('no way')), 'ERR_ATTESTED_TLS_CONNECTION'],
    ['gives no stream', () => Promise.resolve({} as never), 'ERR_ATTESTED_TLS_CONNECTION'],
  ])('where connect %s', async (_what, connect, code) => {
    expect(await verdict(createTcpServer(), { connect: connect as never })).toBe(code)
  })
})

describe('no TLS', () => {
  const tcp = (act: (socket: Socket) => void): Server =>
    createTcpServer((socket) => act(socket.on('error', () => undefined)))

  it.each<[string, Server, string]>([
    ['from one who is silent', tcp(() => undefined), 'ERR_ATTESTED_TLS_DEADLINE'],
    ['from one who hangs up', tcp((one) => one.destroy()), 'ERR_ATTESTED_TLS_CONNECTION'],
    ['from one who resets', tcp((one) => one.resetAndDestroy()), 'ERR_ATTESTED_TLS_CONNECTION'],
    [
      'from one who speaks HTTP',
      tcp((one) => one.end('HTTP/1.1 200 OK\r\n\r\n')),
      'ERR_ATTESTED_TLS_HANDSHAKE',
    ],
    [
      'of an older version',
      createTlsServer({ key, cert, maxVersion: 'TLSv1.2' }),
      'ERR_ATTESTED_TLS_HANDSHAKE',
    ],
    [
      'with a certificate but without its key',
      tcp((one) => one.write(Buffer.from('16030300040e000000', 'hex'))),
      'ERR_ATTESTED_TLS_HANDSHAKE',
    ],
  ])('%s', async (_what, server, code) => {
    expect(await verdict(server)).toBe(code)
  })
})

describe('no document', () => {
  const head = (fields: string): string => `HTTP/1.1 200 OK\r\n${TYPE}${fields}\r\n`
  const response = 'ERR_ATTESTED_TLS_RESPONSE'

  it.each<[string, string, string]>([
    ['no HTTP', 'hello\r\n\r\n', response],
    ['HTTP/1.0', `HTTP/1.0 200 OK\r\n${TYPE}content-length: 1\r\n\r\nx`, response],
    ['an informational status', 'HTTP/1.1 100 Continue\r\n\r\n', response],
    [
      'another status',
      'HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n',
      'ERR_ATTESTED_TLS_UNAVAILABLE',
    ],
    ['a redirect', 'HTTP/1.1 307 x\r\nlocation: /\r\n\r\n', 'ERR_ATTESTED_TLS_UNAVAILABLE'],
    [
      'another type',
      'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 1\r\n\r\nx',
      response,
    ],
    ['no length', head(''), response],
    ['a length of nothing', head('content-length: 0\r\n'), response],
    ['4 GB', head('content-length: 4294967296\r\n'), response],
    ['more than a document', head('content-length: 16385\r\n'), response],
    ['a length in another notation', head('content-length: 0x10\r\n'), response],
    ['two lengths', head('content-length: 1\r\ncontent-length: 2\r\n'), response],
    ['chunks', head('content-length: 5\r\ntransfer-encoding: chunked\r\n'), response],
    ['an encoding', head('content-length: 5\r\ncontent-encoding: br\r\n'), response],
    ['a folded field', head('content-length: 1\r\n x: y\r\n'), response],
    ['a field without a name', head(': x\r\ncontent-length: 1\r\n'), response],
    ['a connection that closes', head('content-length: 1\r\nconnection: close\r\n'), response],
    ['more bytes than it said', `${head('content-length: 1\r\n')}xHTTP/1.1 200 OK\r\n`, response],
    ['a head without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(10_000)}`, response],
    ['a head that stalls', 'HTTP/1.1 200 OK\r\n', 'ERR_ATTESTED_TLS_DEADLINE'],
    ['a body that stalls', `${head('content-length: 5000\r\n')}x`, 'ERR_ATTESTED_TLS_DEADLINE'],
    [
      'bytes that are no document',
      `${head('content-length: 1\r\n')}x`,
      'ERR_ATTESTED_TLS_EVIDENCE',
    ],
  ])('but %s', async (_what, text, code) => {
    expect(await verdict(saying(text))).toBe(code)
  })

  it('but silence', async () => {
    expect(await verdict(answering(() => undefined))).toBe('ERR_ATTESTED_TLS_DEADLINE')
  })

  it('but an end', async () => {
    expect(await verdict(answering((one) => one.end()))).toBe('ERR_ATTESTED_TLS_CONNECTION')
    expect(await verdict(answering((one) => one.destroy()))).toBe('ERR_ATTESTED_TLS_CONNECTION')
  })

  it.each(['x: y\r\n'.repeat(100), 'z'.repeat(1000)])(
    'but fields without end, %#',
    async (field) => {
      let sent = 0
      const server = answering((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n')
        const more = (): void => {
          while (!socket.destroyed && socket.write(field)) sent += field.length
        }
        socket.on('drain', more)
        more()
      })
      expect(await verdict(server)).toBe('ERR_ATTESTED_TLS_RESPONSE')
      // What the kernel's buffers hold, and not what memory holds.
      expect(sent).toBeLessThan(32 * 2 ** 20)
    },
  )

  it('but one that comes a byte at a time, for longer than the deadline', async () => {
    const server = answering((socket) => {
      const text = head('content-length: 5000\r\n')
      let index = 0
      const timer = setInterval(() => socket.write(text[index++] ?? 'x'), 20)
      socket.once('close', () => clearInterval(timer))
    })
    expect(await verdict(server)).toBe('ERR_ATTESTED_TLS_DEADLINE')
  })

  it('and no memory for what is sent unasked, before the request', async () => {
    const server = createTlsServer({ key, cert }, (socket) => {
      socket.on('error', () => undefined)
      socket.write(Buffer.alloc(2 ** 20))
    })
    expect(await verdict(server)).toBe('ERR_ATTESTED_TLS_RESPONSE')
  })
})
