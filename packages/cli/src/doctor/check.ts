/** One line of `enclavejs doctor`. */
export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  /** What was found. */
  readonly found: string
  /** What to do; undefined where nothing is to be done. */
  readonly fix?: string
}

export function ok(name: string, found: string): Check {
  return { name, status: 'ok', found }
}

export function warn(name: string, found: string, fix: string): Check {
  return { name, status: 'warn', found, fix }
}

export function fail(name: string, found: string, fix: string): Check {
  return { name, status: 'fail', found, fix }
}
