import type { Socket } from 'node:net'
import { findBinding } from './binding.ts'
import { descriptorOf } from './descriptor.ts'

/**
 * Before a socket of hybrid vsock is closed: takes what has arrived and was not read. Closed with it, a Unix socket gives
 * its peer ECONNRESET in the place of an end; vhost-device-vsock drops that error, and the connection stays open in the
 * virtual machine for ever. Where the addon does not load, a listener closes its sockets as node:net does.
 */
export function emptyHybrid(socket: Socket): void {
  // Its end has been read: there is nothing behind it.
  if (socket.readableEnded) return
  const fd = descriptorOf(socket)
  if (fd !== undefined) findBinding()?.empty(fd)
}
