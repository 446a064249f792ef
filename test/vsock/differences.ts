import type { Difference, Kind } from './difference.ts'

const VSOCK: readonly Kind[] = ['AF_VSOCK', 'enclave', 'parent', 'simulator', 'hybrid']
const ALL: readonly Kind[] = [...VSOCK, 'stand-in']
const ANSWERED: readonly Kind[] = ALL.filter((kind) => kind !== 'enclave')

const SILENT =
  'vhost-device-vsock gives no answer where no Unix socket listens; the kernel of a parent answers ECONNRESET'
const REFUSED = 'a vsock listener that is not there is ECONNRESET; TCP has ECONNREFUSED'

/** Everything in which a transport behaves otherwise than node:net over TCP does. */
export const differences: readonly Difference[] = [
  {
    name: 'nobody listens',
    kinds: ANSWERED,
    call: ['error ECONNRESET connect', 'close true', 'closed: pending destroyed'],
    reason: REFUSED,
  },
  {
    name: 'nobody listens, with data and an end queued',
    kinds: ANSWERED,
    call: ['error ECONNRESET connect', 'close true', 'write ERR_SOCKET_CLOSED_BEFORE_CONNECTION'],
    reason: REFUSED,
  },
  {
    name: 'connections after close',
    kinds: ALL,
    call: ['closed', 'ECONNRESET connect', 'ERR_SERVER_NOT_RUNNING'],
    reason: REFUSED,
  },
  {
    name: 'TLS to a port without listener',
    kinds: ANSWERED,
    call: ['ECONNRESET connect'],
    reason: REFUSED,
  },
  {
    name: 'HTTP to a port without listener',
    kinds: ANSWERED,
    call: ['ECONNRESET connect'],
    reason: REFUSED,
  },
  {
    name: 'an aborted signal before connect',
    kinds: ALL,
    call: ['error ABORT_ERR', 'close true', 'ABORT_ERR'],
    reason:
      'node:net destroys such a socket before it has a handle, and says `undefined` with close in place of true',
  },
  {
    name: 'the other side destroys its socket with data unread',
    kinds: VSOCK,
    call: ['end', 'close false'],
    reason:
      'the kernel turns the reset of a vsock connection into an end (virtio_transport_do_close); the conventions over Unix sockets do the same',
  },
  {
    name: 'resetAndDestroy',
    kinds: ALL,
    call: ['threw ERR_INVALID_HANDLE_TYPE', 'close false'],
    reason: 'only TCP has it; this is what node:net says of Unix sockets',
  },
  {
    name: 'pauseOnConnect',
    kinds: ['simulator'],
    serve: ['true 4'],
    reason:
      'what came with the line that says who connects has been read from the kernel; nobody sees it before resume()',
  },
  {
    name: 'addresses agree',
    kinds: ['hybrid'],
    call: ['number number', 'false'],
    reason:
      'the convention tells the connecting end a port, and the listening end nothing about who connects',
  },
  {
    name: 'nobody listens',
    kinds: ['enclave'],
    call: ['error ETIMEDOUT connect', 'close true', 'closed: pending destroyed'],
    reason: SILENT,
  },
  {
    name: 'nobody listens, with data and an end queued',
    kinds: ['enclave'],
    call: ['error ETIMEDOUT connect', 'close true', 'write ERR_SOCKET_CLOSED_BEFORE_CONNECTION'],
    reason: SILENT,
  },
  {
    name: 'TLS to a port without listener',
    kinds: ['enclave'],
    call: ['ETIMEDOUT connect'],
    reason: SILENT,
  },
  {
    name: 'HTTP to a port without listener',
    kinds: ['enclave'],
    call: ['ETIMEDOUT connect'],
    reason: SILENT,
  },
]
