import { CborError, CborSimple, CborTag, decode, encode, type CborValue } from '@enclavejs/cbor'
import { LawBroken, type FuzzTarget } from '../target.ts'
import { madeDocuments, realDocuments } from './seeds.ts'

const RELAXED = { tags: [0, 18, 24], indefiniteMapLevels: 2, maxDepth: 16 }

/** Undefined where the bytes are refused; any other error than the package's goes through. */
function attempt(input: Uint8Array, options?: Parameters<typeof decode>[1]): Decoded | undefined {
  try {
    return { value: decode(input, options) }
  } catch (error) {
    if (!(error instanceof CborError)) throw error
    if (!/^ERR_CBOR_[A-Z_0-9]+$/.test(error.code)) throw new LawBroken(`code ${error.code}`)
    if (!(error.offset >= 0 && error.offset <= input.length)) {
      throw new LawBroken(`offset ${error.offset} of ${input.length} bytes`)
    }
    return undefined
  }
}

interface Decoded {
  readonly value: CborValue
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

function run(input: Uint8Array): void {
  const strict = attempt(input)
  const relaxed = attempt(input, RELAXED)
  if (strict !== undefined) {
    if (!equal(encode(strict.value), input))
      throw new LawBroken('encode(decode(bytes)) is not bytes')
    if (relaxed === undefined) throw new LawBroken('refused with more allowed than before')
  }
  if (relaxed === undefined) return
  // An indefinite map is written as a definite one; a value that was read is written and read as itself.
  const written = encode(relaxed.value)
  const again = attempt(written, RELAXED)
  if (again === undefined || !equal(encode(again.value), written)) {
    throw new LawBroken('decode(encode(value)) is not value')
  }
}

export const target: FuzzTarget = {
  format: 'cbor',
  maxLength: 16_384,
  dictionary: [
    ...['18', '19', '1a', '1b', '38', '3b', '40', '41', '58', '5f', '60', '61', '78', '7f', '80'],
    ...['81', '98', '9f', 'a0', 'a1', 'b8', 'bf', 'c0', 'd2', 'd818', 'e0', 'f4', 'f5', 'f6', 'f7'],
    ...['f820', 'f8ff', 'f93c00', 'fa00000000', 'fb0000000000000000', 'ff', '1bffffffffffffffff'],
    ...['1b0020000000000000', '3b001fffffffffffff', '5bffffffffffffffff', '9bffffffffffffffff'],
    ...['baffffffff', '62c3bc', '63efbbbf', '64f09f9880', '63eda080', '62c0ae', '7820'],
  ].map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  seeds() {
    const documents = madeDocuments()
    const payloads = [...documents, ...realDocuments().slice(0, 8)].map((document) => {
      const message = decode(document, RELAXED) as readonly CborValue[]
      return message[2] as Uint8Array
    })
    const values: CborValue[] = [
      0,
      -1,
      2n ** 64n - 1n,
      -(2n ** 64n),
      'text, ü and 😀 beyond thirty-two bytes',
      new Uint8Array(70_000 / 1000),
      [true, false, null, undefined, new CborSimple(0), new CborSimple(255)],
      new Map<string | number | bigint, CborValue>([
        [1, [2, [3]]],
        ['a', new CborTag(24, Uint8Array.of(0))],
        [2n ** 63n, new CborTag(18, [])],
      ]),
    ]
    return [
      ...values.map((value) => encode(value)),
      ...documents,
      ...payloads,
      Uint8Array.of(0xbf, 0x01, 0xbf, 0xff, 0xff),
    ]
  },
  run,
}
