/**
 * An options object's own members and nothing inherited, in a copy.
 *
 * @throws {TypeError} for an option that does not exist: a misspelt one would be a check left out.
 */
export function ownOptions<T extends object>(given: T, known: readonly string[], what: string): T {
  if (typeof given !== 'object' || given === null) throw new TypeError(`${what} takes an object`)
  const own = Object.assign(Object.create(null) as T, given)
  for (const name of Object.keys(own)) {
    if (!known.includes(name))
      throw new TypeError(`${what}: unknown option ${JSON.stringify(name)}`)
  }
  return own
}

/** @throws {RangeError} naming the option. */
export function integerOption(
  name: string,
  value: number | undefined,
  fallback: number,
  least: number,
  most: number,
): number {
  const read = value ?? fallback
  if (Number.isInteger(read) && read >= least && read <= most) return read
  throw new RangeError(`${name} must be an integer from ${least} to ${most}`)
}

/** @throws {TypeError} naming the option. */
export function functionOption<T>(name: string, value: T | undefined): T | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new TypeError(`${name} must be a function`)
}
