import type { Server } from 'node:net'
import { listenVsock } from '../listener.ts'
import type { Destination } from './destination.ts'
import { ReachError, type DoorKind, type Reached } from './door.ts'
import type { VsockListenerOptions } from './options.ts'

/** Takes a server to a vsock port. Who may connect is judged at the door, where it is counted. */
export function vsockListener({
  port,
  path,
  allowedCids,
}: VsockListenerOptions): Pick<DoorKind, 'listen' | 'allowedCids'> {
  return {
    listen: (server: Server) => {
      listenVsock(server, path === undefined ? { port } : { port, path })
    },
    ...(allowedCids !== undefined && { allowedCids }),
  }
}

/** A connection to a destination, whose failure says which it was. */
export async function reachDestination(
  destination: Destination,
  timeout: number,
): Promise<Reached> {
  try {
    return { destination: destination.name, ...(await destination.connect(timeout)) }
  } catch (cause) {
    throw new ReachError(destination.name, cause)
  }
}

/** A vsock port that leads to one host and port. */
export function outbound(listen: VsockListenerOptions, destination: Destination): DoorKind {
  return {
    ...vsockListener(listen),
    reach: (_client, { connectTimeout }) => reachDestination(destination, connectTimeout),
  }
}
