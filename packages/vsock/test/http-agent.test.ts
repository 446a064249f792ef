import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { once } from 'node:events'
import { createServer as createHttpServer, get } from 'node:http'
import { createServer as createHttpsServer, get as getSecure } from 'node:https'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import type { Server as NetServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { Agent, fetch, request } from 'undici'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import {
  connect,
  createConnection,
  listenVsock,
  VsockAgent,
  vsockConnector,
  VsockSocket,
  VsockTlsAgent,
} from '@enclavejs/vsock'
import { serverCertificate } from './certificate.ts'
import { registerVsock } from './simulated-vsock.ts'

const HOST = 'kms.eu-west-1.amazonaws.com'
const own = serverCertificate(HOST, 'enclave')
const other = serverCertificate('elsewhere.example')
const unregister = registerVsock()
afterAll(unregister)

const servers = new Set<NetServer>()
afterEach(async () => {
  await Promise.all([...servers].map((server) => new Promise((resolve) => server.close(resolve))))
  servers.clear()
})

async function listening<T extends NetServer>(server: T, port: number): Promise<T> {
  servers.add(server)
  listenVsock(server, { port })
  await once(server, 'listening')
  return server
}

const echo: RequestListener = (message, response) => {
  void text(message).then((body) => {
    response.end(JSON.stringify({ method: message.method, host: message.headers.host, body }))
  })
}

const answered = (response: IncomingMessage): Promise<unknown> => text(response).then(JSON.parse)

describe('http over vsock', () => {
  test('a server of node:http, whose sockets know their peer', async () => {
    const server = await listening(createHttpServer(echo), 8080)
    const peers: unknown[] = []
    server.on('connection', (socket) => {
      peers.push(socket instanceof VsockSocket, (socket as VsockSocket).remoteCid)
    })
    const agent = new VsockAgent({ port: 8080 }, { keepAlive: true })
    for (let count = 0; count < 3; count++) {
      const asked = get('http://enclave/status', { agent })
      const [response] = (await once(asked, 'response')) as [IncomingMessage]
      expect(await answered(response)).toEqual({ method: 'GET', host: 'enclave', body: '' })
    }
    expect(peers).toEqual([true, 3])
    expect(server.address()).toMatchObject({ family: 'VSOCK', port: 8080 })
    agent.destroy()
  })

  test('undici and fetch', async () => {
    await listening(createHttpServer(echo), 8081)
    const dispatcher = new Agent({ connect: vsockConnector({ port: 8081 }) })
    const options = { dispatcher, method: 'POST', body: 'hello' } as const
    const { body } = await request('http://enclave/', options)
    expect(await body.json()).toEqual({ method: 'POST', host: 'enclave', body: 'hello' })
    const response = await fetch('http://enclave/', options)
    expect(await response.json()).toEqual({ method: 'POST', host: 'enclave', body: 'hello' })
    await dispatcher.close()
  })

  test('nobody listens: the error of the socket, with its address', async () => {
    const dispatcher = new Agent({ connect: vsockConnector({ port: 8099 }) })
    await expect(request('http://enclave/', { dispatcher })).rejects.toMatchObject({
      code: 'ECONNRESET',
      cid: 3,
      port: 8099,
    })
    const [error] = await once(
      get('http://enclave/', { agent: new VsockAgent({ port: 8099 }) }),
      'error',
    )
    const refused = { code: 'ECONNRESET', syscall: 'connect', cid: 3, port: 8099 }
    expect(error).toMatchObject(refused)
    await expect(request('https://enclave/', { dispatcher })).rejects.toMatchObject(refused)
    const agent = new VsockTlsAgent({ port: 8099 })
    const [inTls] = await once(getSecure('https://enclave/', { agent }), 'error')
    expect(inTls).toMatchObject(refused)
    await dispatcher.close()
  })
})

describe.skipIf(own === undefined || other === undefined)('TLS over vsock (needs openssl)', () => {
  const ca = own?.cert
  const credentials = { ...own }

  test('tls.connect({ socket }) to a server of node:tls', async () => {
    await listening(
      createTlsServer(credentials, (socket) => void socket.pipe(socket)),
      8443,
    )
    const socket = createConnection({ port: 8443 }) // TLS waits for the connection by itself
    const secure = connectTls({ socket, ca, servername: HOST, minVersion: 'TLSv1.3' })
    await once(secure, 'secureConnect')
    expect(secure.getProtocol()).toBe('TLSv1.3')
    secure.end('over TLS')
    expect(await text(secure)).toBe('over TLS')
    const connected = await connect({ port: 8443 })
    const again = connectTls({ socket: connected, ca, servername: HOST })
    again.end('once more')
    expect(await text(again)).toBe('once more')
  })

  test('a server of node:https, an agent that resumes sessions, fetch', async () => {
    let resumed = 0
    const server = await listening(createHttpsServer(credentials, echo), 8444)
    server.on('secureConnection', (socket) => (resumed += socket.isSessionReused() ? 1 : 0))
    const agent = new VsockTlsAgent({ port: 8444 }, { ca, maxCachedSessions: 10 })
    for (let count = 0; count < 2; count++) {
      const [response] = (await once(getSecure(`https://${HOST}/`, { agent }), 'response')) as [
        IncomingMessage,
      ]
      expect(await answered(response)).toMatchObject({ host: HOST })
    }
    expect(resumed).toBe(1)
    const dispatcher = new Agent({ connect: vsockConnector({ port: 8444 }, { ca }) })
    const response = await fetch(`https://${HOST}/`, { dispatcher })
    expect(await response.json()).toMatchObject({ host: HOST })
    await dispatcher.close()
  })

  test('the certificate of another host is refused by every one of them', async () => {
    await listening(createHttpsServer({ ...other }, echo), 8445)
    const trust = { ca: other?.cert }
    const refused = { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }
    const dispatcher = new Agent({ connect: vsockConnector({ port: 8445 }, trust) })
    await expect(request(`https://${HOST}/`, { dispatcher })).rejects.toMatchObject(refused)
    const agent = new VsockTlsAgent({ port: 8445 }, trust)
    const [error] = await once(getSecure(`https://${HOST}/`, { agent }), 'error')
    expect(error).toMatchObject(refused)
    const untrusting = new Agent({ connect: vsockConnector({ port: 8445 }) })
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
    await listening(kms, 8446)
    const client = new KMSClient({
      region: 'eu-west-1',
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
      requestHandler: { httpsAgent: new VsockTlsAgent({ port: 8446 }, { ca }) },
    })
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: 'alias/any' }))
    expect(KeyMetadata?.KeyId).toBe('over-vsock')
    expect(received).toEqual(['TrentService.DescribeKey'])
    client.destroy()
  })
})
