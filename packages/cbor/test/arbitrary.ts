import fc from 'fast-check'
import { CborSimple, CborTag, type CborKey, type CborValue } from '../src/index.ts'

/** Integers of all widths, as the reader gives them: `number` while safe, `bigint` beyond. */
const integer: fc.Arbitrary<number | bigint> = fc.oneof(
  fc.integer({ min: -300, max: 300 }),
  fc.maxSafeInteger(),
  fc
    .bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n })
    .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value)),
  fc.constantFrom(23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2n ** 53n, -(2n ** 64n)),
)
const text = fc.string({ unit: 'binary', maxLength: 40 })
const key: fc.Arbitrary<CborKey> = fc.oneof(integer, text)

/** Values that the reader can give, at most 6 deep, with tags of `tags`. */
export function cborValue(tags: readonly number[]): fc.Arbitrary<CborValue> {
  const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      integer,
      text,
      fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
      fc.constantFrom(true, false, null, undefined),
      fc
        .integer({ min: 0, max: 255 })
        .filter((simple) => simple < 20 || simple >= 32)
        .map((simple) => new CborSimple(simple)),
      fc.array(tie('value'), { maxLength: 30 }),
      fc
        .uniqueArray(fc.tuple(key, tie('value')), {
          maxLength: 30,
          selector: ([name]) => name,
          comparator: 'SameValueZero',
        })
        .map((entries) => new Map(entries)),
      ...(tags.length === 0
        ? []
        : [
            fc
              .tuple(fc.constantFrom(...tags), tie('value'))
              .map(([tag, item]) => new CborTag(tag, item)),
          ]),
    ),
  }))
  return value
}

/** `bytes` with a few octets changed, put in or taken out. */
export function mutated(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const octet = fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0x18, 0x1b, 0x3b, 0x58, 0x5f, 0x78, 0x80, 0x9f, 0xa1, 0xbf, 0xd2, 0xf8, 0xff),
  )
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    kind: fc.constantFrom('set', 'insert', 'remove', 'cut'),
    octet,
  })
  return fc.tuple(bytes, fc.array(change, { maxLength: 3 })).map(([start, changes]) => {
    let result = [...start]
    for (const { at, kind, octet: value } of changes) {
      const index = Math.floor(at * result.length)
      if (kind === 'cut') result = result.slice(0, index)
      else if (kind === 'set') result.splice(index, 1, value)
      else result.splice(index, kind === 'remove' ? 1 : 0, ...(kind === 'remove' ? [] : [value]))
    }
    return Uint8Array.from(result)
  })
}
