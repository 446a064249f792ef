import { describe, expect, it } from 'vitest'
import { decodeRequest } from '../src/nsm-request.ts'

const decode = (hex: string) => decodeRequest(new Uint8Array(Buffer.from(hex, 'hex')))
const bytes = (...octets: number[]): Uint8Array => Uint8Array.from(octets)

const lockPcr = { command: 'LockPCR', index: 16 }
const extend = { command: 'ExtendPCR', index: 16, data: bytes(1, 2, 3) }
const nothing = { command: 'Attestation', userData: null, nonce: null, publicKey: null }

describe('a request', () => {
  it.each([
    ['as AWS writes it', 'a1674c6f636b504352a165696e64657810', lockPcr],
    ['text in chunks', '7f6b44657363726962654e534dff', { command: 'DescribeNSM' }],
    ['a command without fields over null', 'a16947657452616e646f6df6', { command: 'GetRandom' }],
    ['an index in two bytes', 'a1674c6f636b504352a165696e646578190010', lockPcr],
    ['an index in eight bytes', 'a1674c6f636b504352a165696e6465781b0000000000000010', lockPcr],
    ['an index under a tag', 'a1674c6f636b504352a165696e646578d81810', lockPcr],
    ['fields of indefinite length', 'a1674c6f636b504352bf65696e64657810ff', lockPcr],
    ['a field that is not known', 'a1674c6f636b504352a2617818ff65696e64657810', lockPcr],
    [
      'a field that is not known twice, nested',
      'a1674c6f636b504352a36178828120fb000000000000000061789ff7f5ff65696e64657810',
      lockPcr,
    ],
    ['data', 'a169457874656e64504352a265696e64657810646461746143010203', extend],
    ['data first', 'a169457874656e64504352a264646174614301020365696e64657810', extend],
    ['data in chunks', 'a169457874656e64504352a265696e6465781064646174615f4101420203ff', extend],
    ['data as text', 'a169457874656e64504352a265696e64657810646461746163010203', extend],
    ['data as numbers', 'a169457874656e64504352a265696e64657810646461746183010203', extend],
    ['attestation without fields', 'a16b4174746573746174696f6ea0', nothing],
    [
      'attestation with one',
      'a16b4174746573746174696f6ea1656e6f6e636540',
      { ...nothing, nonce: bytes() },
    ],
  ])('is read: %s', (_name, hex, expected) => {
    expect(decode(hex)).toEqual(expected)
  })

  it.each([
    ['an outer map of indefinite length', 'bf674c6f636b504352a165696e64657810ff'],
    ['an outer map with a longer head', 'b801674c6f636b504352a165696e64657810'],
    ['two commands', 'a2674c6f636b504352a165696e64657810674c6f636b504352a165696e64657810'],
    ['a tag on the map', 'c0a1674c6f636b504352a165696e64657810'],
    ['a name in bytes', '4b44657363726962654e534d'],
    ['a name as number', 'a104a0'],
    ['an array', '82674c6f636b504352a165696e64657810'],
    ['fields as array', 'a1674c6f636b5043528110'],
    ['a key that is no text', 'a1674c6f636b504352a2006065696e64657810'],
    ['a field twice', 'a1674c6f636b504352a265696e6465781065696e64657810'],
    ['a command without fields over a map', 'a16947657452616e646f6da0'],
    ['data that is null', 'a169457874656e64504352a265696e646578106464617461f6'],
    ['data with a number above 255', 'a169457874656e64504352a265696e64657810646461746181190100'],
    ['an optional field that is undefined', 'a16b4174746573746174696f6ea1656e6f6e6365f7'],
    ['an optional field that is a number', 'a16b4174746573746174696f6ea1656e6f6e636501'],
    ['text that is not UTF-8', 'a16b4174746573746174696f6ea1656e6f6e636561ff'],
    ['a chunk of another type', 'a16b4174746573746174696f6ea1656e6f6e63655f6101ff'],
    ['a chunk of indefinite length', 'a16b4174746573746174696f6ea1656e6f6e63655f5fffff'],
    ['a string that ends early', 'a16b4174746573746174696f6ea1656e6f6e63654201'],
    ['a string of 2^64-1 bytes', 'a16b4174746573746174696f6ea1656e6f6e63655bffffffffffffffff'],
    ['an array of 2^64-1 items', 'a16b4174746573746174696f6ea161789bffffffffffffffff'],
    ['a reserved length', 'a1674c6f636b504352a165696e6465781c'],
    ['a simple value without meaning', 'a1674c6f636b504352a265696e64657810617880f3'],
    ['a break in no container', 'ff'],
    ['a map without an end', 'a1674c6f636b504352bf65696e64657810'],
    ['nested too deep', `a16b4174746573746174696f6ea16178${'81'.repeat(200)}00`],
  ])('is not understood: %s', (_name, hex) => {
    expect(decode(hex)).toBeUndefined()
  })

  it('of every length up to its own is not understood', () => {
    const whole = 'a169457874656e64504352a265696e64657810646461746143010203'
    for (let length = 0; length < whole.length; length += 2) {
      expect(decode(whole.slice(0, length))).toBeUndefined()
    }
  })
})
