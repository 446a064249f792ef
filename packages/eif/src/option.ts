/** @throws {TypeError} for an option that does not exist: a misspelt one would be a check left out. */
export function refuseUnknownKeys(options: object, known: readonly string[], name: string): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${name} must be an object`)
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw new TypeError(`${name}: unknown option ${JSON.stringify(key)}`)
  }
}
