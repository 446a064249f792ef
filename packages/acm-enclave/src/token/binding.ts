import { createRequire } from 'node:module'
import { AcmError } from '../error.ts'

/** A private key as the addon holds it: an object without properties. */
export type KeyHandle = { readonly __key: unique symbol }

/** `scheme` of {@link TokenBinding.sign}. */
export const SCHEMES = { pkcs1: 0, pss: 1, ecdsa: 2 } as const

/** The native addon (native/addon.c): signatures over a digest, through the OpenSSL of the node binary. */
export interface TokenBinding {
  /** Reads a private key from DER and zeroes those bytes; null when it is none. */
  load(der: Uint8Array): KeyHandle | null
  /** Zeroes and frees the key, now or after the signatures under way. Any number of times. */
  release(key: KeyHandle): void
  /** Signs on libuv's thread pool; null when OpenSSL refuses. */
  sign(key: KeyHandle, scheme: number, bits: number, digest: Uint8Array): Promise<Uint8Array | null>
}

let loaded: TokenBinding | undefined

/**
 * Loads the prebuilt addon of this architecture. Not at import: only a token with keys of its own needs it.
 *
 * @throws {AcmError} `ERR_ACM_TOKEN_BINDING`
 */
export function loadBinding(): TokenBinding {
  if (loaded !== undefined) return loaded
  // One folder up from dist/, two from src/token/.
  const folder = import.meta.url.endsWith('/src/token/binding.ts')
    ? '../../prebuilds'
    : '../prebuilds'
  const file = `${folder}/linux-${process.arch}.node`
  try {
    loaded = createRequire(import.meta.url)(file) as TokenBinding
  } catch (cause) {
    const message = `The native addon prebuilds/linux-${process.arch}.node of @enclavejs/acm-enclave does not load on ${process.platform}. Prebuilt are linux-x64 and linux-arm64; in a clone of the repository \`npm run prepare\` builds it with cc.`
    throw new AcmError('ERR_ACM_TOKEN_BINDING', message, { cause })
  }
  return loaded
}
