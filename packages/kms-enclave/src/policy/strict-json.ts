import { KeyPolicyError } from './key-policy-error.ts'
import { refuseSize } from './size.ts'

/** A JSON value; objects are maps, so that no key is special. */
export type Json = null | boolean | number | string | readonly Json[] | ReadonlyMap<string, Json>

const MAX_DEPTH = 8

const SPACE = /[ \t\n\r]*/y
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y

/**
 * Reads the JSON of a key policy (RFC 8259), and refuses what `JSON.parse` hides: a key that stands twice in an object.
 *
 * @throws {KeyPolicyError} `ERR_KMS_POLICY_SIZE`, `ERR_KMS_POLICY_JSON`, `ERR_KMS_POLICY_DUPLICATE_KEY`.
 */
export function parseStrictJson(text: string): Json {
  refuseSize(text)
  return new Reader(text).readAll()
}

class Reader {
  readonly #text: string
  #offset = 0

  constructor(text: string) {
    this.#text = text
  }

  readAll(): Json {
    const value = this.#value(0)
    if (this.#offset < this.#text.length) throw this.#refused('text after the end')
    return value
  }

  #value(depth: number): Json {
    if (depth > MAX_DEPTH) throw this.#refused(`nested deeper than ${MAX_DEPTH}`)
    this.#take(SPACE)
    const value = this.#bare(depth)
    this.#take(SPACE)
    return value
  }

  #bare(depth: number): Json {
    if (this.#skip('{')) return this.#object(depth)
    if (this.#skip('[')) return this.#array(depth)
    const scalar = this.#take(STRING) ?? this.#take(SCALAR)
    if (scalar === undefined) throw this.#refused('a value expected')
    return JSON.parse(scalar) as string | number | boolean | null
  }

  #array(depth: number): readonly Json[] {
    const items: Json[] = []
    this.#take(SPACE)
    if (this.#skip(']')) return items
    do items.push(this.#value(depth + 1))
    while (this.#skip(','))
    if (!this.#skip(']')) throw this.#refused(', or ] expected')
    return items
  }

  #object(depth: number): ReadonlyMap<string, Json> {
    const members = new Map<string, Json>()
    this.#take(SPACE)
    if (this.#skip('}')) return members
    do {
      this.#take(SPACE)
      const at = this.#offset
      const raw = this.#take(STRING)
      if (raw === undefined) throw this.#refused('a key in quotes expected')
      const key = JSON.parse(raw) as string
      if (members.has(key)) {
        throw new KeyPolicyError(
          'ERR_KMS_POLICY_DUPLICATE_KEY',
          `the key policy names ${JSON.stringify(key)} twice in one object, at character ${at}`,
        )
      }
      this.#take(SPACE)
      if (!this.#skip(':')) throw this.#refused(': expected')
      members.set(key, this.#value(depth + 1))
    } while (this.#skip(','))
    if (!this.#skip('}')) throw this.#refused(', or } expected')
    return members
  }

  #skip(character: string): boolean {
    if (this.#text[this.#offset] !== character) return false
    this.#offset++
    return true
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset
    const match = pattern.exec(this.#text)?.[0]
    if (match !== undefined) this.#offset += match.length
    return match
  }

  #refused(why: string): KeyPolicyError {
    return new KeyPolicyError(
      'ERR_KMS_POLICY_JSON',
      `the key policy is not strict JSON: ${why}, at character ${this.#offset}`,
    )
  }
}
