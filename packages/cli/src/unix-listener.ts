import { chmodSync, lstatSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { CliError } from './error.ts'

/** Whether somebody answers on a Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** Listens on a Unix socket of mode 0600 or as given; what a process that died left there is replaced. */
export async function listenUnix(server: Server, path: string, mode = 0o600): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there?.isSocket() === true && !(await answers(path))) rmSync(path)
  // Nobody but this user may connect before the mode is what was asked for.
  const mask = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (cause) {
    const message = `${path}: ${(cause as Error).message}`
    throw new CliError('ERR_CLI_FILE', message, { cause })
  } finally {
    process.umask(mask)
  }
  chmodSync(path, mode)
}

export function unixServer(): Server {
  return createServer()
}
