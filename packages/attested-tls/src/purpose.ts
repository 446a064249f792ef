/** Where the enclave answers a nonce with a document over its TLS key. */
export const ATTESTATION_PATH = '/.well-known/enclavejs/attestation'
/** Where the enclave answers a nonce with a document over its HPKE key, and takes sealed requests. */
export const SEALED_PATH = '/.well-known/enclavejs/sealed'

/**
 * What `user_data` of a document over a TLS key begins with; a zero byte and the 32 bytes of the connection's `tls-exporter`
 * channel binding (RFC 9266) follow.
 */
export const TLS_PURPOSE = 'enclavejs:attested-tls:v1'
/**
 * What `user_data` of a document over an HPKE key is. The label stands for the whole suite: DHKEM(P-256, HKDF-SHA256),
 * HKDF-SHA256, AES-128-GCM, and the messages of RFC 9458 around those of RFC 9292.
 */
export const SEALED_HTTP_PURPOSE = 'enclavejs:sealed-http:v1'

/** RFC 9266 §2. */
export const CHANNEL_BINDING_LABEL = 'EXPORTER-Channel-Binding'
export const CHANNEL_BINDING_LENGTH = 32

/** The media type of one COSE_Sign1 (RFC 9052 §2). */
export const DOCUMENT_TYPE = 'application/cose; cose-type="cose-sign1"'
/** RFC 9458 §4.3, §4.4. */
export const SEALED_REQUEST_TYPE = 'message/ohttp-req'
export const SEALED_RESPONSE_TYPE = 'message/ohttp-res'

/** What a client sends; a server takes 16 to 512 bytes. */
export const NONCE_LENGTH = 32
export const NONCE_LEAST = 16
export const NONCE_MOST = 512
/** The most bytes that a document has (the response of the NSM is bounded by 12 KiB), and what clients read. */
export const DOCUMENT_MOST = 16_384

/** `user_data` of a document over the TLS key of one connection. */
export function tlsUserData(channelBinding: Uint8Array): Uint8Array {
  const label = new TextEncoder().encode(TLS_PURPOSE)
  const bytes = new Uint8Array(label.length + 1 + channelBinding.length)
  bytes.set(label)
  bytes.set(channelBinding, label.length + 1)
  return bytes
}

/** `user_data` of a document over an HPKE key. */
export function sealedUserData(): Uint8Array {
  return new TextEncoder().encode(SEALED_HTTP_PURPOSE)
}
