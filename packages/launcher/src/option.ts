/**
 * A copy of the options that the caller gave, without what they inherit.
 *
 * @throws {TypeError} for no object, and for a name that `known` does not have.
 */
export function ownOptions<T extends object>(
  options: T,
  known: readonly string[],
  what: string,
): T {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${what} takes an object of options`)
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`${name} is not an option of ${what}`)
  }
  return Object.assign(Object.create(null) as T, options)
}

/** @throws {RangeError} for anything but an integer within bounds. */
export function integerOption(name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
    return value as number
  }
  throw new RangeError(`${name}: expected an integer of ${least} to ${most}, got ${String(value)}`)
}

/** What an enclave is called: it names a folder and is printed. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/

/** @throws {TypeError} */
export function nameOption(name: unknown): string {
  if (typeof name === 'string' && NAME.test(name)) return name
  throw new TypeError(
    'name: expected 1 to 32 letters, digits, ".", "_" and "-", a letter or digit first',
  )
}
