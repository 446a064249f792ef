import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createTokenRelay, tokenUri } from '../../src/token.ts'
import { MadeAuthority } from './made-key.ts'
import { absent, Workplace } from './program.ts'
import { handshake, Nginx } from './web-server.ts'

const PIN = '123456'
const CLIENTS = 8
const program = fileURLToPath(new URL('enclave-process.ts', import.meta.url))

describe.skipIf(absent('nginx'))(`NGINX behind a relay (${absent('nginx') ?? 'present'})`, () => {
  test.each(['rsa', 'ec'] as const)(
    '%s: the process of the enclave is killed over handshakes, and started again; none fails',
    async (kind) => {
      const authority = new MadeAuthority()
      const made = authority.issue(kind, 1)
      const workplace = new Workplace()
      const path = workplace.path('enclave.sock')
      const privateKey = made.privateKey.export({ type: 'pkcs8', format: 'pem' })
      const key = { ...made, publicKey: undefined, privateKey, id: [...made.id], pin: PIN }
      const file = workplace.write('key.json', JSON.stringify(key))
      const boot = async (): Promise<ChildProcess> => {
        const args = ['--conditions=@enclavejs/source', program, path, file]
        const child = workplace.start(process.execPath, args)
        await once(child.stdout as NodeJS.EventEmitter, 'data')
        return child
      }
      let enclave = await boot()
      using relay = createTokenRelay({
        ...{ label: 'acmtok', pin: PIN },
        enclaves: [{ connect: () => connect(path), pin: PIN }],
      })
      await relay.refresh()
      const server = createServer()
      relay.listen(server)
      await new Promise<void>((resolve) => server.listen(workplace.socket, resolve))
      const uri = tokenUri({ label: 'acmtok', id: made.id, object: made.label, pin: PIN })
      const certificate = workplace.write('c.pem', [made.certificate, ...made.path].join(''))
      try {
        const nginx = await Nginx.start(workplace, { uri, certificate }, CLIENTS)
        const workers = (): string => {
          const master = readFileSync(workplace.path('nginx.pid'), 'utf8').trim()
          return readFileSync(`/proc/${master}/task/${master}/children`, 'utf8')
        }
        const before = workers()
        expect(before.trim().split(' ')).toHaveLength(CLIENTS)
        let [done, underWay, running] = [0, 0, true]
        const clients = Array.from({ length: CLIENTS }, async () => {
          while (running) {
            underWay++
            const socket = await handshake(nginx.port, { ca: authority.root })
            underWay--
            socket.destroy()
            done++
          }
        })
        const failed = Promise.all(clients)
        failed.catch(() => (running = false))
        for (let round = 0; round < 2; round++) {
          const then = done
          await expect.poll(() => done, { timeout: 10_000 }).toBeGreaterThan(then + 20)
          // Stopped first: what it was asked for is under way, and stays so until it is killed.
          enclave.kill('SIGSTOP')
          await new Promise((resolve) => setTimeout(resolve, 300))
          const stuck = done
          await new Promise((resolve) => setTimeout(resolve, 100))
          expect([done, underWay]).toEqual([stuck, CLIENTS])
          const gone = once(enclave, 'close')
          enclave.kill('SIGKILL')
          await gone
          expect(enclave.signalCode).toBe('SIGKILL')
          enclave = await boot()
        }
        const then = done
        await expect.poll(() => done, { timeout: 10_000 }).toBeGreaterThan(then + 20)
        running = false
        await failed
        expect(workers()).toBe(before)
        expect(nginx.log).not.toMatch(/\[(error|crit|alert|emerg)\]/)
      } finally {
        await workplace.close()
        server.close()
      }
    },
  )
})
