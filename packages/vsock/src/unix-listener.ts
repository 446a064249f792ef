import { lstat, unlink } from 'node:fs/promises'
import { createConnection, Server, type ListenOptions } from 'node:net'
import { admit, type Admission } from './admission.ts'
import { namedError } from './system-error.ts'

const beginning = new WeakSet<Server>()

/** Whether a server is about to listen: it has been told to, and the path is looked at. */
export function isBeginning(server: Server): boolean {
  return beginning.has(server)
}

/**
 * Listens on a Unix socket, in the place of one that a process left behind: a socket on which nobody answers. Where there
 * is anything else, the server emits `EADDRINUSE`.
 */
export function listenUnix(
  server: Server,
  path: string,
  admission: Admission,
  options: Pick<ListenOptions, 'backlog' | 'signal'>,
): void {
  // Closed meanwhile, in which case node:net has said so: it must not listen any more.
  let closed = false
  const noticed = (): void => void (closed = true)
  server.once('close', noticed)
  beginning.add(server)
  void clear(path).then((free) => {
    beginning.delete(server)
    if (closed) return
    server.off('close', noticed)
    if (!free) {
      server.emit('error', Object.assign(namedError('EADDRINUSE', 'listen', {}), { address: path }))
      return
    }
    try {
      admit(server, admission)
      Server.prototype.listen.call(server, { ...options, path })
    } catch (error) {
      server.emit('error', error)
    }
  })
}

/** Removes a socket that was left behind; false where something else is there. */
async function clear(path: string): Promise<boolean> {
  const answer = await probe(path)
  if (answer === 'ENOENT') return true
  try {
    if (answer !== 'ECONNREFUSED' || !(await lstat(path)).isSocket()) return false
    await unlink(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

/** The code of the error that a connection meets; undefined where it is made. */
function probe(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path })
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'EIO'))
    // Ended, not destroyed: who answers shall see an end, and no reset.
    socket.once('connect', () => {
      socket.end()
      socket.resume().unref()
      resolve(undefined)
    })
  })
}
