import { describe, expect, test } from 'vitest'
import { CborError, CborSimple, CborTag, decode, type DecodeOptions } from '../src/index.ts'

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
}

/** The code and offset of the refusal; fails the test when the bytes are accepted or another error is thrown. */
function refusal(bytes: string, options?: DecodeOptions): string {
  try {
    decode(hex(bytes), options)
  } catch (error) {
    expect(error).toBeInstanceOf(CborError)
    const { code, offset, message } = error as CborError
    expect(message).toMatch(new RegExp(`\\(at byte ${offset}\\)$`))
    return `${code} ${offset}`
  }
  return 'accepted'
}

describe('accepts', () => {
  test.each([
    ['0a', 10],
    ['18 18', 24],
    ['19 0100', 256],
    ['1a 00010000', 65_536],
    ['1b 0000000100000000', 2 ** 32],
    ['1b 001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['1b 0020000000000000', 2n ** 53n],
    ['1b ffffffffffffffff', 2n ** 64n - 1n],
    ['20', -1],
    ['3b 001ffffffffffffe', Number.MIN_SAFE_INTEGER],
    ['3b 001fffffffffffff', -(2n ** 53n)],
    ['3b ffffffffffffffff', -(2n ** 64n)],
    ['43 010203', Uint8Array.of(1, 2, 3)],
    ['62 c3bc', 'ü'],
    ['63 efbbbf', '\ufeff'],
    ['62 007f', '\u0000\u007f'],
    ['7820 6161616161616161616161616161616161616161616161616161616161616161', 'a'.repeat(32)],
    ['82 f5 f4', [true, false]],
    ['82 f6 f7', [null, undefined]],
    ['e0', new CborSimple(0)],
    ['f8 20', new CborSimple(32)],
    [
      'a2 01 02 20 61 61',
      new Map<number, unknown>([
        [1, 2],
        [-1, 'a'],
      ]),
    ],
  ])('%s', (bytes, value) => {
    expect(decode(hex(bytes))).toStrictEqual(value)
  })

  test('keeps the order of a map, which real documents do not sort', () => {
    const map = decode(hex('a3 03 00 01 00 02 00')) as Map<number, number>
    expect([...map.keys()]).toEqual([3, 1, 2])
  })

  test('keys 1 and "1" and 2^53 differ', () => {
    const map = decode(hex('a3 01 00 6131 00 1b0020000000000000 00')) as Map<unknown, number>
    expect([...map.keys()]).toEqual([1, '1', 2n ** 53n])
  })

  test('byte strings are views into the input', () => {
    const bytes = hex('43 010203')
    const value = decode(bytes) as Uint8Array
    expect(value.buffer).toBe(bytes.buffer)
    expect(value.byteOffset - bytes.byteOffset).toBe(1)
  })

  test('reads an input that is itself a view, and a Buffer', () => {
    const outer = hex('ff 43 010203 ff')
    expect(decode(outer.subarray(1, 5))).toStrictEqual(Uint8Array.of(1, 2, 3))
    const value = decode(Buffer.from('83010203', 'hex'))
    expect(value).toEqual([1, 2, 3])
  })

  test('a tag that was asked for', () => {
    expect(decode(hex('d2 80'), { tags: [18] })).toStrictEqual(new CborTag(18, []))
  })
})

describe('refuses', () => {
  test.each([
    ['no bytes', '', 'ERR_CBOR_MALFORMED 0'],
    ['an integer cut short', '1903', 'ERR_CBOR_MALFORMED 2'],
    ['a byte string cut short', '42 01', 'ERR_CBOR_MALFORMED 0'],
    ['a text string cut short', '62 61', 'ERR_CBOR_MALFORMED 0'],
    ['a byte string of 2^64-1 bytes', '5b ffffffffffffffff', 'ERR_CBOR_MALFORMED 0'],
    ['an array cut short', '82 01', 'ERR_CBOR_MALFORMED 0'],
    ['an array whose last item is cut short', '81 19 01', 'ERR_CBOR_MALFORMED 3'],
    ['an array of 2^64-1 items', '9b ffffffffffffffff', 'ERR_CBOR_MALFORMED 0'],
    ['a map of 2^32-1 pairs', 'ba ffffffff', 'ERR_CBOR_MALFORMED 0'],
    ['a map with a key and no value', 'a1 01', 'ERR_CBOR_MALFORMED 0'],
    ['additional information 28', '1c', 'ERR_CBOR_MALFORMED 0'],
    ['additional information 29', '5d', 'ERR_CBOR_MALFORMED 0'],
    ['additional information 30', '9e', 'ERR_CBOR_MALFORMED 0'],
    ['an indefinite unsigned integer', '1f', 'ERR_CBOR_MALFORMED 0'],
    ['an indefinite negative integer', '3f', 'ERR_CBOR_MALFORMED 0'],
    ['an indefinite tag', 'df', 'ERR_CBOR_MALFORMED 0'],
    ['a lone break', 'ff', 'ERR_CBOR_MALFORMED 0'],
    ['a break in a definite array', '82 01 ff', 'ERR_CBOR_MALFORMED 2'],
    ['a simple value below 32 in two bytes', 'f8 1f', 'ERR_CBOR_MALFORMED 0'],
    ['false in two bytes', 'f8 14', 'ERR_CBOR_MALFORMED 0'],
    ['a simple value cut short', 'f8', 'ERR_CBOR_MALFORMED 1'],
    ['reserved simple values', 'fc', 'ERR_CBOR_MALFORMED 0'],
    ['23 in two bytes', '18 17', 'ERR_CBOR_NOT_SHORTEST 0'],
    ['255 in three bytes', '19 00ff', 'ERR_CBOR_NOT_SHORTEST 0'],
    ['65535 in five bytes', '1a 0000ffff', 'ERR_CBOR_NOT_SHORTEST 0'],
    ['2^32-1 in nine bytes', '1b 00000000ffffffff', 'ERR_CBOR_NOT_SHORTEST 0'],
    ['-24 in two bytes', '38 17', 'ERR_CBOR_NOT_SHORTEST 0'],
    ['a string length in two bytes', '58 01 00', 'ERR_CBOR_NOT_SHORTEST 0'],
    ['an array length in two bytes', '98 01 00', 'ERR_CBOR_NOT_SHORTEST 0'],
    ['a map length in two bytes', 'b8 01 00 00', 'ERR_CBOR_NOT_SHORTEST 0'],
    ['a tag in two bytes', 'd8 12 80', 'ERR_CBOR_NOT_SHORTEST 0'],
    ['a chunked byte string', '5f 41 01 ff', 'ERR_CBOR_INDEFINITE 0'],
    ['a chunked text string', '7f 61 61 ff', 'ERR_CBOR_INDEFINITE 0'],
    ['an indefinite array', '9f 01 ff', 'ERR_CBOR_INDEFINITE 0'],
    ['an indefinite map', 'bf ff', 'ERR_CBOR_INDEFINITE 0'],
    ['an integer key twice', 'a2 01 00 01 00', 'ERR_CBOR_DUPLICATE_KEY 3'],
    ['a text key twice', 'a2 6161 00 6161 01', 'ERR_CBOR_DUPLICATE_KEY 4'],
    [
      'a 64-bit key twice',
      'a2 1bffffffffffffffff 00 1bffffffffffffffff 00',
      'ERR_CBOR_DUPLICATE_KEY 11',
    ],
    ['a key twice in an inner map', '81 a2 01 00 01 00', 'ERR_CBOR_DUPLICATE_KEY 4'],
    ['overlong UTF-8', '62 c0ae', 'ERR_CBOR_UTF8 0'],
    ['a surrogate in UTF-8', '63 eda080', 'ERR_CBOR_UTF8 0'],
    ['a code point above U+10FFFF', '64 f4908080', 'ERR_CBOR_UTF8 0'],
    ['UTF-8 cut short', '61 c3', 'ERR_CBOR_UTF8 0'],
    ['a continuation by itself', '61 80', 'ERR_CBOR_UTF8 0'],
    ['a text of 32 bytes, the last one no UTF-8', `7820 ${'61'.repeat(31)}ff`, 'ERR_CBOR_UTF8 0'],
    ['a second item', '00 00', 'ERR_CBOR_TRAILING 1'],
    ['a half float', 'f9 3c00', 'ERR_CBOR_UNSUPPORTED 0'],
    ['a float', 'fa 47c35000', 'ERR_CBOR_UNSUPPORTED 0'],
    ['a double', 'fb 3ff199999999999a', 'ERR_CBOR_UNSUPPORTED 0'],
    ['a tag', 'c2 41 01', 'ERR_CBOR_UNSUPPORTED 0'],
    ['a tag of 64 bits', 'db ffffffffffffffff 00', 'ERR_CBOR_UNSUPPORTED 0'],
    ['a byte string as a key', 'a1 41 01 00', 'ERR_CBOR_UNSUPPORTED 1'],
    ['an array as a key', 'a1 80 00', 'ERR_CBOR_UNSUPPORTED 1'],
    ['a map as a key', 'a1 a0 00', 'ERR_CBOR_UNSUPPORTED 1'],
    ['true as a key', 'a1 f5 00', 'ERR_CBOR_UNSUPPORTED 1'],
  ])('%s', (_, bytes, expected) => {
    expect(refusal(bytes)).toBe(expected)
  })

  test('a tag beside the one that was asked for', () => {
    expect(refusal('c2 41 01', { tags: [18] })).toBe('ERR_CBOR_UNSUPPORTED 0')
    expect(refusal('d2', { tags: [18] })).toBe('ERR_CBOR_MALFORMED 1')
  })

  test('no bytes in place of an input that is no Uint8Array', () => {
    expect(() => decode(undefined as unknown as Uint8Array)).toThrow(TypeError)
  })
})

test('messages say what was seen', () => {
  const message = (bytes: string): unknown => {
    try {
      return decode(hex(bytes))
    } catch (error) {
      return (error as CborError).message
    }
  }
  expect(message('ff')).toBe('Break (at byte 0)')
  expect(message('fc')).toBe('Reserved (at byte 0)')
  expect(message('00 00 00')).toBe('2 trailing bytes (at byte 1)')
  expect(message('43 01')).toBe('3 bytes with 1 left (at byte 0)')
})

describe('depth', () => {
  const nested = (depth: number): string => `${'81'.repeat(depth - 1)}00`

  test('16 items deep by default, and not 17', () => {
    expect(refusal(nested(16))).toBe('accepted')
    expect(refusal(nested(17))).toBe('ERR_CBOR_DEPTH 16')
  })

  test('maxDepth counts arrays, maps, keys and tags alike', () => {
    expect(refusal('80', { maxDepth: 1 })).toBe('accepted')
    expect(refusal('81 00', { maxDepth: 1 })).toBe('ERR_CBOR_DEPTH 1')
    expect(refusal('a1 00 00', { maxDepth: 1 })).toBe('ERR_CBOR_DEPTH 1')
    expect(refusal('a1 00 81 00', { maxDepth: 2 })).toBe('ERR_CBOR_DEPTH 3')
    expect(refusal('d2 80', { maxDepth: 1, tags: [18] })).toBe('ERR_CBOR_DEPTH 1')
    expect(refusal('d2 d2 d2 80', { maxDepth: 3, tags: [18] })).toBe('ERR_CBOR_DEPTH 3')
  })
})

describe('indefinite maps', () => {
  test('the outermost one where it is allowed', () => {
    const map = decode(hex('bf 01 02 03 80 ff'), { indefiniteMapLevels: 1 })
    expect(map).toEqual(
      new Map<number, unknown>([
        [1, 2],
        [3, []],
      ]),
    )
    expect(decode(hex('bf ff'), { indefiniteMapLevels: 1 })).toEqual(new Map())
    expect(refusal('a1 01 02', { indefiniteMapLevels: 1 })).toBe('accepted')
  })

  test.each([
    ['an inner one, a level too deep', 'bf 01 bf ff ff', 'ERR_CBOR_INDEFINITE 2'],
    ['one in an array', '81 bf ff', 'ERR_CBOR_INDEFINITE 1'],
    ['an array', '9f ff', 'ERR_CBOR_INDEFINITE 0'],
    ['a byte string', '5f ff', 'ERR_CBOR_INDEFINITE 0'],
    ['no break', 'bf 01 02', 'ERR_CBOR_MALFORMED 3'],
    ['a break in place of a value', 'bf 01 ff', 'ERR_CBOR_MALFORMED 2'],
    ['a key twice', 'bf 01 02 01 02 ff', 'ERR_CBOR_DUPLICATE_KEY 3'],
    ['bytes after the break', 'bf ff 00', 'ERR_CBOR_TRAILING 2'],
    ['two breaks', 'bf ff ff', 'ERR_CBOR_TRAILING 2'],
  ])('refuses %s', (_, bytes, expected) => {
    expect(refusal(bytes, { indefiniteMapLevels: 1 })).toBe(expected)
  })

  test('two levels where two are allowed', () => {
    const options = { indefiniteMapLevels: 2 }
    expect(decode(hex('bf 01 bf ff ff'), options)).toEqual(new Map([[1, new Map()]]))
    expect(refusal('bf 01 bf 01 bf ff ff ff', options)).toBe('ERR_CBOR_INDEFINITE 4')
  })
})
