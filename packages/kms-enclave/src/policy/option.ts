import { ownMembers } from '../own-members.ts'

/**
 * Refuses an option that does not exist: a misspelt one would be a check left out.
 *
 * @returns a copy of what was given, nothing inherited: what to read from then on
 * @throws {TypeError} naming the option
 */
export function refuseUnknownKeys<T extends object>(
  options: T,
  known: readonly string[],
  name: string,
): T {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${name} must be an object`)
  }
  const own = ownMembers(options)
  for (const key of Object.keys(own)) {
    if (!known.includes(key)) throw new TypeError(`${name}: unknown option ${JSON.stringify(key)}`)
  }
  return own
}

/** @throws {TypeError} when it is given and no boolean. */
export function readFlag(value: unknown, name: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false
  throw new TypeError(`${name} must be true or false`)
}

/** @throws {TypeError} when it is left out: neither answer is harmless. */
export function readChoice(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw new TypeError(`${name} must be said: true or false`)
}
