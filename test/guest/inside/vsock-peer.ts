// The other side of a check of vsock-load.ts, as a worker thread or a process.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { parentPort, workerData } from 'node:worker_threads'
import {
  connect,
  createConnection,
  createServer,
  encodeFrame,
  listenVsock,
  VMADDR_PORT_ANY,
} from '@enclavejs/vsock'

const HERE = 1
const given = (workerData ?? {}) as {
  action?: string
  port?: number
  mib?: number
  seconds?: number
}
const { action = process.argv[2] ?? '', port = Number(process.argv[3]) } = given
const { mib = 0, seconds = 0 } = given
const certificate = (): { key: string; cert: string } =>
  JSON.parse(readFileSync('/app/certificate.json', 'utf8')) as { key: string; cert: string }

const actions: Readonly<Record<string, () => unknown>> = {
  'tls-sink': async () => {
    const server = createTlsServer({ ...certificate(), allowHalfOpen: true }, async (socket) => {
      const hash = createHash('sha256')
      let bytes = 0
      for await (const data of socket) {
        hash.update(data as Uint8Array)
        bytes += (data as Uint8Array).length
      }
      const sum = { bytes, checksum: hash.digest('hex'), protocol: socket.getProtocol() }
      socket.end()
      server.close()
      parentPort?.postMessage(sum)
    })
    listenVsock(server, { port: VMADDR_PORT_ANY })
    await once(server, 'listening')
    parentPort?.postMessage((server.address() as { port: number }).port)
  },
  'tls-source': async () => {
    const under = createConnection({ cid: HERE, port })
    const socket = connectTls({ socket: under, ca: certificate().cert, servername: 'enclave' })
    await once(socket, 'secureConnect')
    const hash = createHash('sha256')
    const block = Buffer.alloc(65_536)
    const started = performance.now()
    let count = 0
    for (; count < mib * 16 && performance.now() - started < seconds * 1000; count++) {
      block.writeUInt32BE(count, (count * 4) % 65_536)
      hash.update(block)
      if (!socket.write(Uint8Array.from(block))) await once(socket, 'drain')
    }
    const protocol = socket.getProtocol()
    socket.end()
    socket.resume()
    await once(socket, 'close')
    parentPort?.postMessage({ bytes: count * block.length, checksum: hash.digest('hex'), protocol })
  },
  half: async () => {
    const socket = await connect({ cid: HERE, port })
    for (let count = 0; count < 3; count++) socket.write(encodeFrame(Buffer.alloc(1000)))
    const frame = encodeFrame(Buffer.alloc(1000))
    socket.write(frame.subarray(0, 600), () => console.log('half'))
    await wait(60_000)
  },
  exhaust: async () => {
    const open: Socket[] = []
    let failed = ''
    while (failed === '') {
      try {
        open.push(await connect({ cid: HERE, port }))
      } catch (error) {
        failed = (error as NodeJS.ErrnoException).code ?? String(error)
      }
    }
    console.log(failed, open.length)
    for (const socket of open) socket.destroy()
    await wait(100)
    const socket = await connect({ cid: HERE, port })
    socket.end('still there')
    for await (const data of socket) console.log(String(data))
  },
  crowded: async () => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.pipe(socket)
    })
    server.listen({ port: VMADDR_PORT_ANY })
    await once(server, 'listening')
    const control = await connect({ cid: HERE, port })
    control.write(String(server.address()?.port))
    for await (const data of control) console.log(String(data))
    server.close()
  },
  race: () => {
    let made = 0
    const again = (): void => {
      const socket = createConnection({ cid: HERE, port: made++ % 7 === 0 ? 4_294_900_000 : port })
      socket.on('error', () => {})
      if (made % 5 === 0) setImmediate(() => socket.destroy())
      else if (made % 5 === 1) socket.destroy()
      else socket.write(Buffer.alloc(1 + (made % 9)))
      socket.resume()
      socket.once('close', again)
    }
    for (let count = 0; count < 20; count++) again()
    parentPort?.on('message', () => process.exit())
    parentPort?.postMessage('under way')
  },
}

await actions[action]?.()
