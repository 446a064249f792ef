import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { CborError, CborSimple, CborTag, decode, encode, type CborValue } from '../src/index.ts'

interface Example {
  readonly hex: string
  readonly roundtrip: boolean
  readonly decoded?: unknown
  readonly diagnostic?: string
}

interface Invalid {
  readonly hex: string
  readonly kind: string
  readonly name: string
}

const ABSENT = 'needs ../shared/vectors/cbor'

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

function codeOf(bytes: Uint8Array, maxDepth = 16): string {
  try {
    decode(bytes, { maxDepth })
    return 'accepted'
  } catch (error) {
    if (error instanceof CborError) return error.code
    throw error
  }
}

/** What appendix A shows and this reader does not take, by the head that says so. */
function reasonToRefuse(hex: string): string | undefined {
  if (/^f[9ab]/.test(hex)) return 'ERR_CBOR_UNSUPPORTED' // a float
  if (/^[cd]/.test(hex)) return 'ERR_CBOR_UNSUPPORTED' // a tag that was not asked for
  if (/^(?:[579b]f|83018202039f|83019f|826161bf)/.test(hex)) return 'ERR_CBOR_INDEFINITE'
  // simple(24) stood in RFC 7049; RFC 8949 §3.3 makes values below 32 in two bytes not well-formed.
  if (hex === 'f818') return 'ERR_CBOR_MALFORMED'
  return undefined
}

/** Values of the diagnostic notation that JSON has no form for. */
const DIAGNOSTIC: Readonly<Record<string, CborValue>> = {
  undefined: undefined,
  'simple(16)': new CborSimple(16),
  'simple(255)': new CborSimple(255),
  "h''": new Uint8Array(0),
  "h'01020304'": Uint8Array.of(1, 2, 3, 4),
  '{1: 2, 3: 4}': new Map([
    [1, 2],
    [3, 4],
  ]),
}

/** JSON as the reader gives it: objects as maps. */
function fromJson(value: unknown): CborValue {
  if (Array.isArray(value)) return value.map(fromJson)
  if (typeof value === 'object' && value !== null) {
    return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]))
  }
  return value as CborValue
}

test('appendix A: decodes to the value and encodes back, or is refused for a reason', (context) => {
  const path = vectors('cbor/appendix_a.json')
  if (path === undefined) return context.skip(ABSENT)
  // The integers beyond 2^53 are kept as the bigint that the text of the file says.
  const text = readFileSync(path, 'utf8').replace(/"decoded":\s*(-?\d{17,})/g, '"decoded": "$1n"')
  const examples = JSON.parse(text) as Example[]
  const counts = { accepted: 0, refused: 0 }
  for (const { hex, roundtrip, decoded, diagnostic } of examples) {
    const bytes = bytesOf(hex)
    const reason = reasonToRefuse(hex)
    if (reason !== undefined) {
      expect(codeOf(bytes), hex).toBe(reason)
      counts.refused++
      continue
    }
    // RFC 8949 appendix A marks every example that is not in preferred serialization: we take none of those.
    expect(roundtrip, hex).toBe(true)
    const big = typeof decoded === 'string' && /^-?\d{17,}n$/.test(decoded)
    const expected = big
      ? BigInt(decoded.slice(0, -1))
      : diagnostic === undefined
        ? fromJson(decoded)
        : DIAGNOSTIC[diagnostic]
    if (diagnostic !== undefined) expect(Object.keys(DIAGNOSTIC), hex).toContain(diagnostic)
    expect(decode(bytes), hex).toStrictEqual(expected)
    expect(Buffer.from(encode(expected)).toString('hex'), hex).toBe(hex)
    counts.accepted++
  }
  expect(counts).toEqual({ accepted: 40, refused: 42 })
})

test('appendix A: tags are read where they are asked for, and indefinite maps where allowed', (context) => {
  const path = vectors('cbor/appendix_a.json')
  if (path === undefined) return context.skip(ABSENT)
  const examples = JSON.parse(readFileSync(path, 'utf8')) as Example[]
  const tagged = examples.filter(({ hex }) => /^[cd]/.test(hex) && !hex.startsWith('c1fb'))
  expect(tagged.length).toBe(7)
  for (const { hex } of tagged) {
    const value = decode(bytesOf(hex), { tags: [0, 1, 2, 3, 23, 24, 32] })
    expect(value).toBeInstanceOf(CborTag)
    expect(Buffer.from(encode(value)).toString('hex')).toBe(hex)
  }
  expect(decode(bytesOf('bf6346756ef563416d7421ff'), { indefiniteMapLevels: 1 })).toEqual(
    new Map<string, unknown>([
      ['Fun', true],
      ['Amt', -2],
    ]),
  )
})

/** Members of the malformed corpus that are accepted, each with the reason. */
const ACCEPTED: Readonly<Record<string, string>> = {
  '8301820203820405':
    'three levels of arrays, over a limit of the source only; appendix A has it too. Refused with maxDepth 2',
  a2026141016142:
    'map keys that are not sorted: real documents do not sort theirs, so RFC 8949 §4.2 order is not asked for',
  '00': 'one whole item: the source appends the extraneous byte. Refused with a byte behind it',
  '20': 'as above',
  f4: 'as above',
  f6: 'as above',
  '40': 'as above',
}

test('the malformed corpus is refused', (context) => {
  const path = vectors('cbor/invalid.json')
  if (path === undefined) return context.skip(ABSENT)
  const cases = JSON.parse(readFileSync(path, 'utf8')) as Invalid[]
  const accepted: string[] = []
  const byKind = new Map<string, number>()
  for (const { hex, kind, name } of cases) {
    const code = codeOf(bytesOf(hex))
    if (code === 'accepted') {
      accepted.push(hex)
      expect(ACCEPTED, `${kind} ${name}`).toHaveProperty(hex)
    } else byKind.set(kind, (byKind.get(kind) ?? 0) + 1)
    if (kind === 'trailing-data') {
      expect(codeOf(bytesOf(`${hex}00`)), name).toBe(
        hex.startsWith('fa') ? 'ERR_CBOR_UNSUPPORTED' : 'ERR_CBOR_TRAILING',
      )
    }
  }
  expect(accepted.toSorted()).toEqual(Object.keys(ACCEPTED).toSorted())
  expect(Object.fromEntries(byKind)).toEqual({
    'not-well-formed': 114,
    'invalid-utf8': 5,
    'duplicate-key': 9,
    'deep-nesting': 5,
    'non-deterministic': 7,
    'trailing-data': 1,
  })
  expect(codeOf(bytesOf('8301820203820405'), 2)).toBe('ERR_CBOR_DEPTH')
})
