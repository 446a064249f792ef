import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import type { VsockAddress } from './address.ts'

/** What a failed system call of this package looks like: as Node makes them, and with the address. */
export interface VsockSystemError extends NodeJS.ErrnoException {
  /** `ECONNRESET`, `ETIMEDOUT`, `ENODEV`… */
  code: string
  errno: number
  syscall: string
  cid?: number
  port?: number
  /** The Unix socket of a listener over hybrid vsock. */
  address?: string
}

/** What it usually means where vsock is used. */
const MEANING: Readonly<Record<string, string>> = {
  ECONNRESET: 'nobody listens on that port, or its backlog is full',
  ETIMEDOUT:
    'nothing answers at that CID: the parent of a Nitro Enclave is CID 3, of other virtual machines CID 2',
  ENODEV:
    'there is no such virtual machine, or this one has no vsock device: an enclave has one, elsewhere load vhost_vsock or vsock_loopback, or use the simulator',
  ENETUNREACH:
    'that CID cannot be reached from here: an enclave reaches its parent only, never another enclave',
  EAFNOSUPPORT: 'this kernel has no AF_VSOCK: load the module vsock, or use the simulator',
  EADDRINUSE: 'another socket listens on that port',
  EADDRNOTAVAIL: 'that CID is not one of this machine: listen on VMADDR_CID_ANY',
  EACCES: 'ports below 1024 need CAP_NET_BIND_SERVICE',
  'EACCES open':
    '/dev/vsock is not for this user: an enclave has no udev, so that it is for root until the init says otherwise',
  'ENOENT path': 'there is no such folder',
  'ENOTDIR path': 'a part of its folder is a file',
  'EACCES path':
    'this user may not write to its folder, or not connect to the socket that is there',
  'EPERM path': 'this file system takes no Unix sockets',
  'EADDRINUSE path': 'another socket listens there, or something that is no socket is in its place',
  'ENAMETOOLONG path':
    'the path of a Unix socket has 107 bytes at most (macOS: 103), `_PORT` included',
  EPIPE: 'the other side has closed',
  ENOBUFS: 'the receive buffer overflowed: read continuously, or raise bufferSize',
  EMFILE: 'this process has no descriptor left: close connections, or raise the limit (ulimit -n)',
  EPERM:
    'a seccomp filter may forbid AF_VSOCK: containers need --security-opt seccomp=unconfined, or a profile with it',
}

/** A system error for errno `number` (negative, as libuv has them). */
export function systemError(
  number: number,
  syscall: string,
  at: Partial<VsockAddress>,
): VsockSystemError {
  const [code, text] = getSystemErrorMap().get(number) ?? [`E${-number}`, 'unknown error']
  const error = new Error(`${syscall} ${code} ${text}`) as VsockSystemError
  error.errno = number
  error.code = code
  error.syscall = syscall
  return describe(error, at)
}

/** As {@link systemError}, by the error's name. */
export function namedError(
  name: keyof typeof constants.errno,
  syscall: string,
  at: Partial<VsockAddress>,
): VsockSystemError {
  return systemError(-constants.errno[name], syscall, at)
}

/** A listener's place: its address, and the Unix socket that stands for it. */
export interface UnixAddress extends VsockAddress {
  readonly path: string
}

/** A failure to listen on a Unix socket, by the error's name. */
export function listenError(code: string, at: UnixAddress): VsockSystemError {
  const number = (constants.errno as Readonly<Record<string, number>>)[code] ?? constants.errno.EIO
  return systemError(-number, 'listen', at)
}

/** Adds the address to what node:net says of a listener that failed, in the place of the port that it has not. */
export function describeListen(error: Error, at: UnixAddress): void {
  const { syscall } = error as Partial<VsockSystemError>
  if (syscall === 'listen' && Object.isExtensible(error)) describe(error as VsockSystemError, at)
}

/** What node:net makes of a socket's own system calls. An error of something else, which merely destroys the socket, is not. */
const OWN: Readonly<Record<string, ReadonlySet<string>>> = {
  connect: new Set(['ECONNRESET', 'ECONNREFUSED', 'ENOENT', 'EACCES', 'ETIMEDOUT', 'EAGAIN']),
  read: new Set(['ECONNRESET', 'ETIMEDOUT', 'ENOBUFS', 'ENOTCONN']),
  write: new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOBUFS', 'ENOTCONN']),
  shutdown: new Set(['ENOTCONN', 'EPIPE', 'ECONNRESET']),
}

/** Adds the address to a system error that node:net made, once. Other errors are left alone. */
export function explain(error: Error, at: Partial<VsockAddress>): Error {
  const { syscall = '', code = '', port } = error as Partial<VsockSystemError>
  const own = Object.hasOwn(OWN, syscall) && OWN[syscall]?.has(code) === true
  if (!own || port !== undefined || !Object.isExtensible(error)) return error
  return describe(error as VsockSystemError, at)
}

function describe(
  error: VsockSystemError,
  { cid, port, path }: Partial<UnixAddress>,
): VsockSystemError {
  if (cid !== undefined) error.cid = cid
  if (port !== undefined) error.port = port
  if (path !== undefined) error.address = path
  const vsock = [cid === undefined ? '' : `cid ${cid}`, port === undefined ? '' : `port ${port}`]
  const address = vsock.filter((part) => part !== '').join(' ')
  const meaning =
    error.code === 'ECONNRESET' && error.syscall !== 'connect'
      ? 'the other side went away'
      : (MEANING[`${error.code} ${path === undefined ? error.syscall : 'path'}`] ??
        MEANING[error.code])
  error.message += `${address === '' ? '' : ` at vsock ${address}`}${path === undefined || error.message.includes(path) ? '' : `, ${path}`}${meaning === undefined ? '' : ` (${meaning})`}`
  return error
}
