import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent as HttpAgent, createServer as createHttpServer, get } from 'node:http'
import {
  Agent as HttpsAgent,
  createServer as createHttpsServer,
  get as getSecure,
} from 'node:https'
import type { ClientRequest, IncomingMessage, RequestListener, Server } from 'node:http'
import { createServer as createNetServer, type AddressInfo } from 'node:net'
import type { Server as NetServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { Agent, fetch, request } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  connect,
  createConnection,
  listenVsock,
  VsockAgent,
  type VsockConnectionOptions,
  vsockConnector,
  type VsockListenOptions,
  VsockSocket,
  VsockTlsAgent,
} from '@enclavejs/vsock'
import { listenMuxer } from '../../../test/vsock/muxer.ts'
import { serverCertificate } from './certificate.ts'
import { registerVsock } from './simulated-vsock.ts'

const HOST = 'kms.eu-west-1.amazonaws.com'
const own = serverCertificate(HOST, 'enclave')
const other = serverCertificate('elsewhere.example')
const folder = mkdtempSync(join(tmpdir(), 'vsock-agent-'))
const path = join(folder, 'v')
const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true })]
beforeAll(async () => {
  closing.unshift(registerVsock(), await listenMuxer(path))
})
afterAll(async () => {
  for (const close of closing) await close()
})

const servers = new Set<NetServer>()
afterEach(async () => {
  for (const socket of open) socket.destroy()
  await Promise.all([...servers].map((server) => new Promise((resolve) => server.close(resolve))))
  servers.clear()
})

async function listening<T extends NetServer>(
  server: T,
  at: VsockListenOptions & VsockConnectionOptions,
): Promise<T> {
  servers.add(server)
  listenVsock(server, at)
  await once(server, 'listening')
  return server
}

const echo: RequestListener = (message, response) => {
  void text(message).then((body) => {
    response.end(JSON.stringify({ method: message.method, host: message.headers.host, body }))
  })
}

const answered = (response: IncomingMessage): Promise<unknown> => text(response).then(JSON.parse)

/** Connections to {@link silent}, and those on which something has been said. */
const open = new Set<Socket>()
const heard = new Set<Socket>()

/** Takes connections and says nothing. */
function silent(): NetServer {
  return createNetServer((socket) => {
    open.add(socket)
    socket
      .on('error', () => undefined)
      .on('close', () => {
        open.delete(socket)
        heard.delete(socket)
      })
    socket.on('data', () => heard.add(socket))
  })
}

/** Turns of the event loop until something holds, for 5 seconds at most: timers are not asked. */
async function turns(holds: () => boolean): Promise<void> {
  const end = performance.now() + 5000
  do {
    if (performance.now() > end) throw new Error(`waited in vain for ${String(holds)}`)
    await new Promise((resolve) => setImmediate(resolve))
  } while (!holds())
}

/** The simulator's, without a handle of the addon, and hybrid vsock, with one. */
const ways: readonly (readonly [string, { readonly path?: string }, cid: number | undefined])[] = [
  ['the simulator', {}, 3],
  ...(process.platform === 'linux' ? [['hybrid vsock', { path }, undefined] as const] : []),
]

/** Whether a request emits `timeout`. */
async function timesOut(asked: ClientRequest, within = 10_000): Promise<boolean> {
  asked.on('error', () => undefined)
  const seen = await Promise.race([
    once(asked, 'timeout').then(() => true),
    sleep(within).then(() => false),
  ])
  asked.destroy()
  return seen
}

