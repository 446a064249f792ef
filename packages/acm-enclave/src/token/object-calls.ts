import { writeNumbers, type Answer } from './answer.ts'
import { CKA, CKR, CK_UNAVAILABLE, CryptokiError } from './cryptoki.ts'
import {
  readAttributeBuffers,
  readAttributes,
  writeAttributes,
  type Attribute,
  type AttributeBuffer,
} from './rpc-attribute.ts'
import { attributeFor, isSensitive, matches, type TokenObject } from './token-object.ts'

/** Calls about objects. */
export const OBJECT_CALLS: Readonly<Record<string, Answer>> = {
  /** Nothing but a private key that another has replaced can be ended, and not before a login. */
  DestroyObject(client, args) {
    const session = args.u64()
    const handle = args.u64()
    args.end()
    client.session(session)
    const { destroy } = client.object(handle)
    if (destroy === undefined) throw new CryptokiError(CKR.ACTION_PROHIBITED)
    destroy()
  },

  GetObjectSize(client, args, answer) {
    const session = args.u64()
    const object = args.u64()
    args.end()
    client.session(session)
    client.object(object)
    answer.u64(CK_UNAVAILABLE)
  },

  GetAttributeValue(client, args, answer) {
    const session = args.u64()
    const handle = args.u64()
    const buffers = readAttributeBuffers(args)
    args.end()
    client.session(session)
    const object = client.object(handle)
    const { attributes, rv } = readValues(object, buffers)
    // Only a relay asks for it: p11-kit's clients do not know it.
    const told = attributes.some(({ type, value }) => type === CKA.DESTROYABLE && !!value)
    if (told) client.used.add(handle)
    writeAttributes(answer, attributes)
    answer.u64(rv)
  },

  FindObjectsInit(client, args) {
    const handle = args.u64()
    const template = readAttributes(args)
    args.end()
    const session = client.session(handle)
    if (session.find !== undefined) throw new CryptokiError(CKR.OPERATION_ACTIVE)
    session.find = [...client.store.objects()]
      .filter((object) => client.sees(object) && matches(object, template))
      .map((object) => object.handle)
  },

  FindObjects(client, args, answer) {
    const handle = args.u64()
    const room = args.u32()
    args.end()
    const { find } = client.session(handle)
    if (find === undefined) throw new CryptokiError(CKR.OPERATION_NOT_INITIALIZED)
    writeNumbers(answer, find.splice(0, room), room)
  },

  FindObjectsFinal(client, args) {
    const handle = args.u64()
    args.end()
    const session = client.session(handle)
    if (session.find === undefined) throw new CryptokiError(CKR.OPERATION_NOT_INITIALIZED)
    session.find = undefined
  },
}

/** What cannot be told travels inside the answer, not as a failed call. */
function readValues(
  object: TokenObject,
  buffers: readonly AttributeBuffer[],
): { attributes: readonly Attribute[]; rv: number } {
  let rv: number = CKR.OK
  const attributes = buffers.map(({ type, length }) => {
    const value = isSensitive(object, type) ? undefined : object.attributes.get(type)
    if (value === undefined) {
      rv = isSensitive(object, type) ? CKR.ATTRIBUTE_SENSITIVE : CKR.ATTRIBUTE_TYPE_INVALID
      return { type, value: undefined, length: -1 }
    }
    const { attribute, tooSmall } = attributeFor(type, value, length)
    if (tooSmall) rv = CKR.BUFFER_TOO_SMALL
    return attribute
  })
  return { attributes, rv }
}
