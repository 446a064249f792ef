import { part } from './certificate-change.ts'
import { ascii, rebuild, Tbs, tlv } from './der.ts'
import type { Row, Workshop } from './workshop.ts'

export function timeRows(shop: Workshop): Row[] {
  const utc = (text: string): Uint8Array => tlv(0x17, ascii(text))
  const general = (text: string): Uint8Array => tlv(0x18, ascii(text))
  const row = (name: string, rule: string, source: string, time: Uint8Array, index = 0): Row => [
    `certificate/time-${name}`,
    rule,
    source,
    part(shop, [Tbs.validity, index], () => time),
  ]
  const form = 'UTCTime is YYMMDDHHMMSSZ'
  const real = 'a date exists'
  return [
    row('without-z', form, 'RFC 5280 §4.1.2.5.1', utc('260301115957')),
    row('with-offset', form, 'RFC 5280 §4.1.2.5.1', utc('260301115957+0000')),
    row('without-seconds', form, 'RFC 5280 §4.1.2.5.1', utc('2603011159Z')),
    row('with-fraction', form, 'X.690 §11.8', utc('260301115957.0Z')),
    row('with-space', form, 'RFC 5280 §4.1.2.5.1', utc('26030111595 Z')),
    row('with-sign', form, 'RFC 5280 §4.1.2.5.1', utc('+60301115957Z')),
    row('lower-case-z', form, 'RFC 5280 §4.1.2.5.1', utc('260301115957z')),
    row('empty', form, 'RFC 5280 §4.1.2.5.1', utc('')),
    row(
      'generalized-before-2050',
      'dates through 2049 are UTCTime',
      'RFC 5280 §4.1.2.5',
      general('20260301115957Z'),
    ),
    row(
      'generalized-with-fraction',
      'GeneralizedTime is YYYYMMDDHHMMSSZ',
      'RFC 5280 §4.1.2.5.2',
      general('20500301115957.5Z'),
      1,
    ),
    row(
      'generalized-without-z',
      'GeneralizedTime is YYYYMMDDHHMMSSZ',
      'RFC 5280 §4.1.2.5.2',
      general('20500301115957'),
      1,
    ),
    row(
      'generalized-with-offset',
      'GeneralizedTime is YYYYMMDDHHMMSSZ',
      'RFC 5280 §4.1.2.5.2',
      general('20500301115957+0100'),
      1,
    ),
    row('month-13', real, 'X.680 §47.3', utc('261301115957Z'), 1),
    row('month-0', real, 'X.680 §47.3', utc('260001115957Z')),
    row('day-0', real, 'X.680 §47.3', utc('260300115957Z')),
    row('february-30', real, 'X.680 §47.3', utc('260230115957Z'), 1),
    row('february-29-2027', real, 'X.680 §47.3', utc('270229115957Z'), 1),
    row('april-31', real, 'X.680 §47.3', utc('260431115957Z'), 1),
    row('hour-24', real, 'X.680 §47.3', utc('260301240000Z'), 1),
    row('minute-60', real, 'X.680 §47.3', utc('260301116000Z')),
    row('second-60', real, 'X.680 §47.3', utc('260301115960Z')),
    row(
      'text',
      'a time is UTCTime or GeneralizedTime',
      'RFC 5280 §4.1',
      tlv(0x0c, ascii('260301115957Z')),
    ),
    [
      'certificate/time-third',
      'validity has two times',
      'RFC 5280 §4.1',
      part(shop, [Tbs.validity], (validity) =>
        rebuild(validity, (parts) => [...parts, parts[1] as Uint8Array]),
      ),
    ],
    [
      'certificate/time-not-after-absent',
      'validity has two times',
      'RFC 5280 §4.1',
      part(shop, [Tbs.validity], (validity) => rebuild(validity, (parts) => parts.slice(0, 1))),
    ],
  ]
}
