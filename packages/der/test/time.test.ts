import { describe, expect, test } from 'vitest'
import { DerReader } from '../src/index.ts'
import { readTime } from '../src/time.ts'
import { ascii, element } from './certificate-bytes.ts'
import { refusal } from './refusal.ts'

const utc = (text: string): DerReader => new DerReader(element(0x17, ascii(text)))
const generalized = (text: string): DerReader => new DerReader(element(0x18, ascii(text)))

describe('readTime accepts', () => {
  test.each([
    ['191028132805Z', '2019-10-28T13:28:05.000Z'],
    ['491231235959Z', '2049-12-31T23:59:59.000Z'],
    ['500101000000Z', '1950-01-01T00:00:00.000Z'],
    ['700101000000Z', '1970-01-01T00:00:00.000Z'],
    ['240229000000Z', '2024-02-29T00:00:00.000Z'],
    ['000229000000Z', '2000-02-29T00:00:00.000Z'],
  ])('UTCTime %s', (text, iso) => {
    expect(new Date(readTime(utc(text))).toISOString()).toBe(iso)
  })
  test.each([
    ['20500910130346Z', '2050-09-10T13:03:46.000Z'],
    ['20520229000000Z', '2052-02-29T00:00:00.000Z'],
    ['99991231235959Z', '9999-12-31T23:59:59.000Z'],
  ])('GeneralizedTime %s', (text, iso) => {
    expect(new Date(readTime(generalized(text))).toISOString()).toBe(iso)
  })
})

describe('readTime refuses', () => {
  test.each([
    ['no seconds', '1910281328Z', /YYMMDDHHMMSSZ/],
    ['an offset', '191028132805+0000', /YYMMDDHHMMSSZ/],
    ['no Z', '191028132805', /YYMMDDHHMMSSZ/],
    ['a small z', '191028132805z', /YYMMDDHHMMSSZ/],
    ['nothing', '', /YYMMDDHHMMSSZ/],
    ['a letter', '1910281328O5Z', /YYMMDDHHMMSSZ/],
    ['a sign', '-10101000000Z', /YYMMDDHHMMSSZ/],
    ['a space', '19 028132805Z', /YYMMDDHHMMSSZ/],
    ['a colon for the ones', '19102813280:Z', /YYMMDDHHMMSSZ/],
    ['a colon for the tens', '1910281328:5Z', /YYMMDDHHMMSSZ/],
    ['a slash', '19102813280/Z', /YYMMDDHHMMSSZ/],
    ['month 0', '190028132805Z', /No such date/],
    ['month 13', '191328132805Z', /No such date/],
    ['day 0', '191000132805Z', /No such date/],
    ['31 April', '190431132805Z', /No such date/],
    ['29 February 2023', '230229000000Z', /No such date/],
    ['hour 24', '191028240000Z', /No such date/],
    ['minute 60', '191028136005Z', /No such date/],
    ['second 60', '191028132860Z', /No such date/],
  ])('UTCTime with %s', (_, text, message) => {
    expect(refusal(() => readTime(utc(text)))).toMatch(message)
  })
  test.each([
    ['a year that UTCTime has', '20491231235959Z', /before 2050/],
    ['a year of the past', '19700101000000Z', /before 2050/],
    ['a fraction', '20500101000000.5Z', /YYMMDDHHMMSSZ/],
    ['two digits of the year', '500101000000Z', /YYMMDDHHMMSSZ/],
    ['29 February 2100', '21000229000000Z', /No such date/],
  ])('GeneralizedTime with %s', (_, text, message) => {
    expect(refusal(() => readTime(generalized(text)))).toMatch(message)
  })
  test('another type', () => {
    const text = new DerReader(element(0x0c, ascii('191028132805Z')))
    expect(refusal(() => readTime(text))).toMatch(/Tag 24 expected, 12 seen/)
  })
})

test('a date exists exactly where the calendar has it: every day of every month of 2023, 2024, 2100 and 2400', () => {
  const two = (value: number): string => String(value).padStart(2, '0')
  let accepted = 0
  for (const year of [2023, 2024, 2100, 2400]) {
    for (let month = 0; month <= 13; month++) {
      for (let day = 0; day <= 32; day++) {
        const text = `${two(month)}${two(day)}120000Z`
        const time = Date.UTC(year, month - 1, day, 12)
        const date = new Date(time)
        const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
        const reader =
          year < 2050 ? utc(`${two(year % 100)}${text}`) : generalized(`${year}${text}`)
        let read: number | undefined
        const outcome = refusal(() => (read = readTime(reader)))
        expect(outcome === 'accepted', `${year} ${text}`).toBe(exists)
        if (exists) expect(read).toBe(time)
        accepted += exists ? 1 : 0
      }
    }
  }
  expect(accepted).toBe(365 + 366 + 365 + 366)
})
