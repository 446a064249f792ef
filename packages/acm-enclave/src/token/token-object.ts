import { CKA, CKK, CKO, CK_UNAVAILABLE } from './cryptoki.ts'
import { attributeKind, valueLength, type Attribute, type AttributeValue } from './rpc-attribute.ts'
import type { SigningKey } from './signing-key.ts'

/** An object of a token, without a handle yet. */
export interface ObjectTemplate {
  readonly attributes: ReadonlyMap<number, AttributeValue>
  /** Signs; of a private key. */
  readonly key?: SigningKey | undefined
}

/** An object of a token. */
export interface TokenObject extends ObjectTemplate {
  /** Never given to another object, in this token's life. */
  readonly handle: number
  /** Of a private key that another has replaced: ends it, as C_DestroyObject asks. */
  readonly destroy?: (() => void) | undefined
}

/** Attributes of private keys that exist and are never told. */
const SENSITIVE: Readonly<Record<number, readonly number[]>> = {
  [CKK.RSA]: [
    ...[CKA.PRIVATE_EXPONENT, CKA.PRIME_1, CKA.PRIME_2, CKA.EXPONENT_1, CKA.EXPONENT_2],
    CKA.COEFFICIENT,
  ],
  [CKK.EC]: [CKA.VALUE],
}

/** Whether only somebody logged in sees it. */
export function isPrivate(object: ObjectTemplate): boolean {
  return object.attributes.get(CKA.PRIVATE) !== 0
}

/** Whether a client that no longer needs a private key may end it. */
export function isDestroyable(object: ObjectTemplate): boolean {
  const value = object.attributes.get(CKA.DESTROYABLE)
  return value instanceof Uint8Array && value[0] === 1
}

/** Whether an attribute is a secret of a private key. The token has no value for it; what it says is that it has one. */
export function isSensitive(object: ObjectTemplate, type: number): boolean {
  if (object.attributes.get(CKA.CLASS) !== CKO.PRIVATE_KEY) return false
  return SENSITIVE[object.attributes.get(CKA.KEY_TYPE) as number]?.includes(type) === true
}

/** Whether an object has every attribute of a template, with that value. */
export function matches(object: ObjectTemplate, template: readonly Attribute[]): boolean {
  return template.every(({ type, value }) => {
    const own = object.attributes.get(type)
    return own !== undefined && value !== undefined && same(own, value)
  })
}

function same(left: AttributeValue, right: AttributeValue): boolean {
  if (typeof left === 'number') return left !== CK_UNAVAILABLE && left === right
  if (left instanceof Uint8Array) {
    return right instanceof Uint8Array && Buffer.compare(left, right) === 0
  }
  return false
}

/** One attribute as C_GetAttributeValue answers it, for a buffer of `length` bytes. */
export function attributeFor(
  type: number,
  value: AttributeValue,
  length: number,
): { attribute: Attribute; tooSmall: boolean } {
  const needed = valueLength(value, attributeKind(type))
  if (length === 0)
    return { attribute: { type, value: undefined, length: needed }, tooSmall: false }
  if (length < needed) return { attribute: { type, value: undefined, length: -1 }, tooSmall: true }
  return { attribute: { type, value, length: needed }, tooSmall: false }
}
