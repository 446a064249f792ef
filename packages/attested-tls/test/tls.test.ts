import { get, request as httpsRequest } from 'node:https'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { fetch as undiciFetch, request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AttestationResult } from '@enclavejs/attestation'
import {
  AttestedAgent,
  createAttestedDispatcher,
  createAttestedFetch,
  type AttestedClientOptions,
  type AttestedPeer,
} from '../src/client.ts'
import { channelOf } from '../src/server.ts'
import { Attester, listen, openEnclave, outcome, type Enclave } from './enclave.ts'
import { makeCertificate } from './certificate.ts'

let attester: Attester
let enclave: Enclave

beforeAll(async () => {
  attester = await Attester.open()
  enclave = await openEnclave({
    getEvidence: attester.evidence(),
    handler: (incoming, response) => {
      response.setHeader('x-channel', String(channelOf(incoming)))
      incoming.pipe(response)
    },
  })
})
afterAll(() => enclave[Symbol.asyncDispose]())
beforeEach(() => {
  attester.asked.length = 0
  enclave.requests.length = 0
})

/** What the node:https agent makes of a request. */
function getBy(agent: AttestedAgent, url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => text(response).then(resolve, reject)).on('error', reject)
  })
}

describe('a connection is attested on itself, once', () => {
  it('by fetch', async () => {
    await using fetch = createAttestedFetch(attester.policy())
    const response = await fetch(`${enclave.url}/a?b`, { method: 'POST', body: 'hello' })
    expect([response.status, await response.text()]).toEqual([200, 'hello'])
    expect(response.headers.get('x-channel')).toBe('tls')
    expect(attester.asked).toHaveLength(1)
    expect(enclave.requests).toEqual(['POST /a?b'])
  })

  it.each<[string, RequestInit, string]>([
    ['text', { method: 'POST', body: 'a' }, 'a'],
    ['a blob', { method: 'POST', body: new Blob(['b']) }, 'b'],
    ['parameters', { method: 'POST', body: new URLSearchParams({ a: 'b' }) }, 'a=b'],
    ['headers', { method: 'POST', body: 'a', headers: new Headers({ 'x-a': 'b' }) }, 'a'],
  ])('by fetch of the platform’s %s', async (_what, init, echoed) => {
    await using fetch = createAttestedFetch(attester.policy())
    expect(await (await fetch(enclave.url, init)).text()).toBe(echoed)
  })

  it('by fetch of the platform’s form', async () => {
    await using fetch = createAttestedFetch(attester.policy())
    const body = new FormData()
    body.set('one', 'two')
    const echoed = await (await fetch(enclave.url, { method: 'POST', body })).text()
    expect(echoed).toMatch(/^-+[\w-]+\r\n.*name="one"\r\n\r\ntwo\r\n/s)
  })

  it('by a dispatcher of undici, for many requests', async () => {
    const dispatcher = createAttestedDispatcher(attester.policy())
    for (let index = 0; index < 5; index++) {
      const { body, statusCode } = await request(enclave.url, {
        dispatcher,
        method: 'PUT',
        body: 'x',
      })
      expect([statusCode, await body.text()]).toEqual([200, 'x'])
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(attester.asked).toHaveLength(1)
    await dispatcher.close()
  })

  it('by an agent of node:https, for many requests', async () => {
    const agent = new AttestedAgent(attester.policy())
    for (let index = 0; index < 3; index++) {
      expect(await getBy(agent, `${enclave.url}/${index}`)).toBe('')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(attester.asked).toHaveLength(1)
    expect(enclave.requests).toEqual(['GET /0', 'GET /1', 'GET /2'])
    agent.destroy()
  })

  it('each with a nonce of its own, the key of TLS, and the purpose', async () => {
    for (let index = 0; index < 2; index++) {
      await using fetch = createAttestedFetch(attester.policy())
      await fetch(enclave.url)
    }
    const [one, two] = attester.asked
    expect(one?.nonce).toHaveLength(32)
    expect(one?.nonce).not.toEqual(two?.nonce)
    expect(one?.publicKey).toEqual(two?.publicKey)
    const label = 'enclavejs:attested-tls:v1\0'
    expect(
      Buffer.from(one?.userData ?? [])
        .subarray(0, -32)
        .toString(),
    ).toBe(label)
    // The channel binding is another one in each connection.
    expect(one?.userData).not.toEqual(two?.userData)
  })

  it('and the application judges it before its first request', async () => {
    const seen: [AttestationResult, AttestedPeer][] = []
    const onAttested = (result: AttestationResult, peer: AttestedPeer): void => {
      expect(enclave.requests).toEqual([])
      seen.push([result, peer])
    }
    await using fetch = createAttestedFetch({ ...attester.policy(), onAttested })
    await fetch(enclave.url)
    expect(seen).toHaveLength(1)
    expect(seen[0]?.[0].moduleId).toBe(attester.authority.moduleId)
    expect(seen[0]?.[1]).toEqual({ host: '127.0.0.1', port: enclave.port })
    const refusing = async (): Promise<void> => {
      throw new Error('not this one')
    }
    await using other = createAttestedFetch({ ...attester.policy(), onAttested: refusing })
    expect(await outcome(() => other(`${enclave.url}/never`))).toBe('ERR_ATTESTED_TLS_REFUSED')
    const never = (): Promise<void> => new Promise(() => {})
    const slow = { ...attester.policy(), onAttested: never, attestationTimeout: 200 }
    await using third = createAttestedFetch(slow)
    expect(await outcome(() => third(`${enclave.url}/never`))).toBe('ERR_ATTESTED_TLS_DEADLINE')
    expect(enclave.requests).toEqual(['GET /'])
  })
})

describe('a connection that is too old takes no request', () => {
  const policy = (): AttestedClientOptions => ({ ...attester.policy(), reattestAfter: 1000 })
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1100))

  it('of fetch', async () => {
    await using fetch = createAttestedFetch(policy())
    await (await fetch(enclave.url)).text()
    await pause()
    await (await fetch(enclave.url)).text()
    expect(attester.asked).toHaveLength(2)
  })

  it('of the agent, and ends when it is idle', async () => {
    const agent = new AttestedAgent(policy())
    await getBy(agent, enclave.url)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const [socket] = Object.values(agent.freeSockets).flat()
    expect(socket?.destroyed).toBe(false)
    await pause()
    expect(socket?.destroyed).toBe(true)
    await getBy(agent, enclave.url)
    expect(attester.asked).toHaveLength(2)
    agent.destroy()
  })

  it('and is cut off when a request does not end, in twice the time', async () => {
    await using stuck = await openEnclave({
      getEvidence: attester.evidence(),
      handler: (_incoming, response) => void response.write('begun'),
    })
    await using fetch = createAttestedFetch(policy())
    const response = await fetch(stuck.url)
    expect(await outcome(() => response.text())).toBe('ERR_ATTESTED_TLS_DEADLINE')
  })
})

