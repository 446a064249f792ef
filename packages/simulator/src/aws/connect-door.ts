import type { Socket } from 'node:net'

const HEAD_MAX = 8192
const TIMEOUT = 10_000

/**
 * Answers one HTTP CONNECT (RFC 9110 §9.3.6), as the CONNECT door of `enclavejs proxy` does, and gives the stream behind it to what
 * stands for the host.
 *
 * @param serve undefined for hosts that nothing stands for: they are refused.
 */
export function answerConnect(
  socket: Socket,
  serve: (host: string) => ((stream: Socket) => void) | undefined,
): void {
  let held = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), TIMEOUT)
  socket.once('close', () => clearTimeout(timer))
  const read = (): void => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) return
    held = Buffer.concat([held, chunk])
    const end = held.indexOf('\r\n\r\n')
    if (end === -1 && held.length <= HEAD_MAX) return
    clearTimeout(timer)
    socket.off('readable', read)
    const line = held.toString('latin1', 0, Math.max(0, held.indexOf('\r\n')))
    const [, host = ''] = /^CONNECT ([a-z0-9.-]{1,253}):443 HTTP\/1\.1$/i.exec(line) ?? []
    const found = end === -1 ? undefined : serve(host.toLowerCase())
    if (found === undefined) {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const rest = held.subarray(end + 4)
    if (rest.length > 0) socket.unshift(rest)
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    found(socket)
  }
  socket.on('readable', read)
}
