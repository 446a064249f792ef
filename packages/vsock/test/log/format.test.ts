import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseEntry } from '../../src/log/entry.ts'
import { formatLogEntry, type LogEntry } from '../../src/log.ts'

const SENT = { sequence: 1, time: new Date(0), missing: 0 }

describe('formatLogEntry', () => {
  it.each<[LogEntry, string]>([
    [
      {
        type: 'event',
        ...SENT,
        level: 'error',
        event: 'request',
        fields: { a: 1, b: true, c: 'x/y' },
      },
      '1970-01-01T00:00:00.000Z error request a=1 b=true c=x/y',
    ],
    [
      { type: 'event', ...SENT, missing: 3, level: 'info', event: 'e', fields: { a: 'two words' } },
      '(3 not seen) 1970-01-01T00:00:00.000Z info  e a="two words"',
    ],
    [{ type: 'counter', ...SENT, name: 'n', value: 2 }, '1970-01-01T00:00:00.000Z count n=2'],
    [
      { type: 'dropped', ...SENT, drops: { overflow: 2, rate: 0, name: 1, field: 0, value: 0 } },
      '1970-01-01T00:00:00.000Z drops overflow=2 name=1',
    ],
    [{ type: 'malformed', length: 9 }, 'a line of 9 characters that is no entry'],
  ])('says %o', (entry, text) => {
    expect(formatLogEntry(entry)).toBe(text)
  })

  it('is printable ASCII whatever a hostile enclave sends, and any line is read without throwing', () => {
    const types = new Set(['malformed', 'event', 'counter', 'gauge', 'dropped'])
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.json(), (text, json) => {
        const line = JSON.stringify({ n: 1, t: 0, l: 'info', e: 'e', f: { a: text } })
        const entry = parseEntry(line, 0)
        const kept = entry.type === 'event' && entry.fields['a'] === text
        const others = [text, json].map((one) => parseEntry(one, 0).type)
        return (
          kept && /^[ -~]*$/.test(formatLogEntry(entry)) && others.every((one) => types.has(one))
        )
      }),
    )
  })
})
