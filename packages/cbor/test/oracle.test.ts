import { Decoder, Tag } from 'cbor-x'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CborTag, decode, encode, type CborValue } from '../src/index.ts'
import { cborValue, mutated } from './arbitrary.ts'

// A tag that cbor-x gives no meaning of its own to.
const TAGS = [18]
const oracle = new Decoder({ mapsAsObjects: false, useRecords: false })

/** One form for what both readers give: integers as bigint, strings of bytes as hex, maps as lists of pairs. */
function canonical(value: unknown): unknown {
  if (typeof value === 'number') {
    expect(Number.isInteger(value)).toBe(true)
    return BigInt(value)
  }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (value instanceof Map) {
    return { map: [...value].map(([key, item]) => [canonical(key), canonical(item)]) }
  }
  if (Array.isArray(value)) return value.map(canonical)
  if (value instanceof CborTag) return { tag: BigInt(value.tag), value: canonical(value.value) }
  if (value instanceof Tag) return { tag: BigInt(value.tag), value: canonical(value.value) }
  return value
}

/** cbor-x reads no simple values beside the four. */
function hasSimple(value: CborValue): boolean {
  if (value instanceof Map) return [...value].flat().some((item) => hasSimple(item as CborValue))
  if (Array.isArray(value)) return value.some((item) => hasSimple(item as CborValue))
  if (value instanceof CborTag) return hasSimple(value.value)
  return typeof value === 'object' && value !== null && 'simple' in value
}

test('what we accept, cbor-x reads the same', () => {
  const values = cborValue(TAGS).filter((value) => !hasSimple(value))
  let accepted = 0
  let refused = 0
  fc.assert(
    fc.property(mutated(values.map(encode)), (bytes) => {
      let ours: CborValue
      try {
        ours = decode(bytes, { tags: TAGS, indefiniteMapLevels: 2 })
      } catch {
        refused++
        return
      }
      if (hasSimple(ours)) return
      accepted++
      expect(canonical(ours)).toEqual(canonical(oracle.decode(Buffer.from(bytes))))
    }),
    { numRuns: 8000 },
  )
  expect(accepted).toBeGreaterThan(1000)
  expect(refused).toBeGreaterThan(1000)
})
