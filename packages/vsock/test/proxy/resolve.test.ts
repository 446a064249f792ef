import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { nameServers } from '../../src/proxy/resolve.ts'
import { A, AAAA, serveNames, type Answers } from './name-server.ts'

const SERVFAIL = 2
const NXDOMAIN = 3

const servers: { close(): unknown }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function ask(answers: Answers, host = 'host.example') {
  const server = await serveNames(answers)
  servers.push(server)
  const resolve = nameServers([server.address])
  return resolve(host, { signal: AbortSignal.timeout(5000) })
}

const LOOPBACK6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]

describe('nameServers', () => {
  it('gives both families, and the least TTL', async () => {
    const answers = {
      [A]: [
        { ttl: 300, data: [192, 0, 2, 1] },
        { ttl: 60, data: [192, 0, 2, 2] },
      ],
      [AAAA]: [{ ttl: 120, data: LOOPBACK6 }],
    }
    expect(await ask(answers)).toEqual({
      addresses: ['2001:db8::1', '192.0.2.1', '192.0.2.2'],
      ttl: 60,
    })
  })

  it('gives one family where the other fails', async () => {
    const answers = { [A]: [{ ttl: 7, data: [192, 0, 2, 1] }], [AAAA]: SERVFAIL }
    expect(await ask(answers)).toEqual({ addresses: ['192.0.2.1'], ttl: 7 })
  })

  it('takes what the system knows itself where DNS knows nothing', async () => {
    const { addresses, ttl } = await ask({ [A]: NXDOMAIN, [AAAA]: NXDOMAIN }, 'localhost')
    expect(addresses.length).toBeGreaterThan(0)
    for (const address of addresses) expect(['127.0.0.1', '::1']).toContain(address)
    expect(ttl).toBe(30)
  })

  it.each([
    ['there is no such name', NXDOMAIN, 'ENOTFOUND'],
    ['the server fails', SERVFAIL, 'ESERVFAIL'],
  ])('rejects where %s', async (_what, answer, code) => {
    // No name of the public DNS, and none that a file has.
    const asked = ask({ [A]: answer, [AAAA]: answer }, 'host.invalid')
    await expect(asked).rejects.toMatchObject({ code })
  })

  it('stops when it is told to', async () => {
    const silent = createSocket('udp4')
    silent.bind(0, '127.0.0.1')
    await once(silent, 'listening')
    servers.push(silent)
    const resolve = nameServers([`127.0.0.1:${silent.address().port}`])
    const began = performance.now()
    await expect(resolve('host.invalid', { signal: AbortSignal.timeout(100) })).rejects.toThrow()
    expect(performance.now() - began).toBeLessThan(1000)
  })
})
