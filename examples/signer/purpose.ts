/**
 * What the key is for, in `user_data` of the document and before every message that is signed. Without it a signature made here
 * could pass for one that means something else; a change of what is signed needs a new version.
 */
export const PURPOSE = 'enclavejs-example-signer:p256-sha256:v1'

/** What is signed for a message. */
export function signedBytes(message: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${PURPOSE}\0`), message])
}

/** First byte of a request. */
export const ATTEST = 0
export const SIGN = 1
