import { connect } from '../connection.ts'
import { formatProxyHeader } from '../proxy-protocol.ts'
import { ReachError, type DoorKind } from './door.ts'
import type { InboundOptions } from './options.ts'

/** A TCP port that leads to a port of an enclave. */
export function inbound({ listen, to, proxyProtocol }: InboundOptions): DoorKind {
  const destination = `${to.path ?? to.cid}:${to.port}`
  return {
    listen: (server) => server.listen({ ...listen, backlog: 4096 }),
    reach: async (client, { connectTimeout }) => {
      // Read before anything else: a client that goes away takes its address along.
      const header = proxyProtocol === true ? formatProxyHeader(client) : undefined
      try {
        const socket = await connect({ ...to, connectTimeout, allowHalfOpen: true })
        socket.on('error', () => undefined)
        if (header !== undefined) socket.write(header)
        return { socket, destination }
      } catch (cause) {
        throw new ReachError(destination, cause)
      }
    },
  }
}