describe('TLS', () => {
  const handshake = (options: object): Promise<string> =>
    new Promise((resolve) => {
      const socket = connectTls({
        ...{ host: '127.0.0.1', port: enclave.port, rejectUnauthorized: false },
        ...options,
      })
      socket.on('secureConnect', () => {
        resolve(`${socket.getProtocol()} ${String(socket.alpnProtocol)}`)
        socket.destroy()
      })
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    })

  it('is 1.3, and HTTP is 1.1', async () => {
    expect(await handshake({ ALPNProtocols: ['h2', 'http/1.1'] })).toBe('TLSv1.3 http/1.1')
    expect(await handshake({ maxVersion: 'TLSv1.2' })).toMatch(/^ERR_SSL_\w+VERSION$/)
  })

  it('has no session that can be resumed', async () => {
    const options = { host: '127.0.0.1', port: enclave.port, rejectUnauthorized: false }
    // TLS 1.3 gives sessions to a client, which can ask for them and does not get them.
    const session = await new Promise<Buffer>((resolve) => {
      const socket = connectTls(options)
      socket.once('session', (one) => {
        resolve(one)
        socket.destroy()
      })
    })
    const isReused = await new Promise<boolean>((resolve) => {
      const socket = connectTls({ ...options, session }, () => {
        resolve(socket.isSessionReused())
        socket.destroy()
      })
    })
    expect([session.length > 0, isReused]).toEqual([true, false])
  })

  it.each(['P-256', 'P-384'] as const)('has a key on %s that was made here', async (curve) => {
    await using other = await openEnclave({ getEvidence: attester.evidence(), curve })
    await using fetch = createAttestedFetch(attester.policy())
    expect((await fetch(other.url)).status).toBe(200)
    expect(attester.asked[0]?.publicKey).toHaveLength(curve === 'P-256' ? 91 : 120)
  })

  it.each(['ec', 'rsa'] as const)('has a key that was given, %s', async (kind) => {
    const { ca, cert, key } = makeCertificate('enclave.example', kind)
    const certificate = { key: new TextEncoder().encode(key), cert }
    await using other = await openEnclave({ getEvidence: attester.evidence(), certificate })
    await using fetch = createAttestedFetch(attester.policy())
    expect((await fetch(other.url)).status).toBe(200)
    const connect = (): Promise<Socket> => dial(other.port)
    const checked = { ...attester.policy(), connect, webPki: { ca: [ca] } }
    await using named = createAttestedFetch(checked)
    expect((await named('https://enclave.example/')).status).toBe(200)
    const wrong = 'ERR_ATTESTED_TLS_CERTIFICATE'
    expect(await outcome(() => named('https://other.example/'))).toBe(wrong)
    await using byNode = createAttestedFetch({ ...attester.policy(), connect, webPki: true })
    expect(await outcome(() => byNode('https://enclave.example/never'))).toBe(wrong)
    expect(other.requests).toEqual(['GET /', 'GET /'])
  })

  it('has the key of a certificate that attaches and renews itself', async () => {
    const [first, second] = [makeCertificate('a.example', 'ec'), makeCertificate('a.example', 'ec')]
    const certificate = {
      attach: async (server: { setSecureContext(options: object): void }) => {
        server.setSecureContext({ key: first.key, cert: first.cert })
      },
    }
    await using other = await openEnclave({ getEvidence: attester.evidence(), certificate })
    await using fetch = createAttestedFetch(attester.policy())
    await fetch(other.url)
    const server = other.served.server as unknown as { setSecureContext(options: object): void }
    server.setSecureContext({ key: second.key, cert: second.cert })
    await using later = createAttestedFetch(attester.policy())
    await later(other.url)
    expect(attester.asked[0]?.publicKey).not.toEqual(attester.asked[1]?.publicKey)
  })

  it('runs over any stream, and over an IPv6 address', async () => {
    const connect = async (): Promise<ReturnType<typeof duplexPair>[0]> => {
      const [near, far] = duplexPair()
      enclave.served.server.emit('connection', far)
      return near
    }
    await using fetch = createAttestedFetch({ ...attester.policy(), connect })
    expect((await fetch('https://[::1]:9443/')).status).toBe(200)
    const agent = new AttestedAgent({ ...attester.policy(), connect })
    expect(await getBy(agent, 'https://[::1]:9443/')).toBe('')
    agent.destroy()
  })
})

