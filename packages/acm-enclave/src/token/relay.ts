import type { Duplex } from 'node:stream'
import { CKA, CKK, CKO, CKR, CryptokiError } from './cryptoki.ts'
import { AcmError } from '../error.ts'
import { idOf, type EnclaveObject } from './enclave-link.ts'
import { EnclavePool, type EnclaveAddress } from './enclave-pool.ts'
import { Pin } from './pin.ts'
import { shownKeys, type ShownKey } from './shown-key.ts'
import type { SignInput, SigningKey } from './signing-key.ts'
import { TokenDoor, type ConnectionSource } from './token-door.ts'
import { checkDescription, type TokenDescription } from './token-options.ts'
import { isDestroyable } from './token-object.ts'
import { TokenStore } from './token-store.ts'

/** Options of {@link createTokenRelay}. */
export interface TokenRelayOptions extends TokenDescription {
  /** The enclaves behind the token, 1 to 16. Those that have the same key share its signatures. */
  readonly enclaves: readonly EnclaveAddress[]
  /** Milliseconds that a signature waits for an enclave that is away, for its restart for instance. Default 10000, at most 60000. */
  readonly signTimeout?: number | undefined
}

const RETRY_MS = 100
/** ECDSA signatures by CKA_EC_PARAMS. */
const CURVE_LENGTHS: Readonly<Record<string, number>> = {
  '06082a8648ce3d030107': 64,
  '06052b81040022': 96,
  '06052b81040023': 132,
}

/** A key that another has replaced. */
export interface RetiredKey {
  /** `CKA_ID` */
  readonly id: Uint8Array
  /** Whether a client that has signed with it is connected: a worker from before the reload. */
  readonly inUse: boolean
}

/** A token on the parent whose keys lie in enclaves: made by {@link createTokenRelay}. */
export class AcmTokenRelay {
  readonly #store: TokenStore
  readonly #door: TokenDoor
  readonly #pools: readonly EnclavePool[]
  readonly #signTimeout: number
  /** Identity to handle: stable while the key exists anywhere. */
  readonly #handles = new Map<string, number>()
  /** Private keys that others have replaced, as each enclave said last. */
  readonly #retired = new Map<EnclavePool, ReadonlySet<string>>()
  /** What each enclave had when it was asked last. */
  readonly #known = new Map<EnclavePool, ReadonlySet<string>>()
  readonly #abort = new AbortController()

