import type { Socket } from 'node:net'

/** The descriptor of a socket. node:net has no public way to it; its handles have had this property since Node 0.10. */
export function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as { _handle?: { fd?: unknown } | null })._handle?.fd
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}