describe.each(ways)('http over %s', (_, at, cid) => {
  test('a server of node:http, whose sockets know their peer', async () => {
    const here = { ...at, port: 8080 }
    const server = await listening(createHttpServer(echo), here)
    const peers: unknown[] = []
    server.on('connection', (socket) => {
      peers.push(socket instanceof VsockSocket, (socket as VsockSocket).remoteCid)
    })
    const agent = new VsockAgent(here, { keepAlive: true })
    for (let count = 0; count < 3; count++) {
      const asked = get('http://enclave/status', { agent })
      const [response] = (await once(asked, 'response')) as [IncomingMessage]
      expect(await answered(response)).toEqual({ method: 'GET', host: 'enclave', body: '' })
    }
    expect(peers).toEqual([true, cid])
    expect(server.address()).toMatchObject({ family: 'VSOCK', port: 8080 })
    agent.destroy()
  })

  test('undici and fetch', async () => {
    const here = { ...at, port: 8081 }
    await listening(createHttpServer(echo), here)
    const dispatcher = new Agent({ connect: vsockConnector(here) })
    const options = { dispatcher, method: 'POST', body: 'hello' } as const
    const { body } = await request('http://enclave/', options)
    expect(await body.json()).toEqual({ method: 'POST', host: 'enclave', body: 'hello' })
    const response = await fetch('http://enclave/', options)
    expect(await response.json()).toEqual({ method: 'POST', host: 'enclave', body: 'hello' })
    await dispatcher.close()
  })

  test('nobody listens: the error of the socket, with its address', async () => {
    const nowhere = { ...at, port: 8099 }
    const dispatcher = new Agent({ connect: vsockConnector(nowhere) })
    const refused = {
      ...{ code: 'ECONNRESET', syscall: 'connect', port: 8099 },
      ...(cid !== undefined && { cid }),
    }
    await expect(request('http://enclave/', { dispatcher })).rejects.toMatchObject(refused)
    const [error] = await once(get('http://enclave/', { agent: new VsockAgent(nowhere) }), 'error')
    expect(error).toMatchObject(refused)
    await expect(request('https://enclave/', { dispatcher })).rejects.toMatchObject(refused)
    const agent = new VsockTlsAgent(nowhere)
    const [inTls] = await once(getSecure('https://enclave/', { agent }), 'error')
    expect(inTls).toMatchObject(refused)
    await dispatcher.close()
  })

  test('the option timeout of an agent, as over TCP', async () => {
    const here = { ...at, port: 8090 }
    await listening(silent(), here)
    const tcp = silent().listen(0, '127.0.0.1')
    servers.add(tcp)
    await once(tcp, 'listening')
    const { port } = tcp.address() as AddressInfo
    const timeout = 200
    const seen = await Promise.all([
      timesOut(get({ host: '127.0.0.1', port, agent: new HttpAgent({ timeout }) })),
      timesOut(get('http://x/', { agent: new VsockAgent(here, { timeout }) })),
      timesOut(get('http://x/', { agent: new VsockAgent(here, { timeout }), timeout })),
      timesOut(get('http://x/', { agent: new VsockAgent(here), timeout })),
      timesOut(getSecure({ host: '127.0.0.1', port, agent: new HttpsAgent({ timeout }) })),
      timesOut(getSecure('https://x/', { agent: new VsockTlsAgent(here, { timeout }) })),
      timesOut(getSecure('https://x/', { agent: new VsockTlsAgent(here), timeout })),
    ])
    expect(seen).toEqual(seen.map(() => true))
    expect(await timesOut(get('http://x/', { agent: new VsockAgent(here) }), 800)).toBe(false)
  })

  test('a peer that is silent in the TLS handshake has 10 seconds', async () => {
    const here = { ...at, port: 8091 }
    await listening(silent(), here)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const connector = vsockConnector(here)
    const failures: unknown[] = []
    connector({ hostname: HOST, protocol: 'https:' }, (...result) => void failures.push(result[0]))
    const asked = getSecure(`https://${HOST}/`, { agent: new VsockTlsAgent(here) })
    asked.on('error', (error) => failures.push(error))
    // The deadlines of the connections are over, those of the handshakes have begun.
    await turns(() => heard.size === 2)
    expect(vi.getTimerCount()).toBe(2)
    vi.advanceTimersByTime(9990)
    await turns(() => true)
    expect(failures).toEqual([])
    vi.advanceTimersByTime(10)
    await turns(() => failures.length === 2)
    const late = { name: 'VsockError', code: 'ERR_VSOCK_TLS_TIMEOUT' }
    expect(failures).toMatchObject([late, late])
    expect(vi.getTimerCount()).toBe(0)
  })
})

