/**
 * @throws {TypeError} for an option that does not exist: a misspelt one would be a check left out. And for one that is
 *   inherited: an option that weakens a check is written out where the call is, and not found on a prototype.
 */
export function refuseUnknownKeys(options: object, known: readonly string[], name: string): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${name} must be an object`)
  for (const key in options) {
    if (known.includes(key) === Object.hasOwn(options, key)) continue
    throw new TypeError(`${name}: unknown or inherited option ${JSON.stringify(key)}`)
  }
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
