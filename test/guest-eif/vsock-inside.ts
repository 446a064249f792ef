// The one program of an enclave image: its end of the semantics suite, as its parent asks for it.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer, getLocalCid } from '@enclavejs/vsock'
import type { Certificate } from '../vsock/case.ts'
import { cases } from '../vsock/cases.ts'
import { obey } from '../vsock/far-end.ts'
import { openTransport } from '../vsock/transport.ts'

const PARENT = 2
const certificate = JSON.parse(readFileSync('/app/certificate.json', 'utf8')) as Certificate
const transport = await openTransport(`guest:${PARENT}`)
const control = await connect({ cid: PARENT, port: 9100 })
const descriptors = (): number => readdirSync('/proc/self/fd').length
const block = Buffer.alloc(65_536, 'enclave')

await obey(control, transport, certificate, cases, {
  addresses: () => [getLocalCid(), control.localCid, control.remoteCid, control.remotePort],
  descriptors: () => {
    global.gc?.()
    return descriptors()
  },
  // Nobody answers at the CID of a Nitro parent on this machine.
  timeout: async () => {
    const started = performance.now()
    const error = await connect({ cid: 3, port: 9000, connectTimeout: 700 }).catch((e) => e)
    const { code, message } = error as NodeJS.ErrnoException
    return [code, Math.round((performance.now() - started) / 100), message]
  },
  // A listener that takes its parent, and one that does not.
  allowed: async () => {
    const taken: unknown[] = []
    const servers = [[PARENT], [3]].map((allowedCids, index) =>
      createServer((socket) => {
        taken.push([index, socket.remoteCid, socket.localCid, socket.localPort])
        socket.write('taken', () => socket.destroy())
      }).listen({ port: 7000 + index, allowedCids }),
    )
    setTimeout(() => {
      for (const server of servers) server.close()
    }, 3000)
    await Promise.all(servers.map((server) => once(server, 'listening')))
    return taken
  },
  // Answers 4 MiB with their checksum.
  sink: async () => {
    const server = createServer((socket) => {
      const hash = createHash('sha256')
      let count = 0
      socket.on('data', (data) => {
        hash.update(data)
        if ((count += data.length) < 4 * 2 ** 20) return
        socket.write(hash.digest('hex'))
        server.close()
      })
    })
    server.listen({ port: 7100 })
    await once(server, 'listening')
    return true
  },
  // Sends in pieces of several sizes, as fast as it can, for a second each, and says how much.
  bulk: async () => {
    const sent: [number, number][] = []
    for (const size of [512, 4096, 16_384]) {
      const socket = await connect({ cid: PARENT, port: 9101 })
      socket.on('error', () => {})
      const started = performance.now()
      let bytes = 0
      const write = (): Promise<boolean> =>
        new Promise((resolve) => {
          const timer = setTimeout(() => resolve(false), 4000)
          socket.write(block.subarray(0, size), () => {
            clearTimeout(timer)
            bytes += size
            resolve(true)
          })
        })
      while (performance.now() - started < 1000 && (await write()));
      sent.push([size, bytes])
      socket.destroy()
      await once(socket, 'close')
    }
    return sent
  },
})
process.exit()
