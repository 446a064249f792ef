import { Server, type ListenOptions, type Socket } from 'node:net'
import type { VsockAddress } from './address.ts'
import { admit } from './admission.ts'
import { loadBinding } from './binding.ts'
import { descriptorOf } from './descriptor.ts'
import type { SocketAddresses } from './socket.ts'
import { systemError } from './system-error.ts'

/**
 * Listens on the kernel's AF_VSOCK: node:net listens on a placeholder, an AF_UNIX descriptor, whose number the real
 * listener takes in the same tick (decision 008). libuv accepts, and survives EMFILE, as for its own.
 */
export function listenAfVsock(
  server: Server,
  at: VsockAddress,
  bufferSize: number,
  allowed: readonly number[] | undefined,
  options: Pick<ListenOptions, 'backlog' | 'signal'>,
): void {
  const binding = loadBinding()
  const fail = (number: number, syscall: string): void => {
    process.nextTick(() => server.emit('error', systemError(number, syscall, at)))
  }
  const listening = binding.listen(at.cid, at.port, bufferSize, options.backlog as number)
  if (listening < 0) {
    fail(listening, 'listen')
    return
  }
  const placeholder = binding.placeholder(true)
  if (placeholder < 0) {
    binding.close(listening)
    fail(placeholder, 'socket')
    return
  }
  const name = binding.name(listening, false)
  const local = typeof name === 'number' ? at : { cid: name[0], port: name[1] }
  try {
    Server.prototype.listen.call(server, { ...options, fd: placeholder })
  } catch (error) {
    // It listens already, for instance: the handle was not made, and both descriptors are still ours.
    binding.close(placeholder)
    binding.close(listening)
    throw error
  }
  if (!server.listening) {
    binding.close(listening)
    return // node:net reports why in the next tick
  }
  const result = binding.become(placeholder, listening)
  binding.close(listening)
  if (result !== 0) {
    server.close()
    fail(result, 'listen')
    return
  }
  admit(server, { local, binding, known: (socket) => accepted(socket, local, allowed) })
}

/** The addresses of a socket that libuv accepted; undefined when it may not pass. */
function accepted(
  socket: Socket,
  local: VsockAddress,
  allowed: readonly number[] | undefined,
): SocketAddresses | undefined {
  const fd = descriptorOf(socket)
  const peer = fd === undefined ? undefined : loadBinding().name(fd, true)
  // A peer that has gone already has no name any more.
  if (peer === undefined || typeof peer === 'number') {
    return allowed === undefined ? { local } : undefined
  }
  const [cid, port] = peer
  if (allowed !== undefined && !allowed.includes(cid)) return undefined
  const own = loadBinding().name(fd as number, false)
  return {
    remote: { cid, port },
    local: typeof own === 'number' ? local : { cid: own[0], port: own[1] },
  }
}
