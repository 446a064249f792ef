import { Tag, type DerElement, type DerReader } from './element.ts'
import { DerError } from './error.ts'

const Z = 0x5a

/**
 * A certificate's Time in milliseconds since 1970 (RFC 5280 §4.1.2.5): UTCTime through 2049, GeneralizedTime from 2050
 * on, seconds present, no fraction, Z.
 */
export function readTime(reader: DerReader): number {
  const utc = reader.sees(Tag.UTC_TIME)
  const time = reader.read(utc ? Tag.UTC_TIME : Tag.GENERALIZED_TIME)
  const length = utc ? 13 : 15
  if (time.length !== length || time.octet(length - 1) !== Z) {
    throw new DerError('Not [YY]YYMMDDHHMMSSZ', time.offset)
  }
  const short = twoDigits(time, 0)
  const year = utc ? short + (short < 50 ? 2000 : 1900) : 100 * short + twoDigits(time, 2)
  if (!utc && year < 2050) throw new DerError('GeneralizedTime before 2050', time.offset)
  const from = length - 11
  const month = twoDigits(time, from)
  const day = twoDigits(time, from + 2)
  const hour = twoDigits(time, from + 4)
  const minute = twoDigits(time, from + 6)
  const second = twoDigits(time, from + 8)
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const date = month > 0 && month < 13 && day > 0 && day <= days
  if (!date || hour > 23 || minute > 59 || second > 59) {
    throw new DerError('No such date', time.offset)
  }
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

function twoDigits(time: DerElement, index: number): number {
  const tens = time.octet(index) - 0x30
  const ones = time.octet(index + 1) - 0x30
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) {
    throw new DerError('Not [YY]YYMMDDHHMMSSZ', time.offset)
  }
  return 10 * tens + ones
}
