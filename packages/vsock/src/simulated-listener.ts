import type { ListenOptions, Server, Socket } from 'node:net'
import { VMADDR_CID_ANY, VMADDR_CID_LOCAL, VMADDR_PORT_ANY, type VsockAddress } from './address.ts'
import { readLine } from './line.ts'
import { ephemeralPort, type SimulatedVsock } from './simulator.ts'
import type { SocketAddresses } from './socket.ts'
import { namedError } from './system-error.ts'
import { listenUnix } from './unix-listener.ts'

/** `CONNECT 4294967295 4294967295 4294967295` */
const REQUEST_MAX = 40
const REQUEST_TIMEOUT = 10_000

/**
 * Listens on the simulator's vsock: the Unix socket `CID_PORT` of its directory. A connection begins with
 * `CONNECT PORT CID PORT`: the port that is meant, and the address of who connects.
 */
export function listenSimulated(
  server: Server,
  { directory, localCid }: SimulatedVsock,
  at: VsockAddress,
  allowed: readonly number[] | undefined,
  options: Pick<ListenOptions, 'backlog' | 'signal'>,
): void {
  if (![VMADDR_CID_ANY, VMADDR_CID_LOCAL, localCid].includes(at.cid)) {
    process.nextTick(() => server.emit('error', namedError('EADDRNOTAVAIL', 'bind', at)))
    return
  }
  const local = { cid: localCid, port: at.port === VMADDR_PORT_ANY ? ephemeralPort() : at.port }
  const admission = {
    local: { cid: at.cid, port: local.port },
    known: (socket: Socket) => greet(socket, local, allowed),
  }
  listenUnix(server, `${directory}/${localCid}_${local.port}`, admission, options)
}

async function greet(
  socket: Socket,
  local: VsockAddress,
  allowed: readonly number[] | undefined,
): Promise<SocketAddresses | undefined> {
  const line = await readLine(socket, REQUEST_MAX, REQUEST_TIMEOUT)
  const [, to, cid, port] = /^CONNECT (\d{1,10}) (\d{1,10}) (\d{1,10})$/.exec(line) ?? []
  if (Number(to) !== local.port || cid === undefined) return undefined
  if (allowed !== undefined && !allowed.includes(Number(cid))) return undefined
  const remote = { cid: Number(cid), port: Number(port) }
  return { local, remote, bytesRead: line.length + 1 }
}
