/** Every code a {@link VsockError} can carry. */
export type VsockErrorCode =
  /** The native addon is missing or does not load: no Linux, or an architecture without a prebuilt addon. */
  | 'ERR_VSOCK_BINDING'
  /** A worker of node:cluster, whose primary process would have to listen, and has no AF_VSOCK. */
  | 'ERR_VSOCK_CLUSTER'
  /** A simulator is registered where real AF_VSOCK or `/dev/nsm` exists. */
  | 'ERR_VSOCK_SIMULATOR_CONFLICT'
  /** What is registered as the simulator does not have the form of one. */
  | 'ERR_VSOCK_SIMULATOR_INVALID'
  /** A message is longer than `maxMessageLength`, by the length that was announced. */
  | 'ERR_VSOCK_FRAME_TOO_LARGE'
  /** The stream ended inside a message. */
  | 'ERR_VSOCK_FRAME_TRUNCATED'
  /** The connection of a `MessageClient` could not be made, or ended before the answer; see `cause`. */
  | 'ERR_VSOCK_MESSAGE_CONNECTION'
  /** The server answered with a code in place of a message; the error is a `MessageRemoteError`. */
  | 'ERR_VSOCK_MESSAGE_REMOTE'
  /** What the server sent is no answer of the protocol. */
  | 'ERR_VSOCK_MESSAGE_RESPONSE'
  /** No answer within the deadline. The server may have acted on the request. */
  | 'ERR_VSOCK_MESSAGE_DEADLINE'
  /** Too many requests wait in the `MessageClient` (`maxQueued`). */
  | 'ERR_VSOCK_MESSAGE_BUSY'
  /** The `MessageClient` was closed. */
  | 'ERR_VSOCK_MESSAGE_CLOSED'
  /** The other end of a connection for HTTPS did not finish the TLS handshake in time. */
  | 'ERR_VSOCK_TLS_TIMEOUT'
  /** The parent did not answer the heartbeat. */
  | 'ERR_VSOCK_HEARTBEAT'
  /** The PROXY protocol header of a connection is malformed, too long, late or missing. */
  | 'ERR_VSOCK_PROXY_HEADER'
  /** A configuration of the proxy, or AWS's allowlist, does not hold what it should. */
  | 'ERR_VSOCK_PROXY_CONFIG'
  /** A destination of the proxy is not in AWS's allowlist, or a CONNECT asks for one that is not configured. */
  | 'ERR_VSOCK_PROXY_NOT_ALLOWED'
  /** DNS gives a destination only addresses that may not be reached: private, loopback, link-local… */
  | 'ERR_VSOCK_PROXY_ADDRESS'
  /** DNS gives a destination no address, and never gave one before. */
  | 'ERR_VSOCK_PROXY_DNS'
  /** No address of a destination accepts a connection. */
  | 'ERR_VSOCK_PROXY_CONNECT'
  /** DNS or connecting took longer than the proxy waits. */
  | 'ERR_VSOCK_PROXY_TIMEOUT'
  /** The enclave's own list does not allow the host and port. Nothing was sent. */
  | 'ERR_VSOCK_EGRESS_NOT_ALLOWED'
  /** The parent's proxy cannot be reached. */
  | 'ERR_VSOCK_EGRESS_DIAL'
  /** The parent's proxy did not answer in time. */
  | 'ERR_VSOCK_EGRESS_TIMEOUT'
  /** What the parent's proxy answered is not an answer to CONNECT. */
  | 'ERR_VSOCK_EGRESS_RESPONSE'
  /** The parent's proxy does not allow the host, or found the request wrong: status 4xx. */
  | 'ERR_VSOCK_EGRESS_REFUSED'
  /** The parent's proxy has too many connections: status 503. */
  | 'ERR_VSOCK_EGRESS_BUSY'
  /** The parent's proxy cannot reach the host: every other status, as 502 and 504. */
  | 'ERR_VSOCK_EGRESS_UNREACHABLE'
  /** What listens where a log should be is none. */
  | 'ERR_VSOCK_LOG_PROTOCOL'
  /** A line of a log is longer than 8,192 bytes. */
  | 'ERR_VSOCK_LOG_LINE'
  /** A log was not read in time. */
  | 'ERR_VSOCK_LOG_TIMEOUT'

/**
 * What goes wrong in this package, except failed system calls, which are system errors as Node makes
 * them (`ECONNRESET`, `ENODEV`), and the caller's own mistakes (`TypeError`, `RangeError`).
 */
export class VsockError extends Error {
  readonly code: VsockErrorCode

  constructor(code: VsockErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'VsockError'
    this.code = code
  }
}
