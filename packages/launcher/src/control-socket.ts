import { createConnection, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { LauncherError } from './error.ts'

const FILE = 'control'
const QUESTION = 'stop\n'

/** Lets other processes of this user ask the supervisor to end its enclave. The connection ends when it has. */
export async function serveControl(
  folder: string,
  stop: () => Promise<void>,
): Promise<{ close(): void }> {
  const server: Server = createServer((socket) => {
    let asked = ''
    socket.setTimeout(10_000, () => socket.destroy()).on('error', () => undefined)
    socket.setEncoding('latin1').on('data', (text: string) => {
      asked += text
      if (asked === QUESTION) {
        socket.setTimeout(0)
        void stop().then(
          () => socket.end('stopped\n'),
          () => socket.destroy(),
        )
      } else if (!QUESTION.startsWith(asked)) socket.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(join(folder, FILE), resolve)
  }).catch((cause: unknown) => {
    const message = `${folder}: ${(cause as Error).message}`
    throw new LauncherError('ERR_LAUNCHER_RUN_DIRECTORY', message, { cause })
  })
  server.unref()
  return { close: () => void server.close() }
}

/** Asks a supervisor to end its enclave. @returns whether it did so within `timeout` milliseconds. */
export function askToStop(folder: string, timeout: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(join(folder, FILE))
    const finish = (done: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(done)
    }
    const timer = setTimeout(() => finish(false), timeout)
    let answer = ''
    socket.on('error', () => finish(false)).on('close', () => finish(answer === 'stopped\n'))
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
    socket.once('connect', () => socket.write(QUESTION))
  })
}
