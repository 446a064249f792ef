import type { Duplex } from 'node:stream'
import { AcmError } from '../error.ts'
import { keyObjects } from './key-objects.ts'
import { Pin } from './pin.ts'
import { LocalSigningKey, type SigningKey } from './signing-key.ts'
import { TokenDoor, type ConnectionSource } from './token-door.ts'
import { checkId, checkTokenKey, type TokenKey } from './token-key.ts'
import { checkDescription, type TokenDescription } from './token-options.ts'
import { TokenStore } from './token-store.ts'

/** Options of {@link createToken}. */
export interface TokenOptions extends TokenDescription {
  /** Its keys; more can be added, and each removed. */
  readonly keys: readonly TokenKey[]
}

interface HeldKey {
  readonly handles: readonly number[]
  readonly key: SigningKey
}

/**
 * A PKCS #11 token whose keys lie in this process and which others use through p11-kit's remote protocol: made by
 * {@link createToken}.
 */
export class AcmToken {
  readonly #store: TokenStore
  readonly #door: TokenDoor
  readonly #keys = new Map<string, HeldKey>()

  /** @internal */
  constructor(store: TokenStore, door: TokenDoor) {
    this.#store = store
    this.#door = door
  }

  /** `CKA_ID` of each key. */
  get ids(): readonly Uint8Array[] {
    return [...this.#keys.keys()].map((id) => new Uint8Array(Buffer.from(id, 'hex')))
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#door.connections
  }

  /** Sessions that are open, over all connections. */
  get sessions(): number {
    return this.#store.sessions
  }

  /**
   * Adds a key. Clients see it when they look again; what they hold goes on working.
   *
   * @throws {AcmError} `ERR_ACM_TOKEN_ID` when a key has this id, `ERR_ACM_TOKEN_KEY`, `ERR_ACM_TOKEN_CERTIFICATE`,
   *   `ERR_ACM_KEY_FORM`, `ERR_ACM_KEY_KIND`, `ERR_ACM_TOKEN_BINDING`, `ERR_ACM_TOKEN_CLOSED`
   */
  addKey(key: TokenKey): void {
    this.#door.checkOpen()
    const { id, label, privateKey, certificates } = checkTokenKey(key)
    const name = Buffer.from(id).toString('hex')
    if (this.#keys.has(name)) {
      const message = `The token has a key of id ${name}. Give a renewed key a new id, and remove the old one when no server uses it.`
      throw new AcmError('ERR_ACM_TOKEN_ID', message)
    }
    const signing = new LocalSigningKey(privateKey)
    const handles = this.#store.add(keyObjects({ id, label }, signing, certificates))
    this.#keys.set(name, { handles, key: signing })
  }

  /**
   * Removes a key: its memory is zeroed when the signatures under way are made, and clients that still hold it are
   * refused (`CKR_KEY_HANDLE_INVALID`).
   *
   * @throws {AcmError} `ERR_ACM_TOKEN_ID`
   */
  removeKey(id: Uint8Array): void {
    const name = Buffer.from(checkId(id)).toString('hex')
    const held = this.#held(id)
    this.#keys.delete(name)
    this.#store.remove(held.handles)
    held.key.release()
  }

  /**
   * Says that another key has replaced this one. It goes on signing; from now on a client that has logged in may remove it
   * (C_DestroyObject; `CKA_DESTROYABLE` says so), as `enclavejs acm agent` does when the web server's last worker that used it
   * has ended.
   *
   * @throws {AcmError} `ERR_ACM_TOKEN_ID`
   */
  retireKey(id: Uint8Array): void {
    const own = Uint8Array.from(checkId(id))
    const [handle] = this.#held(own).handles
    if (handle !== undefined) this.#store.allowDestroy(handle, () => this.removeKey(own))
  }

  /**
   * Says that a retired key is in use again: clients may not remove it any more, and what they hold of it goes on working.
   *
   * @throws {AcmError} `ERR_ACM_TOKEN_ID`
   */
  reinstateKey(id: Uint8Array): void {
    for (const handle of this.#held(id).handles) this.#store.forbidDestroy(handle)
  }

  /**
   * Whether a connection is open that has begun to sign with a key, or a relay's that knows of its retirement, and so will
   * remove it when its own clients do not need it any more.
   *
   * @throws {AcmError} `ERR_ACM_TOKEN_ID`
   */
  isInUse(id: Uint8Array): boolean {
    return this.#held(id).handles.some((handle) => this.#door.isUsed(handle))
  }

  #held(id: Uint8Array): HeldKey {
    const name = Buffer.from(id).toString('hex')
    const held = this.#keys.get(name)
    if (held !== undefined) return held
    throw new AcmError('ERR_ACM_TOKEN_ID', `The token has no key of id ${name}.`)
  }

  /** Serves one client on a stream. The token ends the stream: when the client breaks the protocol, stalls, or is one too many. */
  serve(stream: Duplex): void {
    this.#door.serve(stream)
  }

  /**
   * Serves every connection of a server, of node:net or of `@enclavejs/vsock`. Closing the server is the caller's.
   *
   * @throws {AcmError} `ERR_ACM_TOKEN_CLOSED`
   */
  listen(server: ConnectionSource): void {
    this.#door.listen(server)
  }

  /** Ends all connections and forgets all keys. Any number of times. */
  close(): void {
    this.#door.close()
    for (const id of this.ids) this.removeKey(id)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Makes a PKCS #11 token over keys of this process: NGINX, Apache and whatever else uses OpenSSL's PKCS #11 engine or
 * provider on the parent sign with them through p11-kit (0.24 to 0.26), and never have them.
 *
 * A client may sign what TLS signs: a digest of SHA-256, SHA-384 or SHA-512, with RSA PKCS #1 v1.5, RSA-PSS or ECDSA. It
 * cannot decrypt, sign other bytes, read a private value, or change anything. Signing runs in OpenSSL's constant-time code
 * on libuv's threads. What this does not give: whoever reaches the socket and knows the PIN, and so always the parent, can
 * have any handshake signed for as long as the token runs.
 *
 * Wrong PINs: ten at once and then one a minute, over all connections; meanwhile the right one is refused as well.
 *
 * @throws {TypeError | RangeError} for options of the wrong form
 * @throws {AcmError} what {@link AcmToken.addKey} throws
 *
 * @example
 * ```ts
 * import { createServer } from 'node:net'
 * import { createToken, type TokenKey } from '@enclavejs/acm-enclave/token'
 *
 * export function serveToken(key: TokenKey, pin: string): void {
 *   const token = createToken({ label: 'acm-token', pin, keys: [key] })
 *   const server = createServer()
 *   token.listen(server)
 *   server.listen('/run/enclavejs/token.sock')
 * }
 * ```
 */
export function createToken(options: TokenOptions): AcmToken {
  const { labels, pin, maxConnections, maxSessions } = checkDescription(options)
  if (!Array.isArray(options.keys)) throw new TypeError('keys is an array')
  const store = new TokenStore(labels, new Pin(pin), maxSessions)
  const token = new AcmToken(store, new TokenDoor(store, maxConnections))
  try {
    for (const key of options.keys as readonly TokenKey[]) token.addKey(key)
  } catch (error) {
    token.close()
    throw error
  }
  return token
}
