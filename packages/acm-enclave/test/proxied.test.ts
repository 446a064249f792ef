import { once } from 'node:events'
import { createServer as createTcpServer, connect, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProxy, type ProxyListener } from '@enclavejs/vsock/proxy'
import { createServer } from 'node:https'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  acceptProxied,
  claimedAddressOf,
  createAcmCertificate,
  type AcmCertificate,
} from '../src/index.ts'
import { ask, dialTls, HOST, makeBundle, openScene, ownSource, store, type Scene } from './scene.ts'

let scene: Scene
let certificate: AcmCertificate
const folder = mkdtempSync(join(tmpdir(), 'acm-'))
const closing: (() => unknown)[] = []
beforeAll(async () => {
  scene = await openScene()
  store(scene, await makeBundle(scene))
  certificate = await createAcmCertificate({ source: ownSource(scene), hostNames: [HOST] })
})
afterAll(async () => {
  await certificate.close()
  await scene[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})
afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one()
})

/** A web server that says who called, as the parent told it. */
async function webServer() {
  const server = createServer((request, response) => {
    const { address = 'nobody' } = claimedAddressOf(request.socket) ?? {}
    response.end(`${address} hello ${request.url ?? ''}`)
  })
  await certificate.attach(server)
  return server
}

describe('the client’s address', () => {
  it('comes from the parent’s proxy, through vsock', async () => {
    const server = await webServer()
    const path = join(folder, 'vm')
    // What a hypervisor with hybrid vsock does: CONNECT PORT, OK, then the enclave's own stream.
    const machine = createTcpServer((socket) => {
      socket.once('data', (line) => {
        expect(line.toString()).toBe('CONNECT 8443\n')
        socket.pause()
        socket.write('OK 1024\n')
        void acceptProxied(server, socket)
      })
    }).listen(path)
    await once(machine, 'listening')
    closing.push(() => machine.close())
    const listen = { port: 0, host: '127.0.0.1' }
    const proxy = await startProxy({
      inbound: [{ listen, to: { path, port: 8443 }, proxyProtocol: true }],
    })
    closing.push(() => proxy.close({ deadline: 0 }))
    const [{ port }] = proxy.listeners as [ProxyListener]
    const socket = await dialTls(scene, port)
    expect(await ask(socket, '/proxied')).toContain('127.0.0.1 hello /proxied')
    socket.destroy()
  })

  const listenTcp = async (accept: (socket: Socket) => void): Promise<number> => {
    const tcp = createTcpServer(accept).listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    closing.push(() => tcp.close())
    return (tcp.address() as AddressInfo).port
  }
  const header = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000201cb007109d43101bb', 'hex')

  it('is the one of the header', async () => {
    const server = await webServer()
    const port = await listenTcp((socket) => void acceptProxied(server, socket))
    const raw = connect(port, '127.0.0.1')
    raw.write(header)
    const socket = connectTls({ socket: raw, servername: HOST, ca: scene.acm.issuerRoot })
    await once(socket, 'secureConnect')
    expect(await ask(socket, '/claimed')).toContain('192.0.2.1 hello /claimed')
    socket.destroy()
  })

  it('is that of nobody without a header, and the connection ends', async () => {
    const server = await webServer()
    const outcomes: boolean[] = []
    const port = await listenTcp((socket) => {
      void acceptProxied(server, socket).then((taken) => outcomes.push(taken))
    })
    await expect(dialTls(scene, port)).rejects.toBeDefined()
    expect(outcomes).toEqual([false])
  })
})
