import { CKR, CryptokiError } from './cryptoki.ts'
import type { MechanismEncoding } from './rpc-mechanism.ts'
import type { SignOperation } from './sign-operation.ts'
import { isPrivate, type TokenObject } from './token-object.ts'
import { SLOT_ID, type TokenStore } from './token-store.ts'

/** One session of a client. */
export interface Session {
  readonly handle: number
  /** Asked for as read-write, as some clients do without writing; nothing can be written in it either. */
  readonly readWrite: boolean
  /** Handles that C_FindObjects has not told yet. */
  find: number[] | undefined
  sign: SignOperation | undefined
}

/** Sessions of one client before its login: stock clients open 3 at most, of one thread. */
export const MAX_STRANGER_SESSIONS = 16
/** After it: one for each thread that signs, as OpenSSL's provider has them; a thread of Apache's that finds none waits. */
export const MAX_CLIENT_SESSIONS = 128

/** What one connection is to the token: in PKCS #11's words an application, with its login and its sessions. */
export class Client {
  readonly store: TokenStore
  readonly encoding: MechanismEncoding
  readonly #sessions = new Map<number, Session>()
  initialized = false
  loggedIn = false
  /** Keys that it has begun to sign with, or of which it was told that they are retired: it says when it needs them no more. */
  readonly used: Set<number> = new Set()

  constructor(store: TokenStore, encoding: MechanismEncoding) {
    this.store = store
    this.encoding = encoding
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  checkSlot(slot: number): void {
    if (slot !== SLOT_ID) throw new CryptokiError(CKR.SLOT_ID_INVALID)
  }

  /** @throws {CryptokiError} CKR_SESSION_COUNT: one client does not take the sessions of all */
  openSession(readWrite: boolean): number {
    const most = this.loggedIn ? MAX_CLIENT_SESSIONS : MAX_STRANGER_SESSIONS
    if (this.#sessions.size >= most) throw new CryptokiError(CKR.SESSION_COUNT)
    const handle = this.store.openSession(this.#sessions.size === 0)
    this.#sessions.set(handle, { handle, readWrite, find: undefined, sign: undefined })
    return handle
  }

  session(handle: number): Session {
    const session = this.#sessions.get(handle)
    if (session === undefined) throw new CryptokiError(CKR.SESSION_HANDLE_INVALID)
    return session
  }

  /** The login ends with the last session. */
  closeSession(handle: number): void {
    this.session(handle)
    this.#sessions.delete(handle)
    this.store.closeSession()
    if (this.#sessions.size === 0) this.loggedIn = false
  }

  closeAllSessions(): void {
    for (const handle of this.#sessions.keys()) this.closeSession(handle)
  }

  /** C_Logout: whatever needed the login ends. */
  logout(): void {
    this.loggedIn = false
    for (const session of this.#sessions.values()) {
      session.find = undefined
      session.sign = undefined
    }
  }

  sees(object: TokenObject): boolean {
    return this.loggedIn || !isPrivate(object)
  }

  /** An object that this client may see. */
  object(handle: number): TokenObject {
    const object = this.store.get(handle)
    if (object === undefined || !this.sees(object)) {
      throw new CryptokiError(CKR.OBJECT_HANDLE_INVALID)
    }
    return object
  }
}
