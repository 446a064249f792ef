/**
 * A copy of the options that the caller gave, without what they inherit, so that a polluted prototype adds none.
 *
 * @throws {TypeError} for no object, and for a name that `known` does not have.
 */
export function ownOptions<T extends object>(
  options: T,
  known: ReadonlySet<string>,
  what: string,
): T {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${what} takes an object of options`)
  }
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw new TypeError(`${name} is not an option of ${what}`)
  }
  return Object.assign(Object.create(null) as T, options)
}

/** @throws {TypeError} for what is no path of a file. */
export function pathOption(path: unknown): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  throw new TypeError('path: expected the path of a Unix socket')
}
