import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { readProxyHeader, type ProxyHeader } from '../../src/proxy-protocol.ts'
import { deferred, drained, echo, until, World } from './world.ts'

function entry(world: World, more: object = {}) {
  return { listen: { port: 0 }, to: { path: world.path, port: 8443 }, ...more }
}

describe('inbound', () => {
  it('leads a TCP port to a port of the enclave, half-open both ways', async () => {
    await using world = new World()
    await world.machine({
      8443: (socket) => {
        void drained(socket).then(({ bytes }) => socket.end(`enclave heard ${bytes.toString()}`))
      },
    })
    const proxy = await world.proxy({ inbound: [entry(world)] })
    const client = world.dialTcp(proxy.listeners[0]!.port)
    client.end('question')
    const { bytes, how } = await drained(client)
    expect([bytes.toString(), how]).toEqual(['enclave heard question', 'end'])
    expect(await world.event('close')).toMatchObject({ reason: 'end' })
  })

  it('tells the enclave who connected', async () => {
    await using world = new World()
    const told = deferred<[ProxyHeader, Socket]>()
    await world.machine({
      8443: (socket) => {
        void readProxyHeader(socket).then((header) => told.resolve([header, socket]))
      },
    })
    const proxy = await world.proxy({ inbound: [entry(world, { proxyProtocol: true })] })
    const { port } = proxy.listeners[0]!
    const client = world.dialTcp(port)
    client.write('and then TLS')
    const [header, socket] = await told.promise
    expect(header).toEqual({
      command: 'PROXY',
      claimedAddress: { address: '127.0.0.1', family: 4, port: client.localPort },
      claimedDestination: { address: '127.0.0.1', family: 4, port },
    })
    const [first] = (await once(socket, 'data')) as [Buffer]
    expect(first.toString()).toBe('and then TLS')
  })

  it.each([
    ['IPv4', '127.0.0.1', '127.0.0.1', 0x11, '7f000001'.repeat(2)],
    ['IPv6', '::1', '::1', 0x21, `${'0'.repeat(31)}1`.repeat(2)],
    ['IPv4 to a listener of both', '::', '127.0.0.1', 0x11, '7f000001'.repeat(2)],
  ] as const)('writes the header of %s as the protocol has it', async (...values) => {
    const [, host, to, family, addresses] = values
    await using world = new World()
    const first = deferred<Buffer>()
    await world.machine({ 8443: (socket) => socket.once('data', first.resolve) })
    const listen = { port: 0, host }
    const proxy = await world.proxy({ inbound: [entry(world, { listen, proxyProtocol: true })] })
    const { port } = proxy.listeners[0]!
    const client = world.keep(connect({ port, host: to }))
    await once(client, 'connect')
    // proxy-protocol.txt §2.2: signature, version and command, family, length; addresses and ports, client first.
    const ports = [client.localPort!, port].map((one) => one.toString(16).padStart(4, '0')).join('')
    const length = (addresses.length / 2 + 4).toString(16).padStart(4, '0')
    expect((await first.promise).toString('hex')).toBe(
      `0d0a0d0a000d0a515549540a21${family.toString(16)}${length}${addresses}${ports}`,
    )
  })

  it('resets a client when the enclave does not answer', async () => {
    await using world = new World()
    await world.machine({})
    const proxy = await world.proxy({ inbound: [entry(world)] })
    const client = world.dialTcp(proxy.listeners[0]!.port)
    expect((await drained(client)).how).toBe('ECONNRESET')
    expect(await world.event('failed')).toMatchObject({
      code: 'ECONNRESET',
      destination: `${world.path}:8443`,
    })
  })

  it('resets a client when the enclave breaks off', async () => {
    await using world = new World()
    await world.machine({
      8443: (socket) => {
        // With bytes unread a Unix socket tells a reset; AF_VSOCK would tell an end.
        socket.pause().write('half an ans')
        setTimeout(() => socket.destroy(), 200)
      },
    })
    const proxy = await world.proxy({ inbound: [entry(world)] })
    const client = world.dialTcp(proxy.listeners[0]!.port)
    const timer = setInterval(() => client.write(Buffer.alloc(100_000)), 5)
    const { how } = await drained(client)
    clearInterval(timer)
    expect(how).toBe('ECONNRESET')
    expect(await world.event('close')).toMatchObject({ reason: 'error' })
  })

  it('resets one connection too many', async () => {
    await using world = new World()
    await world.machine({ 8443: echo })
    const proxy = await world.proxy({ inbound: [entry(world, { maxConnections: 1 })] })
    const { port } = proxy.listeners[0]!
    world.dialTcp(port)
    await world.event('open')
    expect((await drained(world.dialTcp(port))).how).toBe('ECONNRESET')
    expect(await world.event('refused')).toMatchObject({ reason: 'cap' })
  })

  it('serves 300 at once', async () => {
    await using world = new World()
    await world.machine({ 8443: echo })
    const proxy = await world.proxy({ inbound: [entry(world)] })
    const clients = Array.from({ length: 300 }, () => world.dialTcp(proxy.listeners[0]!.port))
    await until(() => proxy.listeners[0]!.open === 300, '300 connections')
    const answers = clients.map(async (client, index) => {
      client.end(`client ${index}`)
      return (await drained(client)).bytes.toString()
    })
    expect(await Promise.all(answers)).toEqual(clients.map((_, index) => `client ${index}`))
  })
})
