import { randomInt } from 'node:crypto'
import { CKA, CKR, CryptokiError } from './cryptoki.ts'
import type { Pin } from './pin.ts'
import type { ObjectTemplate, TokenObject } from './token-object.ts'

/** Sessions of one token, all connections together. */
const MAX_SESSIONS = 1024
/** The only slot: there are no empty ones, of which clients would ask each. */
export const SLOT_ID = 1

/** How a token describes itself. */
export interface TokenLabels {
  readonly label: string
  readonly manufacturer: string
  readonly model: string
  readonly serialNumber: string
}

/** What the connections of one token have in common. */
export class TokenStore {
  readonly labels: TokenLabels
  readonly pin: Pin
  readonly #objects = new Map<number, TokenObject>()
  /** Asked for room when all sessions are taken: has a client that did not log in give its own back. False when there is none. */
  relieve: () => boolean = () => false
  readonly #maxSessions: number
  // Two tokens rarely share a handle: a client of the one, come to the other, finds nothing by it.
  #nextHandle = randomInt(1, 2 ** 40)
  #sessions = 0

  constructor(labels: TokenLabels, pin: Pin, maxSessions: number = MAX_SESSIONS) {
    this.labels = labels
    this.pin = pin
    this.#maxSessions = maxSessions
  }

  get sessions(): number {
    return this.#sessions
  }

  get maxSessions(): number {
    return this.#maxSessions
  }

  /** A handle for an object or a session; none is given twice. */
  #handle(): number {
    return this.#nextHandle++
  }

  /** @returns the handles, in the order of the objects */
  add(objects: readonly ObjectTemplate[]): readonly number[] {
    return objects.map((object) => {
      const handle = this.#handle()
      this.#objects.set(handle, { ...object, handle })
      return handle
    })
  }

  /** Lets clients end an object (C_DestroyObject), and tells them so (CKA_DESTROYABLE). */
  allowDestroy(handle: number, destroy: () => void): void {
    const object = this.#objects.get(handle)
    if (object === undefined) return
    // A boolean, which p11-kit writes as bytes: it does not know this attribute.
    const attributes = new Map(object.attributes).set(CKA.DESTROYABLE, Uint8Array.of(1))
    this.#objects.set(handle, { ...object, attributes, destroy })
  }

  /** Undoes {@link TokenStore.allowDestroy}. */
  forbidDestroy(handle: number): void {
    const object = this.#objects.get(handle)
    if (object === undefined) return
    const attributes = new Map(object.attributes)
    attributes.delete(CKA.DESTROYABLE)
    this.#objects.set(handle, { ...object, attributes, destroy: undefined })
  }

  remove(handles: readonly number[]): void {
    for (const handle of handles) this.#objects.delete(handle)
  }

  get(handle: number): TokenObject | undefined {
    return this.#objects.get(handle)
  }

  objects(): Iterable<TokenObject> {
    return this.#objects.values()
  }

  /**
   * @param first whether it is the client's only one, without which it cannot log in: strangers do not keep it out
   * @throws {CryptokiError} CKR_SESSION_COUNT
   */
  openSession(first: boolean): number {
    if (this.#sessions >= this.#maxSessions && !(first && this.relieve())) {
      throw new CryptokiError(CKR.SESSION_COUNT)
    }
    this.#sessions++
    return this.#handle()
  }

  closeSession(): void {
    this.#sessions--
  }
}
