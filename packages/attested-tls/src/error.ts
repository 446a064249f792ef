/** Every code that an {@link AttestedTlsError}, or the answer of a server, can carry. */
export type AttestedTlsErrorCode =
  // Clients, both channels.
  /** No connection, or one that broke. */
  | 'ERR_ATTESTED_TLS_CONNECTION'
  /** A step took longer than its deadline. */
  | 'ERR_ATTESTED_TLS_DEADLINE'
  /** What should be the answer with the document has not its form, or is too large. */
  | 'ERR_ATTESTED_TLS_RESPONSE'
  /** Whoever answered gives no document now: busy, or an error of its own. Not authenticated. */
  | 'ERR_ATTESTED_TLS_UNAVAILABLE'
  /** The document is refused; `cause` is the `AttestationError` that says by which rule. */
  | 'ERR_ATTESTED_TLS_EVIDENCE'
  /** The document is genuine and was made for another purpose, or for none. */
  | 'ERR_ATTESTED_TLS_PURPOSE'
  /** `onAttested` refused the document; `cause` is what it threw. */
  | 'ERR_ATTESTED_TLS_REFUSED'
  /** The client or server was closed. */
  | 'ERR_ATTESTED_TLS_CLOSED'
  // Clients, TLS.
  /** A URL with http: there is no TLS to attest. Nothing was sent. */
  | 'ERR_ATTESTED_TLS_PLAINTEXT'
  /** The TLS handshake failed: no TLS 1.3, or no TLS at all. */
  | 'ERR_ATTESTED_TLS_HANDSHAKE'
  /** The certificate fails the additional check that `webPki` asks for. */
  | 'ERR_ATTESTED_TLS_CERTIFICATE'
  /** The key of the connection is not the one in the document: somebody ends TLS in the middle. */
  | 'ERR_ATTESTED_TLS_KEY'
  /** The document was made on another connection than this one. */
  | 'ERR_ATTESTED_TLS_CHANNEL_BINDING'
  // Clients, sealed requests.
  /** `public_key` of the document is no P-256 key. */
  | 'ERR_ATTESTED_TLS_SEALED_KEY'
  /** The answer to a sealed request says that it was not opened, or is no sealed response. Not authenticated. */
  | 'ERR_ATTESTED_TLS_SEALED_REFUSED'
  /** The sealed response does not open: altered, or the answer to another request. */
  | 'ERR_ATTESTED_TLS_SEALED_RESPONSE'
  /** A request or a response is larger than the option allows. */
  | 'ERR_ATTESTED_TLS_SEALED_SIZE'
  // Both ends, and servers: the member `code` of a problem document (RFC 9457).
  /** The message inside is no binary HTTP (RFC 9292), or one that is not taken. */
  | 'ERR_ATTESTED_TLS_BINARY_HTTP'
  /** The nonce is absent, not base64url, or not 16 to 512 bytes. */
  | 'ERR_ATTESTED_TLS_NONCE'
  /** A method or a media type that the resource does not take. */
  | 'ERR_ATTESTED_TLS_METHOD'
  /** Only sealed requests are answered on this listener. */
  | 'ERR_ATTESTED_TLS_NOT_SEALED'
  /** More requests at once, or in a second, than the server allows. */
  | 'ERR_ATTESTED_TLS_BUSY'
  /** `getEvidence` failed, took too long, or gave something that is no document. */
  | 'ERR_ATTESTED_TLS_EVIDENCE_SOURCE'
  /** A sealed request is not one of RFC 9458, or does not open. */
  | 'ERR_ATTESTED_TLS_SEALED_REQUEST'
  /** A sealed request is for a key that this server does not have (any more). */
  | 'ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN'
  /** A sealed request was taken before. */
  | 'ERR_ATTESTED_TLS_SEALED_REPLAY'
  /** The handler gave no answer that fits, in time; the client reads it, sealed, as status 502 or 504. */
  | 'ERR_ATTESTED_TLS_HANDLER'
  /** A package that a default needs is not installed. */
  | 'ERR_ATTESTED_TLS_PACKAGE'

/** Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`). */
export class AttestedTlsError extends Error {
  readonly code: AttestedTlsErrorCode

  constructor(
    code: AttestedTlsErrorCode,
    message: string,
    details: { readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'AttestedTlsError'
    this.code = code
  }
}
