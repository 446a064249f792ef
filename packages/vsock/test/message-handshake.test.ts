import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { describe, expect, test } from 'vitest'
import type { MessageHandler } from '../src/message-handler.ts'
import { serveMessages } from '../src/message-server.ts'
import { serverCertificate } from './certificate.ts'
import { echo, gate, ok, Peer, until } from './message-stand.ts'

const certificate = serverCertificate('localhost')

describe.skipIf(certificate === undefined)('TLS handshakes (needs the program openssl)', () => {
  /** A server for two connections; `stall` makes some that never begin a handshake. */
  async function tlsStand(handler: MessageHandler) {
    const server = createTlsServer({ ...certificate })
    const messages = serveMessages(server, handler, { maxConnections: 2 })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const ca = certificate?.cert ?? ''
    let cut = 0
    return {
      messages,
      dial: () => new Peer(connectTls({ port, ca, servername: 'localhost' })),
      stall: (count: number) => {
        for (let index = 0; index < count; index++) {
          const socket = connect(port, '127.0.0.1').on('error', () => {})
          socket.on('close', () => cut++).resume()
        }
      },
      cut: () => cut,
      open: () =>
        new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count))),
    }
  }

  test('those that stall are bounded: 100 more than maxConnections', async () => {
    const { messages, stall, open, cut } = await tlsStand(echo)
    stall(300)
    await until(() => cut() === 198)
    expect(await open()).toBe(102)
    expect(messages.connections).toBe(0)
    await messages.close()
    expect(await open()).toBe(0)
    await until(() => cut() === 300)
  }, 10_000)

  test('close() cuts them once the requests under way are answered', async () => {
    const held = gate()
    const { messages, dial, stall, open, cut } = await tlsStand(held.handler)
    const peer = dial()
    peer.send('begun')
    await until(() => held.contexts.length === 1)
    stall(5)
    while ((await open()) < 6) await sleep(5)
    const closed = messages.close()
    await sleep(20)
    held.open()
    expect(await peer.rest()).toEqual([ok('begun')])
    await closed
    expect(await open()).toBe(0)
    await until(() => cut() === 5)
  }, 10_000)

  test('close() cuts them after its deadline', async () => {
    const held = gate()
    const { messages, dial, stall, open, cut } = await tlsStand(held.handler)
    dial().send('never answered')
    await until(() => held.contexts.length === 1)
    stall(5)
    while ((await open()) < 6) await sleep(5)
    await messages.close({ deadline: 20 })
    expect(held.contexts[0]?.signal.aborted).toBe(true)
    expect(await open()).toBe(0)
    await until(() => cut() === 5)
  }, 10_000)
})
