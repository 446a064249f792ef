import type { Answer } from './answer.ts'
import type { Client } from './client.ts'
import { CKR, CryptokiError } from './cryptoki.ts'
import { signPlan } from './mechanism.ts'
import { readMechanism } from './rpc-mechanism.ts'
import { NULL_LENGTH, type RpcReader } from './rpc-reader.ts'
import type { RpcWriter } from './rpc-writer.ts'
import { SignOperation } from './sign-operation.ts'
import type { TokenObject } from './token-object.ts'

/** Bytes of the key's handle, which follows the mechanism. */
const HANDLE_BYTES = 8

/** Calls that sign. */
export const SIGN_CALLS: Readonly<Record<string, Answer>> = {
  SignInit(client, args) {
    const handle = args.u64()
    const mechanism = readMechanism(args, client.encoding, HANDLE_BYTES)
    const session = client.session(handle)
    if (mechanism === undefined) throw new CryptokiError(CKR.MECHANISM_INVALID)
    const keyHandle = args.u64()
    args.end()
    if (session.sign !== undefined) throw new CryptokiError(CKR.OPERATION_ACTIVE)
    const { key } = signer(client, keyHandle)
    if (key === undefined) throw new CryptokiError(CKR.KEY_FUNCTION_NOT_PERMITTED)
    session.sign = new SignOperation(key, signPlan(mechanism, key))
    client.used.add(keyHandle)
  },

  async Sign(client, args, answer) {
    const handle = args.u64()
    const data = args.optionalBytes() ?? new Uint8Array(0)
    const room = args.u32()
    args.end()
    const session = client.session(handle)
    const operation = active(client, handle)
    if (operation.multiPart) {
      session.sign = undefined
      throw new CryptokiError(CKR.OPERATION_ACTIVE)
    }
    if (noRoom(operation, room, answer)) return
    session.sign = undefined
    answer.present(await operation.sign(data))
  },

  SignUpdate(client, args) {
    const { handle, data } = updateArguments(args)
    const operation = active(client, handle)
    try {
      operation.update(data)
    } catch (error) {
      client.session(handle).sign = undefined
      throw error
    }
  },

  async SignFinal(client, args, answer) {
    const handle = args.u64()
    const room = args.u32()
    args.end()
    const operation = active(client, handle)
    if (noRoom(operation, room, answer)) return
    client.session(handle).sign = undefined
    answer.present(await operation.finish())
  },
}

function updateArguments(args: RpcReader): { handle: number; data: Uint8Array } {
  const handle = args.u64()
  const data = args.optionalBytes() ?? new Uint8Array(0)
  args.end()
  return { handle, data }
}

function signer(client: Client, handle: number): TokenObject {
  if (!client.loggedIn) throw new CryptokiError(CKR.USER_NOT_LOGGED_IN)
  const object = client.store.get(handle)
  if (object === undefined) throw new CryptokiError(CKR.KEY_HANDLE_INVALID)
  return object
}

function active(client: Client, handle: number): SignOperation {
  const { sign } = client.session(handle)
  if (sign === undefined) throw new CryptokiError(CKR.OPERATION_NOT_INITIALIZED)
  return sign
}

/** Answers a question for the length; the operation stays. */
function noRoom(operation: SignOperation, room: number, answer: RpcWriter): boolean {
  if (room >= operation.signatureLength && room !== NULL_LENGTH) return false
  answer.absent(operation.signatureLength)
  return true
}