const noCertificate = own === undefined || other === undefined

describe.skipIf(noCertificate).each(ways)('TLS over %s (needs openssl)', (_, at) => {
  const ca = own?.cert
  const credentials = { ...own }

  test('tls.connect({ socket }) to a server of node:tls', async () => {
    await listening(
      createTlsServer(credentials, (socket) => void socket.pipe(socket)),
      { ...at, port: 8443 },
    )
    const socket = createConnection({ ...at, port: 8443 }) // TLS waits for the connection by itself
    const secure = connectTls({ socket, ca, servername: HOST, minVersion: 'TLSv1.3' })
    await once(secure, 'secureConnect')
    expect(secure.getProtocol()).toBe('TLSv1.3')
    secure.end('over TLS')
    expect(await text(secure)).toBe('over TLS')
    const connected = await connect({ ...at, port: 8443 })
    const again = connectTls({ socket: connected, ca, servername: HOST })
    again.end('once more')
    expect(await text(again)).toBe('once more')
  })

  test('a server of node:https, an agent that resumes sessions, fetch', async () => {
    let resumed = 0
    const server = await listening(createHttpsServer(credentials, echo), { ...at, port: 8444 })
    server.on('secureConnection', (socket) => (resumed += socket.isSessionReused() ? 1 : 0))
    const agent = new VsockTlsAgent({ ...at, port: 8444 }, { ca, maxCachedSessions: 10 })
    for (let count = 0; count < 2; count++) {
      const [response] = (await once(getSecure(`https://${HOST}/`, { agent }), 'response')) as [
        IncomingMessage,
      ]
      expect(await answered(response)).toMatchObject({ host: HOST })
    }
    expect(resumed).toBe(1)
    const dispatcher = new Agent({ connect: vsockConnector({ ...at, port: 8444 }, { ca }) })
    const response = await fetch(`https://${HOST}/`, { dispatcher })
    expect(await response.json()).toMatchObject({ host: HOST })
    await dispatcher.close()
  })

  test('the certificate of another host is refused by every one of them', async () => {
    await listening(createHttpsServer({ ...other }, echo), { ...at, port: 8445 })
    const trust = { ca: other?.cert }
    const refused = { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }
    const dispatcher = new Agent({ connect: vsockConnector({ ...at, port: 8445 }, trust) })
    await expect(request(`https://${HOST}/`, { dispatcher })).rejects.toMatchObject(refused)
    const agent = new VsockTlsAgent({ ...at, port: 8445 }, trust)
    const [error] = await once(getSecure(`https://${HOST}/`, { agent }), 'error')
    expect(error).toMatchObject(refused)
    const untrusting = new Agent({ connect: vsockConnector({ ...at, port: 8445 }) })
    await expect(
      request('https://elsewhere.example/', { dispatcher: untrusting }),
    ).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    await Promise.all([dispatcher.close(), untrusting.close()])
  })

  test('the AWS SDK v3', async () => {
    const received: string[] = []
    const kms: Server = createHttpsServer(credentials, (message, response) => {
      received.push(String(message.headers['x-amz-target']))
      response.end(JSON.stringify({ KeyMetadata: { KeyId: 'over-vsock' } }))
    })
    await listening(kms, { ...at, port: 8446 })
    const client = new KMSClient({
      region: 'eu-west-1',
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
      requestHandler: { httpsAgent: new VsockTlsAgent({ ...at, port: 8446 }, { ca }) },
    })
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: 'alias/any' }))
    expect(KeyMetadata?.KeyId).toBe('over-vsock')
    expect(received).toEqual(['TrentService.DescribeKey'])
    client.destroy()
  })
})
