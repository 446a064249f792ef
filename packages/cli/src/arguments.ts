import { parseArgs, type ParseArgsConfig } from 'node:util'
import { usage } from './error.ts'

/** Flags of a command, as node:util describes them. */
export type Flags = NonNullable<ParseArgsConfig['options']>

/** What was given: a boolean flag is true, a flag with a value is a string, a repeatable one a list. */
export interface Arguments {
  readonly positionals: readonly string[]
  has(flag: string): boolean
  value(flag: string): string | undefined
  values(flag: string): readonly string[]
}

/**
 * Reads a command's arguments, all of which must be known. A flag that may be given once and is given twice is refused:
 * of two nonces none should win silently.
 *
 * @throws {CliError} `ERR_CLI_USAGE`.
 */
export function parseArguments(args: readonly string[], flags: Flags): Arguments {
  const { values, positionals, tokens } = parse(args, flags)
  const seen = new Set<string>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    if (seen.has(token.name) && flags[token.name]?.multiple !== true) {
      throw usage(`--${token.name} is given twice`)
    }
    seen.add(token.name)
  }
  return {
    positionals,
    has: (flag) => values[flag] === true,
    value: (flag) => values[flag] as string | undefined,
    values: (flag) => (values[flag] as string[] | undefined) ?? [],
  }
}

function parse(args: readonly string[], options: Flags) {
  try {
    return parseArgs({
      args: [...args],
      options,
      strict: true,
      allowPositionals: true,
      tokens: true,
    })
  } catch (cause) {
    throw usage((cause as Error).message, { cause })
  }
}

/** The one file that a command works on. */
export function onlyPositional(given: Arguments, what: string): string {
  const [first, second] = given.positionals
  if (first === undefined) throw usage(`${what} is missing`)
  if (second !== undefined) throw usage(`one ${what} expected, ${given.positionals.length} given`)
  return first
}

/** The bytes of a flag in hex; undefined where it is not given. */
export function hexFlag(given: Arguments, flag: string): Uint8Array | undefined {
  const text = given.value(flag)
  return text === undefined ? undefined : readHex(text, `--${flag}`)
}

/** @throws {CliError} `ERR_CLI_USAGE` naming `what`; the text itself is not repeated. */
export function readHex(text: string, what: string): Uint8Array {
  const wrong = text.search(/[^0-9a-f]/i)
  if (wrong >= 0) throw usage(`${what}: hex digits expected, character ${wrong + 1} is none`)
  if (text === '') throw usage(`${what}: hex digits expected, none given`)
  if (text.length % 2 === 1) {
    throw usage(`${what}: an even number of hex digits expected, ${text.length} given`)
  }
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

/** The number of a flag, bounds included; undefined where it is not given. */
export function numberFlag(
  given: Arguments,
  flag: string,
  bounds: { readonly least: number; readonly most: number; readonly unit: string },
): number | undefined {
  const text = given.value(flag)
  if (text === undefined) return undefined
  const number = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (number >= bounds.least && number <= bounds.most) return number
  throw usage(
    `--${flag}: ${bounds.unit}, ${bounds.least} to ${bounds.most}, expected; ${JSON.stringify(text)} given`,
  )
}

const ISO_DATE =
  /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/

/** The date of a flag in ISO 8601; a time needs its zone, a day alone begins at midnight UTC. */
export function dateFlag(given: Arguments, flag: string): Date | undefined {
  const text = given.value(flag)
  if (text === undefined) return undefined
  const [, year, month, day] = ISO_DATE.exec(text) ?? []
  const date = new Date(year === undefined ? Number.NaN : text)
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  if (Number.isNaN(date.getTime()) || Number(day) > last) {
    throw usage(
      `--${flag}: an ISO date such as 2026-03-01T12:00:00Z (a time with its zone) expected; ${JSON.stringify(text)} given`,
    )
  }
  return date
}
