import { Socket, type SocketConstructorOpts } from 'node:net'
import {
  NITRO_PARENT_CID,
  VMADDR_CID_HOST,
  VMADDR_CID_LOCAL,
  type VsockAddress,
} from './address.ts'
import { ephemeralPort, type SimulatedVsock } from './simulator.ts'
import { setAddresses, VsockSocket } from './socket.ts'
import { namedError } from './system-error.ts'

/** node:net's own `connect`, of which this package's sockets have no form. */
const netSocket = Socket.prototype as {
  connect(this: Socket, options: { readonly path: string }): Socket
}

/**
 * A connection over the simulator's vsock: the Unix socket `CID_PORT` of its directory, on which the first line says who
 * connects: `CONNECT PORT CID PORT`, the port that is meant and the address of this end. There is no answer: like
 * the kernel, the simulator has made the connection when the listener's queue has it.
 */
export class SimulatedSocket extends VsockSocket {
  readonly #to: VsockAddress
  #connected = false

  constructor(
    { directory, localCid, parentCid }: SimulatedVsock,
    to: VsockAddress,
    socketOptions: SocketConstructorOpts,
  ) {
    super(socketOptions)
    this.#to = to
    const local = { cid: localCid, port: ephemeralPort() }
    const cid =
      to.cid === VMADDR_CID_LOCAL
        ? localCid
        : to.cid === VMADDR_CID_HOST || to.cid === NITRO_PARENT_CID
          ? parentCid
          : to.cid
    setAddresses(this, { remote: to })
    // Before any other listener: the line goes out before what the caller wrote, which waits for this event too.
    this.once('connect', () => {
      this.#connected = true
      const line = Buffer.from(`CONNECT ${to.port} ${local.cid} ${local.port}\n`)
      setAddresses(this, { remote: to, local, bytesWritten: line.length })
      // Whoever has gone already is an end, as in the kernel: who reads finds it, who writes gets EPIPE.
      super._write(line, 'buffer' as BufferEncoding, () => {})
    })
    netSocket.connect.call(this, { path: `${directory}/${cid}_${to.port}` })
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { code } = (error ?? {}) as NodeJS.ErrnoException
    const nobody =
      !this.#connected && (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EAGAIN')
    super._destroy(nobody ? namedError('ECONNRESET', 'connect', this.#to) : error, callback)
  }
}
