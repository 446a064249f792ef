import { createServer, type Server } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { connect, listenVsock, type VsockSocket } from '@enclavejs/vsock'
import type { VsockPlace } from './machine.ts'

const HEARTBEAT = 0xb7
const HEARTBEAT_PORT = 9000
const PAUSE = 150

/** Answers the heartbeat of an enclave's init, as nitro-cli does. Resolves `seen` at the first. */
export async function answerHeartbeat(
  where: { readonly path: string } | { readonly allowedCids: readonly number[] },
): Promise<{ readonly seen: Promise<void>; readonly server: Server }> {
  const server = createServer()
  const seen = new Promise<void>((resolve) => {
    server.on('connection', (socket) => {
      socket.setTimeout(5000, () => socket.destroy()).on('error', () => undefined)
      socket.once('data', (bytes: Uint8Array) => {
        if (bytes[0] !== HEARTBEAT) socket.destroy()
        else {
          socket.write(Uint8Array.of(HEARTBEAT))
          resolve()
        }
      })
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    listenVsock(server, { port: HEARTBEAT_PORT, ...where }, resolve)
  })
  server.unref()
  return { seen, server }
}

/** Connects to a port of an enclave until it succeeds, or `signal` is aborted, whose reason it throws. */
export async function dialUntil(
  where: VsockPlace,
  port: number,
  signal: AbortSignal,
): Promise<VsockSocket> {
  for (;;) {
    signal.throwIfAborted()
    try {
      return await connect({ ...where, port, connectTimeout: 2000 })
    } catch {
      // Nobody listens yet, or the machine is not so far.
    }
    await wait(PAUSE, undefined, { signal }).catch(() => undefined)
  }
}
