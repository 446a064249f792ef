import { lstat, stat, unlink } from 'node:fs/promises'
import { createConnection, Server, type ListenOptions } from 'node:net'
import { dirname } from 'node:path'
import { admit, type Admission } from './admission.ts'
import { describeListen, listenError } from './system-error.ts'

/** The longest path of a Unix socket (unix(7)), in bytes. */
const PATH_MOST = process.platform === 'linux' ? 107 : 103
/** What says that a path is taken: someone answers, has a full queue, or is another kind of socket. */
const TAKEN = new Set(['', 'EAGAIN', 'EPROTOTYPE'])

const beginning = new WeakSet<Server>()

/** Whether a server is about to listen: it has been told to, and the path is looked at. */
export function isBeginning(server: Server): boolean {
  return beginning.has(server)
}

/**
 * Listens on a Unix socket, in the place of one that a process left behind: a socket on which nobody answers. Where there
 * is anything else, the server emits `EADDRINUSE`. A listener that failed leaves nothing on the server.
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
  const at = { ...admission.local, path }
  void clear(path).then((code) => {
    beginning.delete(server)
    if (closed) return
    server.off('close', noticed)
    if (code !== undefined) {
      server.emit('error', listenError(code, at))
      return
    }
    const described = (error: Error): void => {
      describeListen(error, at)
      // Only this listener was there: it must not hide what nobody handles.
      if (server.listenerCount('error') === 0) throw error
    }
    server.prependOnceListener('error', described)
    try {
      Server.prototype.listen.call(server, { ...options, path })
    } catch (error) {
      server.emit('error', error)
    }
    // Otherwise node:net tells why in the next tick.
    if (!server.listening) return
    server.off('error', described)
    admit(server, admission)
  })
}

/** Removes a socket that was left behind; the code of an error where something is in the way. */
async function clear(path: string): Promise<string | undefined> {
  if (Buffer.byteLength(path) > PATH_MOST) return 'ENAMETOOLONG'
  const answer = await probe(path)
  if (TAKEN.has(answer)) return 'EADDRINUSE'
  try {
    if (answer === 'ENOENT') {
      // libuv says EACCES for a folder that is not there.
      await stat(dirname(path))
      return undefined
    }
    if (answer !== 'ECONNREFUSED') return answer
    if (!(await lstat(path)).isSocket()) return 'EADDRINUSE'
    await unlink(path)
    return undefined
  } catch (error) {
    const { code = 'EIO', syscall } = error as NodeJS.ErrnoException
    return code === 'ENOENT' && syscall !== 'stat' ? undefined : code
  }
}

/** The code of the error that a connection meets; nothing where it is made. */
function probe(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ path })
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'EIO'))
    // Ended, not destroyed: who answers shall see an end, and no reset.
    socket.once('connect', () => {
      socket.end()
      socket.resume().unref()
      resolve('')
    })
  })
}
