import { mkdirSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  createToken,
  createTokenRelay,
  tokenUri,
  type AcmToken,
  type AcmTokenRelay,
} from '../../src/token.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { absent, Workplace } from './program.ts'
import { streamTo } from './user.ts'
import { Apache, handshake, Nginx, type ServedKey } from './web-server.ts'

const PIN = '123456'
const authority = new MadeAuthority()
let workplace: Workplace
let token: AcmToken
let relay: AcmTokenRelay
let server: Server

beforeEach(async () => {
  workplace = new Workplace()
  token = createToken({ label: 'inner', pin: 'inner pin', keys: [] })
  const enclave = { connect: () => streamTo(token), pin: 'inner pin' }
  relay = createTokenRelay({ label: 'acmtok', pin: PIN, enclaves: [enclave] })
  server = createServer()
  relay.listen(server)
  await new Promise<void>((resolve) => server.listen(workplace.socket, resolve))
  mkdirSync(workplace.path('www'))
  workplace.write('www/index.html', 'served by the token\n')
})
afterEach(async () => {
  await workplace.close()
  relay.close()
  token.close()
  await new Promise((resolve) => server.close(resolve))
})

const served = ({ id, label, certificate, path }: MadeKey): ServedKey => ({
  uri: tokenUri({ label: 'acmtok', id, object: label, pin: PIN }),
  certificate: workplace.write('c.pem', [certificate, ...path].join('')),
})

/** Ends a request that was begun; resolves with the answer. */
async function finishRequest(socket: TLSSocket): Promise<string> {
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
  socket.write('Connection: close\r\n\r\n')
  await new Promise((resolve, reject) => {
    socket.once('close', resolve)
    socket.once('error', reject)
  })
  return answer
}

const SERVERS = [
  ['NGINX', 'nginx', (key: ServedKey) => Nginx.start(workplace, key, 2)],
  ['Apache', 'apache', (key: ServedKey) => Apache.start(workplace, key)],
] as const

// What the agent does, with 200 clients that are in the middle of a request all the while, and others that come.
for (const [name, program, start] of SERVERS) {
  const why = absent(program)
  describe.skipIf(why)(`${name} (${why ?? 'present'})`, () => {
    test('a renewed key: none of 200 is dropped, the old key goes when its workers are gone', async () => {
      const old = authority.issue('ec', 0x11, 'acm-key')
      const renewed = authority.issue('ec', 0x12, 'acm-key')
      token.addKey(old)
      await relay.refresh()
      const web = await start(served(old))
      const options = { ca: authority.root }
      const connected = await Promise.all(
        Array.from({ length: 200 }, () => handshake(web.port, options)),
      )
      for (const socket of connected)
        socket.write('GET /index.html HTTP/1.1\r\nHost: localhost\r\n')
      const serials: string[] = []
      let running = true
      const arriving = (async () => {
        while (running) {
          const socket = await handshake(web.port, options)
          serials.push(socket.getPeerCertificate().serialNumber)
          socket.destroy()
        }
      })()
      arriving.catch(() => {})
      await expect.poll(() => serials.length).toBeGreaterThan(0)
      token.addKey(renewed)
      token.retireKey(old.id)
      await relay.refresh()
      expect(relay.retired).toEqual([{ id: old.id, inUse: true }])
      web.reload(served(renewed))
      await expect.poll(() => new Set(serials).size, { timeout: 10_000 }).toBe(2)
      // The old workers are there, and so is their key.
      expect(relay.retired).toEqual([{ id: old.id, inUse: true }])
      const answers = await Promise.all(connected.map((socket) => finishRequest(socket)))
      expect(answers.filter((answer) => answer.includes('served by the token'))).toHaveLength(200)
      await expect
        .poll(() => relay.retired, { timeout: 10_000 })
        .toEqual([{ id: old.id, inUse: false }])
      await relay.removeRetired(old.id)
      expect(token.ids).toEqual([renewed.id])
      expect(relay.ids).toEqual([renewed.id])
      const then = serials.length
      await expect.poll(() => serials.length, { timeout: 10_000 }).toBeGreaterThan(then + 20)
      running = false
      await arriving
      expect(new Set(serials.slice(then)).size).toBe(1)
      expect(web.log).not.toMatch(/\[(\w+:)?(error|crit|alert|emerg)\]/)
    }, 40_000)
  })
}