  /** @internal */
  constructor(
    store: TokenStore,
    door: TokenDoor,
    enclaves: readonly EnclaveAddress[],
    signTimeout: number,
  ) {
    this.#store = store
    this.#door = door
    this.#signTimeout = signTimeout
    this.#pools = enclaves.map((address) => {
      const pool: EnclavePool = new EnclavePool(address, (objects) => this.#learn(pool, objects))
      return pool
    })
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#door.connections
  }

  /** `CKA_ID` of each key that an enclave has. */
  get ids(): readonly Uint8Array[] {
    return [...this.#store.objects()]
      .filter(({ attributes }) => attributes.get(CKA.CLASS) === CKO.PRIVATE_KEY)
      .map(({ attributes }) => Uint8Array.from(attributes.get(CKA.ID) as Uint8Array))
  }

  /** The keys that an enclave has with a certificate, newest certificate first. */
  get keys(): readonly ShownKey[] {
    return shownKeys(this.#store.objects())
  }

  /**
   * Asks every enclave what its token has: keys that came are shown, those that no enclave has any more are not. Call it
   * once before a web server starts, and after a key was added or removed. An enclave that is away keeps what it had.
   *
   * @throws {AcmError} when no enclave answers: `ERR_ACM_TOKEN_ENCLAVE`, `ERR_ACM_TOKEN_PIN`, `ERR_ACM_TOKEN_CLOSED`; or none of
   *   them has at most 1024 objects: `ERR_ACM_TOKEN_OBJECTS`
   */
  async refresh(): Promise<void> {
    this.#door.checkOpen()
    const asked = await Promise.allSettled(this.#pools.map((pool) => pool.refresh()))
    const failed = asked.filter((result) => result.status === 'rejected')
    if (failed.length === asked.length) throw failed[0]?.reason
  }

  /** `CKA_ID` of each key that another has replaced, and whether a client that has signed with it is still connected. */
  get retired(): readonly RetiredKey[] {
    return [...this.#retiredNow()].flatMap((identity) => {
      const handle = this.#handles.get(identity)
      const object = handle === undefined ? undefined : this.#store.get(handle)
      if (object === undefined) return []
      const id = Uint8Array.from(object.attributes.get(CKA.ID) as Uint8Array)
      return [{ id, inUse: this.#door.isUsed(object.handle) }]
    })
  }

  /**
   * Has the enclaves remove a retired key. Clients that still hold it are refused from then on: look at `inUse` before, and
   * give a web server that was reloaded as long as a handshake may take.
   *
   * @throws {AcmError} where an enclave is away or refuses: `ERR_ACM_TOKEN_ENCLAVE`, `ERR_ACM_TOKEN_PIN`, `ERR_ACM_TOKEN_CLOSED`;
   *   `ERR_ACM_TOKEN_ID` for a key that is not retired
   */
  async removeRetired(id: Uint8Array): Promise<void> {
    this.#door.checkOpen()
    const name = Buffer.from(id).toString('hex')
    const identity = [...this.#retiredNow()].find((one) => idOf(one) === name)
    if (identity === undefined) {
      throw new AcmError('ERR_ACM_TOKEN_ID', `The token has no retired key of id ${name}.`)
    }
    const asked = await Promise.allSettled(this.#pools.map((pool) => pool.destroy(identity)))
    for (const result of asked) if (result.status === 'rejected') throw result.reason
  }

  /** Serves one client, as a token does. */
  serve(stream: Duplex): void {
    this.#door.serve(stream)
  }

  /** Serves every connection of a server. @throws {AcmError} `ERR_ACM_TOKEN_CLOSED` */
  listen(server: ConnectionSource): void {
    this.#door.listen(server)
  }

  /** Ends all connections, to clients and to enclaves. Any number of times. */
  close(): void {
    this.#abort.abort()
    this.#door.close()
    for (const pool of this.#pools) pool.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #retiredNow(): ReadonlySet<string> {
    return new Set([...this.#retired.values()].flatMap((identities) => [...identities]))
  }

  #learn(pool: EnclavePool, objects: readonly EnclaveObject[]): void {
    this.#known.set(pool, new Set(objects.map(({ identity }) => identity)))
    const retired = objects.filter((object) => isDestroyable(object))
    this.#retired.set(pool, new Set(retired.map(({ identity }) => identity)))
    for (const { identity, attributes } of objects) {
      if (this.#handles.has(identity)) continue
      const isKey = attributes.get(CKA.CLASS) === CKO.PRIVATE_KEY
      const key = isKey ? this.#remoteKey(identity, attributes) : undefined
      // What a client may end in the enclave, it may not here.
      const shown = new Map(attributes)
      shown.delete(CKA.DESTROYABLE)
      const [handle] = this.#store.add([{ attributes: shown, key }])
      this.#handles.set(identity, handle as number)
    }
    for (const [identity, handle] of this.#handles) {
      if ([...this.#known.values()].some((known) => known.has(identity))) continue
      this.#handles.delete(identity)
      this.#store.remove([handle])
    }
  }

  #remoteKey(identity: string, attributes: EnclaveObject['attributes']): SigningKey {
    const type = attributes.get(CKA.KEY_TYPE) === CKK.RSA ? 'rsa' : 'ec'
    const bits = attributes.get(CKA.MODULUS_BITS)
    const curve = attributes.get(CKA.EC_PARAMS)
    const name = curve instanceof Uint8Array ? Buffer.from(curve).toString('hex') : ''
    const signatureLength = type === 'rsa' ? Math.ceil(Number(bits) / 8) : CURVE_LENGTHS[name]
    const sign = (input: SignInput): Promise<Uint8Array> => this.#sign(identity, input)
    return { type, signatureLength: signatureLength ?? 0, sign, release: () => {} }
  }

  /** Any enclave that has the key; while none can be reached it waits. */
  async #sign(identity: string, input: SignInput): Promise<Uint8Array> {
    const own = { ...input, digest: Uint8Array.from(input.digest) }
    const end = performance.now() + this.#signTimeout
    for (;;) {
      const signature = await this.#tryOnce(identity, own)
      if (signature !== undefined) return signature
      if (this.#abort.signal.aborted || performance.now() >= end) {
        throw new CryptokiError(CKR.DEVICE_ERROR)
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  async #tryOnce(identity: string, input: SignInput): Promise<Uint8Array | undefined> {
    for (const pool of this.#inTurn()) {
      try {
        const signature = await pool.sign(identity, input)
        if (signature !== undefined) return signature
      } catch (error) {
        // The enclave answered, and will answer so again; everything else is worth another try.
        const refused = error instanceof CryptokiError && error.rv !== CKR.KEY_HANDLE_INVALID
        if (refused) throw error
      }
    }
    return undefined
  }

  #turn = 0

  #inTurn(): readonly EnclavePool[] {
    this.#turn = (this.#turn + 1) % this.#pools.length
    return [...this.#pools.slice(this.#turn), ...this.#pools.slice(0, this.#turn)]
  }
}

/**
 * Makes the parent's half of a token: it owns what clients connect to, answers slots, attributes and searches itself, and
 * asks an enclave for signatures only, one round trip each. A stock p11-kit client never connects again when its server
 * went away; this one stays, and connects to the enclave again. Several enclaves can stand behind it.
 *
 * It checks the PIN of its clients itself, and logs in to the enclave with the enclave's PIN. It learns nothing secret,
 * and can have whatever signed that the enclave's token signs.
 *
 * @throws {TypeError | RangeError} for options of the wrong form
 *
 * @example
 * ```ts
 * import { connect, createServer } from 'node:net'
 * import { createTokenRelay } from '@enclavejs/acm-enclave/token'
 *
 * export async function relay(pin: string): Promise<void> {
 *   const enclave = { connect: () => connect('/run/enclavejs/enclave.sock'), pin }
 *   const relay = createTokenRelay({ label: 'acm-token', pin, enclaves: [enclave] })
 *   await relay.refresh()
 *   const server = createServer()
 *   relay.listen(server)
 *   server.listen('/run/enclavejs/token.sock')
 * }
 * ```
 */
export function createTokenRelay(options: TokenRelayOptions): AcmTokenRelay {
  const checked = checkDescription(options, ['enclaves', 'signTimeout'])
  const { enclaves, signTimeout = 10_000 } = options
  if (!Array.isArray(enclaves)) throw new TypeError('enclaves is an array')
  if (enclaves.length < 1 || enclaves.length > 16) throw new RangeError('enclaves has 1 to 16')
  if (!Number.isInteger(signTimeout) || signTimeout < 0 || signTimeout > 60_000) {
    throw new RangeError('signTimeout is an integer from 0 to 60000, in milliseconds')
  }
  const own = (enclaves as readonly EnclaveAddress[]).map(({ connect, pin }) => {
    if (typeof connect !== 'function') throw new TypeError('enclaves: connect is a function')
    if (typeof pin !== 'string') throw new TypeError('enclaves: pin is a string')
    return { connect, pin }
  })
  const store = new TokenStore(checked.labels, new Pin(checked.pin), checked.maxSessions)
  return new AcmTokenRelay(store, new TokenDoor(store, checked.maxConnections), own, signTimeout)
}
