/**
 * Options, each read once: what is checked is what is used.
 *
 * @throws {TypeError} for an option that does not exist: a misspelt one would be a check left out. And for one that is
 *   inherited: an option that weakens a check is written out where the call is, and not found on a prototype.
 */
export function readOptions<T extends object>(
  options: T,
  known: readonly (keyof T & string)[],
  name: string,
): T {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${name} must be an object`)
  const own = { ...options }
  const refuse = (key: string): never => {
    throw new TypeError(`${name}: unknown or inherited option ${JSON.stringify(key)}`)
  }
  for (const key in options) if (!known.includes(key)) refuse(key)
  for (const key of known) if (key in options && !Object.hasOwn(own, key)) refuse(key)
  return own
}

/** @throws {TypeError} when it is given and no boolean. */
export function readFlag(value: unknown, name: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false
  throw new TypeError(`${name} must be true or false`)
}

/** Milliseconds of an option in seconds. @throws {TypeError | RangeError} naming it. */
export function readSeconds(value: number, name: string, least: number, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number of seconds`)
  if (value >= least && value <= most) return 1000 * value
  throw new RangeError(`${name} must be ${least} to ${most} seconds`)
}
