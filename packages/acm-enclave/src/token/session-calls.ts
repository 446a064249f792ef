import type { Answer } from './answer.ts'
import { CKF, CKR, CKS, CKU, CryptokiError } from './cryptoki.ts'
import { SLOT_ID } from './token-store.ts'

const STATES = [
  [CKS.RO_PUBLIC_SESSION, CKS.RO_USER_FUNCTIONS],
  [CKS.RW_PUBLIC_SESSION, CKS.RW_USER_FUNCTIONS],
] as const

/** Calls about sessions and the login. */
export const SESSION_CALLS: Readonly<Record<string, Answer>> = {
  OpenSession(client, args, answer) {
    const slot = args.u64()
    const flags = args.u64()
    args.end()
    client.checkSlot(slot)
    if ((flags & CKF.SERIAL_SESSION) === 0) {
      throw new CryptokiError(CKR.SESSION_PARALLEL_NOT_SUPPORTED)
    }
    answer.u64(client.openSession((flags & CKF.RW_SESSION) !== 0))
  },

  CloseSession(client, args) {
    const handle = args.u64()
    args.end()
    client.closeSession(handle)
  },

  CloseAllSessions(client, args) {
    const slot = args.u64()
    args.end()
    client.checkSlot(slot)
    client.closeAllSessions()
  },

  GetSessionInfo(client, args, answer) {
    const handle = args.u64()
    args.end()
    const { readWrite } = client.session(handle)
    const state = STATES[readWrite ? 1 : 0][client.loggedIn ? 1 : 0]
    const flags = CKF.SERIAL_SESSION | (readWrite ? CKF.RW_SESSION : 0)
    answer.u64(SLOT_ID).u64(state).u64(flags).u64(0)
  },

  Login(client, args) {
    const handle = args.u64()
    const user = args.u64()
    const pin = args.optionalBytes()
    args.end()
    client.session(handle)
    if (user !== CKU.USER) throw new CryptokiError(CKR.USER_TYPE_INVALID)
    if (client.loggedIn) throw new CryptokiError(CKR.USER_ALREADY_LOGGED_IN)
    client.store.pin.verify(pin ?? new Uint8Array(0))
    client.loggedIn = true
  },

  Logout(client, args) {
    const handle = args.u64()
    args.end()
    client.session(handle)
    if (!client.loggedIn) throw new CryptokiError(CKR.USER_NOT_LOGGED_IN)
    client.logout()
  },
}
