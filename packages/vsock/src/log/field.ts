import { NAME, type LogValue } from './entry.ts'

/**
 * What a field may hold. There is no free text: a message, a name or an error's text would carry what the author did not
 * think of. A value of another type or outside of the bounds is dropped as a whole and not cut, since the beginning of a
 * secret is one too.
 */
export type LogField =
  /** A whole number of `min` to `max`. */
  | { readonly type: 'integer'; readonly min: number; readonly max: number }
  /** A finite number of `min` to `max`. */
  | { readonly type: 'number'; readonly min: number; readonly max: number }
  | { readonly type: 'boolean' }
  /** One of these words: 1 to 256 of them, each at most 64 printable ASCII characters. */
  | { readonly type: 'enum'; readonly values: readonly string[] }
  /**
   * 1 to `maxLength` (at most 128) characters: `hex` digits in lower case, or the letters, digits, `.`, `_`, `:`, `/` and
   * `-` of a `token`. Whoever can choose the text can make the parent read it.
   */
  | { readonly type: 'hex' | 'token'; readonly maxLength: number }

/** Whether a value may leave. */
export type FieldCheck = (value: unknown) => value is LogValue

const MOST = 64
const ALPHABETS = { hex: /^[0-9a-f]+$/, token: /^[A-Za-z0-9._:/-]+$/ }

/** @throws {TypeError | RangeError} naming the field that is not declared as described. */
export function readFields(
  fields: Readonly<Record<string, LogField>>,
): ReadonlyMap<string, FieldCheck> {
  if (typeof fields !== 'object' || fields === null) throw new TypeError('fields: expected a map')
  const entries = Object.entries(fields)
  if (entries.length > MOST)
    throw new RangeError(`fields: at most ${MOST}, ${entries.length} given`)
  return new Map(
    entries.map(([name, field]) => {
      readName(name, 'fields')
      return [name, fieldCheck(field, `fields.${name}`)]
    }),
  )
}

/** @throws {TypeError} for a name that is not of the form. */
export function readName(name: unknown, where: string): string {
  if (typeof name === 'string' && NAME.test(name)) return name
  throw new TypeError(
    `${where}: expected names of a small letter and at most 47 letters, digits, ".", "_" and "-"`,
  )
}

function fieldCheck(field: LogField, where: string): FieldCheck {
  switch (field?.type) {
    case 'boolean':
      return (value): value is boolean => typeof value === 'boolean'
    case 'integer':
    case 'number': {
      const { type, min, max } = field
      if (!Number.isFinite(min) || !Number.isFinite(max) || min > max) {
        throw new RangeError(`${where}: expected min and max, finite numbers in this order`)
      }
      return (value): value is number =>
        (type === 'number' || Number.isInteger(value)) &&
        typeof value === 'number' &&
        value >= min &&
        value <= max
    }
    case 'enum': {
      const words = new Set(field.values)
      if (words.size < 1 || words.size > 256 || ![...words].every(isWord)) {
        throw new TypeError(
          `${where}.values: expected 1 to 256 words of printable ASCII, to 64 each`,
        )
      }
      return (value): value is string => typeof value === 'string' && words.has(value)
    }
    case 'hex':
    case 'token': {
      const { type, maxLength } = field
      if (!Number.isInteger(maxLength) || maxLength < 1 || maxLength > 128) {
        throw new RangeError(`${where}.maxLength: expected 1 to 128, got ${String(maxLength)}`)
      }
      return (value): value is string =>
        typeof value === 'string' && value.length <= maxLength && ALPHABETS[type].test(value)
    }
    default:
      throw new TypeError(`${where}.type: expected integer, number, boolean, enum, hex or token`)
  }
}

function isWord(word: unknown): boolean {
  return typeof word === 'string' && /^[ -~]{1,64}$/.test(word)
}
