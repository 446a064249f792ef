import type { Socket } from 'node:net'

/**
 * Reads one line (without its end) from a socket that nobody reads yet, and leaves what follows for whoever reads next.
 * Rejects, with the socket destroyed, when there are more than `most` bytes without an end, when the other side ends
 * first, or after `timeout` milliseconds.
 */
export function readLine(socket: Socket, most: number, timeout: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let held = Buffer.alloc(0)
    const finish = (error?: Error): void => {
      clearTimeout(timer)
      socket.off('readable', read)
      socket.off('end', ended)
      socket.off('close', ended)
      if (error === undefined) return
      socket.destroy()
      reject(error)
    }
    const ended = (): void => finish(new Error('the other side ended before a whole line'))
    const read = (): void => {
      for (;;) {
        const chunk = socket.read() as Buffer | null
        if (chunk === null) return
        held = Buffer.concat([held, chunk])
        const end = held.indexOf('\n')
        if (end > most || (end === -1 && held.length > most)) {
          finish(new Error(`a line longer than ${most} bytes`))
          return
        }
        if (end === -1) continue
        finish()
        const rest = held.subarray(end + 1)
        if (rest.length > 0) socket.unshift(rest)
        resolve(held.toString('latin1', 0, end))
        return
      }
    }
    const timer = setTimeout(() => finish(new Error(`no whole line within ${timeout} ms`)), timeout)
    socket.on('readable', read)
    socket.once('end', ended)
    socket.once('close', ended)
  })
}
