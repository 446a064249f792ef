import { randomBytes } from 'node:crypto'
import { writeNumbers, type Answer } from './answer.ts'
import { MAX_CLIENT_SESSIONS } from './client.ts'
import { CKF, CKR, CK_UNAVAILABLE, CryptokiError } from './cryptoki.ts'
import { MECHANISM_TYPES, mechanismInfo } from './mechanism.ts'
import { NULL_LENGTH } from './rpc-reader.ts'
import { SLOT_ID } from './token-store.ts'

const HANDSHAKE = new TextEncoder().encode('PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1')
/** Bytes that one C_GenerateRandom gives at most. */
const MAX_RANDOM = 32_768

/** Calls about the module, the slot and its token. */
export const SLOT_CALLS: Readonly<Record<string, Answer>> = {
  Initialize(client, args) {
    const handshake = args.optionalBytes()
    args.u8()
    args.optionalBytes()
    args.end()
    if (handshake === undefined || Buffer.compare(handshake, HANDSHAKE) !== 0) {
      throw new CryptokiError(CKR.GENERAL_ERROR)
    }
    if (client.initialized) throw new CryptokiError(CKR.CRYPTOKI_ALREADY_INITIALIZED)
    client.initialized = true
  },

  Finalize(client, args) {
    args.end()
    client.closeAllSessions()
    client.initialized = false
  },

  GetInfo(client, args, answer) {
    args.end()
    answer.version(2, 40).fixedText(client.store.labels.manufacturer, 32).u64(0)
    answer.fixedText('enclavejs ACM token', 32).version(0, 1)
  },

  GetSlotList(_client, args, answer) {
    args.u8()
    const room = args.u32()
    args.end()
    writeNumbers(answer, [SLOT_ID], room)
  },

  GetSlotInfo(client, args, answer) {
    const slot = args.u64()
    args.end()
    client.checkSlot(slot)
    const { manufacturer, label } = client.store.labels
    answer.fixedText(label, 64).fixedText(manufacturer, 32).u64(CKF.TOKEN_PRESENT)
    answer.version(0, 1).version(0, 1)
  },

  GetTokenInfo(client, args, answer) {
    const slot = args.u64()
    args.end()
    client.checkSlot(slot)
    const { labels, sessions, maxSessions, pin } = client.store
    // Of one application, as PKCS #11 counts them.
    const most = Math.min(maxSessions, MAX_CLIENT_SESSIONS)
    answer.fixedText(labels.label, 32).fixedText(labels.manufacturer, 32)
    answer.fixedText(labels.model, 16).fixedText(labels.serialNumber, 16)
    answer.u64(tokenFlags(pin.attemptsLeft)).u64(most).u64(sessions).u64(most).u64(CK_UNAVAILABLE)
    answer.u64(64).u64(4)
    for (let memory = 0; memory < 4; memory++) answer.u64(CK_UNAVAILABLE)
    answer.version(0, 1).version(0, 1).fixedText('', 16)
  },

  GetMechanismList(client, args, answer) {
    const slot = args.u64()
    const room = args.u32()
    args.end()
    client.checkSlot(slot)
    writeNumbers(answer, MECHANISM_TYPES, room)
  },

  GetMechanismInfo(client, args, answer) {
    const slot = args.u64()
    const type = args.u64()
    args.end()
    client.checkSlot(slot)
    const { minKeySize, maxKeySize, flags } = mechanismInfo(type)
    answer.u64(minKeySize).u64(maxKeySize).u64(flags)
  },

  SeedRandom(client, args) {
    client.session(args.u64())
    throw new CryptokiError(CKR.RANDOM_SEED_NOT_SUPPORTED)
  },

  GenerateRandom(client, args, answer) {
    const session = args.u64()
    const length = args.u32()
    args.end()
    client.session(session)
    // An empty buffer is written either way.
    if (length === 0 || length === NULL_LENGTH) answer.present(new Uint8Array(0))
    else if (length > MAX_RANDOM) throw new CryptokiError(CKR.ARGUMENTS_BAD)
    else answer.present(randomBytes(length))
  },
}

function tokenFlags(attemptsLeft: number): number {
  const fixed = CKF.RNG | CKF.WRITE_PROTECTED | CKF.LOGIN_REQUIRED | CKF.USER_PIN_INITIALIZED
  const pin =
    attemptsLeft === 0 ? CKF.USER_PIN_LOCKED : attemptsLeft === 1 ? CKF.USER_PIN_FINAL_TRY : 0
  return fixed | CKF.TOKEN_INITIALIZED | pin
}
