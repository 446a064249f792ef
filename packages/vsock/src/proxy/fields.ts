import { VsockError } from '../error.ts'

/** A configuration that does not hold what it should: says where, what was expected and what was seen. */
export function configError(where: string, expected: string, seen?: unknown): VsockError {
  const saw = seen === undefined ? '' : `; ${describe(seen)} given`
  return new VsockError('ERR_VSOCK_PROXY_CONFIG', `${where}: ${expected} expected${saw}`)
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value === 'object' ? 'a map' : `a ${typeof value}`
}

/** What was read, without a prototype: where an option was left out, a polluted prototype would have one. */
export function bare<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  return Object.assign(Object.create(null) as T & object, value)
}

/** Reads a map of which every key must be known: what is misspelt is refused, not ignored. */
export class Fields {
  readonly where: string
  readonly #values: Readonly<Record<string, unknown>>

  constructor(value: unknown, where: string, known: readonly string[]) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw configError(where, 'a map', value ?? null)
    }
    this.where = where
    this.#values = value as Record<string, unknown>
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) {
        throw configError(`${where}.${key.slice(0, 80)}`, `one of ${known.join(', ')}`, key)
      }
    }
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined
  }

  /** An integer within bounds; undefined where it is absent. */
  optionalInteger(key: string, least: number, most: number): number | undefined {
    const value = this.#get(key)
    if (value === undefined) return undefined
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number
    }
    throw configError(`${this.where}.${key}`, `an integer of ${least} to ${most}`, value)
  }

  integer(key: string, least: number, most: number): number {
    const value = this.optionalInteger(key, least, most)
    if (value === undefined) throw configError(`${this.where}.${key}`, 'an integer')
    return value
  }

  optionalString(key: string): string | undefined {
    const value = this.#get(key)
    if (value === undefined || typeof value === 'string') return value
    throw configError(`${this.where}.${key}`, 'a string', value)
  }

  string(key: string): string {
    const value = this.optionalString(key)
    if (value === undefined || value === '') throw configError(`${this.where}.${key}`, 'a string')
    return value
  }

  boolean(key: string): boolean {
    const value = this.#get(key)
    if (value === undefined || typeof value === 'boolean') return value === true
    throw configError(`${this.where}.${key}`, 'true or false', value)
  }

  /** A list, of which each item is read with its place; an empty one where it is absent. */
  list<T>(key: string, read: (item: unknown, where: string) => T): T[] {
    const value = this.#get(key)
    if (value === undefined) return []
    if (!Array.isArray(value)) throw configError(`${this.where}.${key}`, 'a list', value)
    // Array.from also comes to the places that nothing was put in.
    return Array.from(value, (item: unknown, index) =>
      bare(read(item, `${this.where}.${key}[${index}]`)),
    )
  }

  map<T>(key: string, read: (item: unknown, where: string) => T): T | undefined {
    const value = this.#get(key)
    return value === undefined ? undefined : bare(read(value, `${this.where}.${key}`))
  }

  #get(key: string): unknown {
    return Object.hasOwn(this.#values, key) ? this.#values[key] : undefined
  }
}
