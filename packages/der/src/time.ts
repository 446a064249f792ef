import { Tag, type DerReader } from './element.ts'
import { DerError } from './error.ts'

const DIGITS = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

/**
 * A certificate's Time in milliseconds since 1970 (RFC 5280 §4.1.2.5): UTCTime through 2049, GeneralizedTime from 2050
 * on, seconds present, no fraction, Z.
 */
export function readTime(reader: DerReader, what: string): number {
  const utc = reader.sees(Tag.UTC_TIME)
  const { contents, offset } = reader.read(utc ? Tag.UTC_TIME : Tag.GENERALIZED_TIME, what)
  let text = String.fromCharCode(...contents.subarray(0, 16))
  if (utc) text = (text < '50' ? '20' : '19') + text
  const match = contents.length === (utc ? 13 : 15) ? DIGITS.exec(text) : null
  if (match === null)
    throw new DerError(`${what}: a time that is not YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ`, offset)
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (!utc && year < 2050) throw new DerError(`${what}: GeneralizedTime before 2050`, offset)
  const time = Date.UTC(year, month - 1, day, hour, minute, second)
  // A month 13 or a 30 February rolls over; written back it would differ.
  const back = new Date(time).toISOString().replace(/[-:T]|\.000/g, '')
  if (back !== text) throw new DerError(`${what}: a date that does not exist`, offset)
  return time
}
