// What an allowlist of AWS's form and an answer of DNS come to together, and names that are made to lead elsewhere.
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { nameServers } from '../../src/proxy/resolve.ts'
import { A, serveNames, type Answers } from './name-server.ts'
import { drained, names, World } from './world.ts'

const HOST = 'host.example'
const ANY = { dangerouslyAllowAnyAddress: true }

describe('an allowlist that names an address, and not the host', () => {
  it.each([
    ['another address', ['127.0.0.6'], ''],
    ['that address', ['127.0.0.5'], '127.0.0.5'],
    ['both', ['127.0.0.6', '127.0.0.5'], '127.0.0.5'],
  ])('%s of DNS, where the destination takes any', async (_, addresses, reached) => {
    await using world = new World()
    const port = await world.backend((socket) => socket.end('127.0.0.5'), { host: '127.0.0.5' })
    await world.backend((socket) => socket.end('127.0.0.6'), { host: '127.0.0.6', port })
    await world.proxy(
      {
        outbound: [{ listen: { port: 8000, path: world.path }, to: { host: HOST, port, ...ANY } }],
        allowlist: [{ address: '127.0.0.5', port }],
      },
      { resolve: names({ [HOST]: addresses }) },
    )
    for (let count = 0; count < 3; count++) {
      expect((await drained(world.dial(8000).end())).bytes.toString()).toBe(reached)
    }
    const refused = world.eventsOf('failed').map(({ code }) => code)
    expect(refused).toEqual(reached === '' ? Array(3).fill('ERR_VSOCK_PROXY_ADDRESS') : [])
  })
})

describe('a name server that changes its answer', () => {
  const record = (address: string) => ({ ttl: 0, data: address.split('.').map(Number) })

  it('leads nobody to what is not allowed', async () => {
    await using world = new World()
    const port = await world.backend((socket) => socket.end('meant'), { host: '127.0.0.5' })
    await world.backend((socket) => socket.end('the parent itself'), { host: '127.0.0.1', port })
    const answers: Answers = { [A]: [record('127.0.0.5')] }
    const server = await serveNames(answers)
    onTestFinished(server.close)
    await world.proxy(
      {
        outbound: [
          { listen: { port: 8000, path: world.path }, to: { host: HOST, port, ...ANY } },
          { listen: { port: 8001, path: world.path }, to: { host: HOST, port } },
        ],
        connect: [
          { listen: { port: 8002, path: world.path }, allow: [{ host: HOST, port, ...ANY }] },
        ],
        allowlist: [{ address: '127.0.0.5', port }],
      },
      { resolve: nameServers([server.address]) },
    )
    const request = `CONNECT ${HOST}:${port} HTTP/1.1\r\nHost: ${HOST}:${port}\r\n\r\n`
    const ask = async (): Promise<string[]> =>
      Promise.all(
        [8000, 8001, 8002].map(async (own) => {
          const client = world.dial(own).end(own === 8002 ? request : '')
          return (await drained(client)).bytes.toString()
        }),
      )
    expect(await ask()).toEqual(['meant', 'meant', 'HTTP/1.1 200 OK\r\n\r\nmeant'])
    // To the parent's own services, its instance metadata, and a neighbour of what is allowed.
    for (const address of ['127.0.0.1', '169.254.169.254', '127.0.0.6']) {
      answers[A] = [record(address)]
      const before = world.eventsOf('failed').length
      await sleep(1050) // the least that an answer holds
      const [first, second, third] = await ask()
      expect([first, second]).toEqual(['', ''])
      expect(third).toMatch(/^HTTP\/1\.1 403 .*\r\n.*error=destination_ip_prohibited\r\n/)
      const failed = world.eventsOf('failed').slice(before)
      expect(failed.map(({ code }) => code)).toEqual(Array(3).fill('ERR_VSOCK_PROXY_ADDRESS'))
    }
    answers[A] = [record('127.0.0.1'), record('127.0.0.5')]
    await sleep(1050)
    expect(await ask()).toEqual(['meant', 'meant', 'HTTP/1.1 200 OK\r\n\r\nmeant'])
  })
})
