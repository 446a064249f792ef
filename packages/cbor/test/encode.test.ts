import { describe, expect, test } from 'vitest'
import { CborError, CborSimple, CborTag, encode, type CborValue } from '../src/index.ts'

function hexOf(value: CborValue): string {
  return Buffer.from(encode(value)).toString('hex')
}

function refusal(value: unknown): string {
  try {
    encode(value as CborValue)
  } catch (error) {
    expect(error).toBeInstanceOf(CborError)
    return (error as CborError).code
  }
  return 'accepted'
}

describe('writes the shortest form', () => {
  test.each<[CborValue, string]>([
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [255, '18ff'],
    [256, '190100'],
    [65535, '19ffff'],
    [65536, '1a00010000'],
    [2 ** 32 - 1, '1affffffff'],
    [2 ** 32, '1b0000000100000000'],
    [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
    [2n ** 64n - 1n, '1bffffffffffffffff'],
    [5n, '05'],
    [0n, '00'],
    [-1n, '20'],
    [-1, '20'],
    [-24, '37'],
    [-25, '3818'],
    [Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
    [-(2n ** 64n), '3bffffffffffffffff'],
    [-0, '00'],
    ['', '60'],
    ['水', '63e6b0b4'],
    [Uint8Array.of(), '40'],
    [Uint8Array.of(1, 2), '420102'],
    [[], '80'],
    [[1, [2]], '82018102'],
    [new Map(), 'a0'],
    [
      new Map<string | number, CborValue>([
        ['b', 1],
        [1, null],
      ]),
      'a261620101f6',
    ],
    [new CborTag(18, []), 'd280'],
    [new CborTag(0, 0), 'c000'],
    [new CborTag(0n, 0), 'c000'],
    [new CborTag(2n ** 64n - 1n, 0), 'dbffffffffffffffff00'],
    [new CborSimple(0), 'e0'],
    [new CborSimple(19), 'f3'],
    [new CborSimple(32), 'f820'],
    [new CborSimple(255), 'f8ff'],
    [[false, true, null, undefined], '84f4f5f6f7'],
  ])('%s', (value, expected) => {
    expect(hexOf(value)).toBe(expected)
  })

  test('grows for strings longer than its first buffer', () => {
    const bytes = new Uint8Array(100_000).fill(7)
    const encoded = encode([bytes, bytes])
    expect(encoded.length).toBe(1 + 2 * 100_005)
    expect(encoded.subarray(6, 100_006)).toEqual(bytes)
  })

  test('grows for many small items', () => {
    const zeros = Array.from({ length: 1000 }, () => 0)
    expect(encode(zeros)).toEqual(Uint8Array.of(0x99, 0x03, 0xe8, ...zeros))
  })

  test('a Buffer is a byte string', () => {
    expect(hexOf(Buffer.from([1, 2]))).toBe('420102')
  })
})

test('refuses the keys 1 and 1n in one map with ERR_CBOR_DUPLICATE_KEY', () => {
  const map = (key: bigint): ReadonlyMap<number | bigint, number> =>
    new Map<number | bigint, number>([
      [1, 0],
      [key, 0],
    ])
  expect(refusal(map(1n))).toBe('ERR_CBOR_DUPLICATE_KEY')
  expect(hexOf(map(2n))).toBe('a201000200')
})

describe('refuses with ERR_CBOR_UNSUPPORTED', () => {
  test.each<[string, unknown]>([
    ['a fraction', 1.5],
    ['an integer that is not safe', 2 ** 53],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['2^64', 2n ** 64n],
    ['-2^64-1', -(2n ** 64n) - 1n],
    ['a plain object', {}],
    ['a Date', new Date(0)],
    ['a function', () => 0],
    ['a symbol', Symbol('a')],
    ['a bare ArrayBuffer', new ArrayBuffer(1)],
    ['simple value 20, which is false', new CborSimple(20)],
    ['simple value 31, which is reserved', new CborSimple(31)],
    ['simple value 256', new CborSimple(256)],
    ['a negative simple value', new CborSimple(-1)],
    ['a fractional simple value', new CborSimple(1.5)],
    ['a negative tag', new CborTag(-1, 0)],
    ['a negative bigint tag', new CborTag(-1n, 0)],
    ['a fractional tag', new CborTag(1.5, 0)],
    ['a tag of 65 bits', new CborTag(2n ** 64n, 0)],
    ['half a surrogate pair', 'a\ud800'],
    ['half a surrogate pair in a key', new Map([['\udc00', 1]])],
    ['a byte string as a key', new Map([[Uint8Array.of(1), 1]])],
    ['something inside a map inside an array', [new Map([[1, {}]])]],
  ])('%s', (_, value) => {
    expect(refusal(value)).toBe('ERR_CBOR_UNSUPPORTED')
  })
})