describe('nothing is sent', () => {
  it('to a URL without TLS', async () => {
    let bytes = 0
    const server = createServer((socket) => socket.on('data', ({ length }) => (bytes += length)))
    const port = await listen(server)
    await using fetch = createAttestedFetch(attester.policy())
    const url = `http://127.0.0.1:${port}/`
    expect(await outcome(() => fetch(url))).toBe('ERR_ATTESTED_TLS_PLAINTEXT')
    const agent = new AttestedAgent(attester.policy())
    expect(() => httpsRequest(url, { agent })).toThrow('Protocol "http:" not supported')
    expect(bytes).toBe(0)
    server.close()
  })

  it('after the client is closed', async () => {
    const dispatcher = createAttestedDispatcher({
      ...attester.policy(),
      onAttested: () => new Promise(() => {}),
    })
    const pending = outcome(() => undiciFetch(enclave.url, { dispatcher }))
    await new Promise((resolve) => setTimeout(resolve, 50))
    await dispatcher.destroy()
    expect(await pending).toMatch(/^(?:ERR_ATTESTED_TLS_CLOSED|UND_ERR_DESTROYED)$/)
    const agent = new AttestedAgent({
      ...attester.policy(),
      onAttested: () => new Promise(() => {}),
    })
    const refused = outcome(() => getBy(agent, enclave.url))
    await new Promise((resolve) => setTimeout(resolve, 50))
    agent.destroy()
    expect(await refused).toBe('ERR_ATTESTED_TLS_CLOSED')
    expect(enclave.requests).toEqual([])
  })
})

describe('options', () => {
  it.each<[string, object, RegExp]>([
    ['an unknown one', { rejectUnauthorized: false }, /unknown option "rejectUnauthorized"/],
    ['no reference values', { referenceValues: undefined }, /referenceValues are required/],
    ['a policy of other options', { maxAge: -1 }, /maxAge/],
    ['connect', { connect: 1 }, /connect must be a function/],
    ['webPki', { webPki: 'yes' }, /webPki must be a boolean/],
    ['reattestAfter', { reattestAfter: 3_600_001 }, /reattestAfter must be an integer/],
    ['attestationTimeout', { attestationTimeout: 0 }, /attestationTimeout must be an integer/],
    ['onAttested', { onAttested: true }, /onAttested must be a function/],
  ])('refuses %s', (_what, options, message) => {
    const given = { ...attester.policy(), ...options } as AttestedClientOptions
    expect(() => createAttestedDispatcher(given)).toThrow(message)
    expect(() => new AttestedAgent(given)).toThrow(message)
  })
})

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: '127.0.0.1', port }, () => resolve(socket))
    socket.on('error', reject)
  })
}
