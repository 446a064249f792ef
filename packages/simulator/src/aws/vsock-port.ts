import { unlink } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { SimulatorError } from '../error.ts'
import { PARENT_CID } from '../vsock-directory.ts'

/** `CONNECT 4294967295 4294967295 4294967295` */
const REQUEST_MAX = 40
const REQUEST_TIMEOUT = 10_000

/** A port of the simulated parent: whoever connects says `CONNECT PORT CID PORT` first. */
export interface VsockPort {
  close(): Promise<void>
}

/**
 * Listens at a port of the simulated parent, in the directory where simulated enclave and parent meet.
 *
 * @throws SimulatorError `ERR_SIMULATOR_VSOCK_PORT` where another process has the port.
 */
export async function openVsockPort(
  directory: string,
  port: number,
  accepted: (socket: Socket) => void,
): Promise<VsockPort> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
    greet(socket, port, accepted)
  })
  const path = join(directory, `${PARENT_CID}_${port}`)
  if (await isAnswered(path)) {
    throw new SimulatorError(
      'ERR_SIMULATOR_VSOCK_PORT',
      `port ${port} of the simulated parent is taken: ${path} answers; end the other process, or choose another directory`,
    )
  }
  await unlink(path).catch(() => undefined)
  await listening(server, path)
  return {
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, resolve)
  })
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path })
    probe.on('error', () => resolve(false))
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
  })
}

/** Reads the line on which the other end says who it is, and leaves what follows. */
function greet(socket: Socket, port: number, accepted: (socket: Socket) => void): void {
  let held = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT)
  socket.once('close', () => clearTimeout(timer))
  const read = (): void => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) return
    held = Buffer.concat([held, chunk])
    const end = held.indexOf('\n')
    if (end === -1 && held.length <= REQUEST_MAX) return
    clearTimeout(timer)
    socket.off('readable', read)
    const [, to] =
      /^CONNECT (\d{1,10}) \d{1,10} \d{1,10}$/.exec(held.toString('latin1', 0, end)) ?? []
    if (end === -1 || Number(to) !== port) {
      socket.destroy()
      return
    }
    const rest = held.subarray(end + 1)
    if (rest.length > 0) socket.unshift(rest)
    accepted(socket)
  }
  socket.on('readable', read)
}
