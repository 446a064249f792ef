import { existsSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'

/**
 * What Firecracker is to its host, without the virtual machine: takes `CONNECT PORT` on the Unix socket `path`, answers
 * `OK PORT`, and passes bytes and ends on to and from `path_PORT`. Returns what ends it. Where another process has it
 * already, nothing is done.
 */
export function listenMuxer(path: string): Promise<() => Promise<void>> {
  let given = 2 ** 30
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const leave = (): void => void client.destroy()
    client.on('error', leave).on('end', leave)
    let held = Buffer.alloc(0)
    client.on('data', function read(chunk) {
      held = Buffer.concat([held, chunk])
      const end = held.indexOf('\n')
      if (end === -1) return
      client.off('data', read).off('end', leave).pause()
      const port = /^CONNECT (\d+)$/.exec(held.toString('latin1', 0, end))?.[1]
      if (held.length > end + 1) client.unshift(held.subarray(end + 1))
      // Absent is refused without a word, as Firecracker does.
      if (port === undefined || !existsSync(`${path}_${port}`)) {
        client.destroy()
        return
      }
      const target = createConnection({ path: `${path}_${port}`, allowHalfOpen: true })
      target.on('error', () => client.destroy())
      target.on('connect', () => {
        client.write(`OK ${++given}\n`)
        client.pipe(target).pipe(client)
      })
      client.on('close', () => target.destroy())
      target.on('close', () => client.destroySoon())
    })
  })
  return new Promise((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(async () => {})
      else reject(error)
    })
    server.listen({ path }, () =>
      resolve(() => new Promise<void>((closed) => void server.close(() => closed()))),
    )
  })
}
