import { describe, expect, test } from 'vitest'
import {
  attestationRequest,
  describeNsmRequest,
  describePcrRequest,
  extendPcrRequest,
  getRandomRequest,
  lockPcrRequest,
  lockPcrsRequest,
  type Request,
} from '../src/request.ts'

const hex = ({ bytes }: Request): string => Buffer.from(bytes).toString('hex')
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

// The bytes that aws-nitro-enclaves-nsm-api 0.5.1 (serde_cbor) writes.
test.each([
  ['DescribeNSM', describeNsmRequest(), '6b44657363726962654e534d'],
  ['GetRandom', getRandomRequest(), '6947657452616e646f6d'],
  ['DescribePCR 0', describePcrRequest(0), 'a16b4465736372696265504352a165696e64657800'],
  ['DescribePCR 31', describePcrRequest(31), 'a16b4465736372696265504352a165696e646578181f'],
  [
    'ExtendPCR',
    extendPcrRequest(16, bytes('010203')),
    'a169457874656e64504352a265696e64657810646461746143010203',
  ],
  ['LockPCR', lockPcrRequest(16), 'a1674c6f636b504352a165696e64657810'],
  ['LockPCRs', lockPcrsRequest(32), 'a1684c6f636b50435273a16572616e67651820'],
  [
    'Attestation of nothing',
    attestationRequest({}),
    'a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365f66a7075626c69635f6b6579f6',
  ],
  [
    'Attestation',
    attestationRequest({ userData: bytes('dead'), nonce: bytes('00000000') }),
    'a16b4174746573746174696f6ea369757365725f6461746142dead656e6f6e636544000000006a7075626c69635f6b6579f6',
  ],
  [
    'Attestation of empty strings, which are not null',
    attestationRequest({ userData: bytes(''), nonce: bytes(''), publicKey: bytes('') }),
    'a16b4174746573746174696f6ea369757365725f6461746140656e6f6e6365406a7075626c69635f6b657940',
  ],
])('%s has the bytes that AWS writes', (_, request, expected) => {
  expect(hex(request)).toBe(expected)
})

describe('bounds', () => {
  const not = (value: unknown): number => value as number

  test.each([0, 31])('index %d is taken', (index) => {
    expect(describePcrRequest(index).command).toBe('DescribePCR')
    expect(lockPcrRequest(index).command).toBe('LockPCR')
    expect(extendPcrRequest(index, bytes('00')).command).toBe('ExtendPCR')
  })

  test.each([-1, 32, 0.5, NaN, Infinity, 65536])('index %d is a RangeError', (index) => {
    for (const make of [describePcrRequest, lockPcrRequest]) {
      expect(() => make(index)).toThrow(RangeError)
      expect(() => make(index)).toThrow(/^index must be an integer from 0 to 31/)
    }
    expect(() => extendPcrRequest(index, bytes('00'))).toThrow(/^index must be/)
  })

  test.each(['0', null, undefined, 1n])('index %s is a TypeError', (index) => {
    expect(() => describePcrRequest(not(index))).toThrow(new TypeError('index must be a number'))
  })

  test('range is 0 to 32', () => {
    expect(hex(lockPcrsRequest(0))).toMatch(/00$/)
    expect(() => lockPcrsRequest(33)).toThrow(/^range must be an integer from 0 to 32, and is 33/)
    expect(() => lockPcrsRequest(-1)).toThrow(RangeError)
    expect(() => lockPcrsRequest(not('1'))).toThrow(new TypeError('range must be a number'))
  })

  test.each([
    [0, 4069],
    [23, 4069],
    [24, 4068],
    [31, 4068],
  ])('ExtendPCR %d takes %d bytes and not one more', (index, most) => {
    expect(extendPcrRequest(index, new Uint8Array(most)).bytes).toHaveLength(4096)
    expect(extendPcrRequest(index, new Uint8Array(most - 1)).bytes).toHaveLength(4095)
    const tooMany = (): unknown => extendPcrRequest(index, new Uint8Array(most + 1))
    expect(tooMany).toThrow(RangeError)
    expect(tooMany).toThrow(`data has ${most + 1} bytes`)
    expect(tooMany).toThrow(`${most} fit`)
  })

  test('an absurd length is refused without encoding it', () => {
    const huge = new Uint8Array(64 * 1024 * 1024)
    expect(() => extendPcrRequest(16, huge)).toThrow(/^data has 67108864 bytes/)
  })

  test('Attestation takes what fits 4096 bytes, alone or together', () => {
    const alone = 4096 - 44 - 2 // two more bytes of head than null
    expect(attestationRequest({ publicKey: new Uint8Array(alone) }).bytes).toHaveLength(4096)
    const tooMany = (): unknown => attestationRequest({ publicKey: new Uint8Array(alone + 1) })
    expect(tooMany).toThrow(RangeError)
    expect(tooMany).toThrow('publicKey has 4051 bytes')
    const of = (length: number): Uint8Array => new Uint8Array(length)
    const three = { userData: of(1348), nonce: of(1348), publicKey: of(1350) }
    expect(attestationRequest(three).bytes).toHaveLength(4096)
    expect(() => attestationRequest({ ...three, nonce: of(1349) })).toThrow(
      /^userData, nonce, publicKey together have 4047 bytes/,
    )
    expect(
      attestationRequest({ userData: of(1024), nonce: of(1024), publicKey: of(1024) }).bytes,
    ).toHaveLength(3122)
  })

  test.each(['userData', 'nonce', 'publicKey'])(
    '%s that is no Uint8Array is a TypeError',
    (name) => {
      for (const value of ['text', [1], new ArrayBuffer(1), null, 5]) {
        const make = (): unknown => attestationRequest({ [name]: value })
        expect(make).toThrow(new TypeError(`${name} must be a Uint8Array`))
      }
      expect(hex(attestationRequest({ [name]: undefined }))).toBe(hex(attestationRequest({})))
    },
  )

  test('other names are refused', () => {
    expect(() => attestationRequest({ user_data: bytes('00') } as never)).toThrow(
      new TypeError('attestation takes userData, nonce and publicKey, not user_data'),
    )
    expect(() => attestationRequest(null as never)).toThrow(TypeError)
    expect(() => extendPcrRequest(16, 'text' as never)).toThrow(
      new TypeError('data must be a Uint8Array'),
    )
  })

  test('a Buffer is read as the bytes it shows', () => {
    const view = Buffer.from('xx010203yy', 'latin1').subarray(2, 4)
    expect(hex(extendPcrRequest(16, view))).toMatch(/423031$/)
  })
})
