import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CborError, CborSimple, CborTag, decode, encode, type CborValue } from '../src/index.ts'
import { cborValue, mutated } from './arbitrary.ts'

const TAGS = [0, 18, 24, 55799]
const OPTIONS = { tags: TAGS, maxDepth: 16 }
const LEVELS = { ...OPTIONS, indefiniteMapLevels: 2 }

/** Random bytes, and encodings with a few octets changed, many of which are still CBOR. */
const bytes = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 4, arbitrary: mutated(cborValue(TAGS).map(encode)) },
)

function attempt(input: Uint8Array, options = OPTIONS): { readonly value: CborValue } | undefined {
  try {
    return { value: decode(input, options) }
  } catch (error) {
    expect(error).toBeInstanceOf(CborError)
    return undefined
  }
}

/** How many items, and how many octets of strings, a value holds. */
function extent(value: CborValue): number {
  if (value instanceof Uint8Array) return 1 + value.length
  if (typeof value === 'string') return 1 + new TextEncoder().encode(value).length
  if (value instanceof CborTag) return 1 + extent(value.value)
  if (Array.isArray(value))
    return (value as CborValue[]).reduce<number>((sum, item) => sum + extent(item), 1)
  if (value instanceof Map) {
    let sum = 1
    for (const [key, item] of value as Map<CborValue, CborValue>) sum += extent(key) + extent(item)
    return sum
  }
  return 1
}

test('decode(encode(x)) = x', () => {
  fc.assert(
    fc.property(cborValue(TAGS), (value) => {
      expect(decode(encode(value), OPTIONS)).toStrictEqual(value)
    }),
    { numRuns: 3000 },
  )
})

test('encode(decode(bytes)) = bytes for whatever is accepted with definite lengths', () => {
  let accepted = 0
  fc.assert(
    fc.property(bytes, (input) => {
      const read = attempt(input)
      if (read === undefined) return
      accepted++
      expect(Buffer.from(encode(read.value)).equals(input)).toBe(true)
    }),
    { numRuns: 5000 },
  )
  expect(accepted).toBeGreaterThan(500)
})

test('what an indefinite map holds is what the definite one holds', () => {
  fc.assert(
    fc.property(
      cborValue(TAGS).filter((value) => value instanceof Map),
      (value) => {
        const definite = encode(value)
        const { size } = value as Map<unknown, unknown>
        const head = size < 24 ? 1 : 2
        const indefinite = Uint8Array.of(0xbf, ...definite.subarray(head), 0xff)
        expect(decode(indefinite, LEVELS)).toStrictEqual(value)
        expect(attempt(indefinite)).toBe(undefined)
      },
    ),
    { numRuns: 500 },
  )
})

test('every true prefix of an item is refused', () => {
  fc.assert(
    fc.property(cborValue(TAGS), fc.double({ min: 0, max: 1, maxExcluded: true }), (value, at) => {
      const whole = encode(value)
      const prefix = whole.subarray(0, Math.floor(at * whole.length))
      expect(attempt(prefix)).toBe(undefined)
    }),
    { numRuns: 2000 },
  )
})

test('throws nothing but CborError, and holds no more than the bytes do', () => {
  fc.assert(
    fc.property(bytes, (input) => {
      const read = attempt(input, LEVELS)
      if (read !== undefined) expect(extent(read.value)).toBeLessThanOrEqual(input.length)
    }),
    { numRuns: 5000 },
  )
})

test('a count or length that the bytes cannot hold allocates nothing', () => {
  const heads = [0x5a, 0x5b, 0x7a, 0x7b, 0x9a, 0x9b, 0xba, 0xbb].map((initial) => {
    const width = (initial & 0x1f) === 26 ? 4 : 8
    return Uint8Array.of(initial, ...new Uint8Array(width).fill(0x7f), ...new Uint8Array(64))
  })
  const inner = heads.map((head) => Uint8Array.of(0x82, 0x01, ...head))
  const inputs = [...heads, ...inner]
  for (const input of inputs) expect(attempt(input)).toBe(undefined)
  const before = process.memoryUsage()
  for (let round = 0; round < 500; round++) for (const input of inputs) attempt(input)
  const after = process.memoryUsage()
  // 8,000 refusals that announced 2^31 items or more each: anything allocated on a count would show.
  expect(after.heapUsed - before.heapUsed).toBeLessThan(256 * 1024 * 1024)
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1024 * 1024)
})

test('the deepest nest that fits into 16 KiB is refused, whatever it is made of', () => {
  for (const octets of [[0x81], [0xa1, 0x00], [0xd2], [0xbf, 0x00]]) {
    const input = Uint8Array.from({ length: 16_384 }, (_, index) => octets[index % octets.length]!)
    let code: string | undefined
    try {
      decode(input, LEVELS)
    } catch (error) {
      code = error instanceof CborError ? error.code : String(error)
    }
    expect(code).toBe(octets[0] === 0xbf ? 'ERR_CBOR_INDEFINITE' : 'ERR_CBOR_DEPTH')
  }
})

test('simple values and tags survive as what they are', () => {
  expect(decode(encode(new CborSimple(99)))).toBeInstanceOf(CborSimple)
  expect(decode(encode(new CborTag(24, 0)), OPTIONS)).toBeInstanceOf(CborTag)
})
