import type { DerReader } from './element.ts'
import { DerError } from './error.ts'
import { GENERALIZED_TIME, UTC_TIME } from './tag.ts'

const Z = 0x5a
const FORM = 'Not [YY]YYMMDDHHMMSSZ'

/**
 * A certificate's Time in milliseconds since 1970 (RFC 5280 §4.1.2.5): UTCTime through 2049, GeneralizedTime from 2050
 * on, seconds present, no fraction, Z.
 */
export function readTime(reader: DerReader): number {
  const { source, offset } = reader
  const utc = reader.sees(UTC_TIME)
  const start = reader.pass(utc ? UTC_TIME : GENERALIZED_TIME)
  const from = reader.offset - 11
  if (reader.offset - start !== (utc ? 13 : 15) || source[reader.offset - 1] !== Z) {
    throw new DerError(FORM, offset)
  }
  const short = twoDigits(source, start)
  const year = utc ? short + (short < 50 ? 2000 : 1900) : 100 * short + twoDigits(source, start + 2)
  if (!utc && year < 2050) throw new DerError('GeneralizedTime before 2050', offset)
  const month = twoDigits(source, from)
  const day = twoDigits(source, from + 2)
  const hour = twoDigits(source, from + 4)
  const minute = twoDigits(source, from + 6)
  const second = twoDigits(source, from + 8)
  const date = month > 0 && month < 13 && day > 0 && day <= daysOf(month, year)
  if (!date || hour > 23 || minute > 59 || second > 59) throw new DerError('No such date', offset)
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

function daysOf(month: number, year: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 > 0 || year % 400 === 0) ? 29 : 28
  // 31 in the odd months until July, and in the even ones from August.
  return 30 + ((month + (month >> 3)) & 1)
}

function twoDigits(source: Uint8Array, at: number): number {
  const tens = (source[at] as number) - 0x30
  const ones = (source[at + 1] as number) - 0x30
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw new DerError(FORM, at)
  return 10 * tens + ones
}
