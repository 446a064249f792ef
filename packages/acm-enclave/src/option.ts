/** @throws {TypeError} for a name that a door does not take */
export function refuseUnknown(options: object, door: string, names: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${door} takes an object of options`)
  }
  for (const name of Object.keys(options)) {
    if (!names.has(name)) throw new TypeError(`${door} takes no option ${name}`)
  }
}

/** @throws {RangeError} naming the option */
export function readMilliseconds(name: string, value: number, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value
  throw new RangeError(`${name} must be ${least} to ${most} milliseconds`)
}
