import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backingKeyOf, openBlob, sealBlob } from '../../src/kms/ciphertext-blob.ts'

const material = new Uint8Array(randomBytes(32))
const hash = new Uint8Array(randomBytes(32))
const contexts = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), {
  noNullPrototype: true,
})
const plaintexts = fc.uint8Array({ minLength: 1, maxLength: 4096 })

it('opens what it sealed, under the same context and material alone', () => {
  fc.assert(
    fc.property(plaintexts, contexts, contexts, (plaintext, context, other) => {
      const blob = sealBlob(material, hash, plaintext, context)
      expect(Buffer.from(blob).toString('base64')).toMatch(/^AQICAH/)
      expect(backingKeyOf(blob)).toEqual(hash)
      expect(openBlob(material, blob, context)).toEqual(plaintext)
      const reordered = Object.fromEntries(Object.entries(context).toReversed())
      expect(openBlob(material, blob, reordered)).toEqual(plaintext)
      expect(openBlob(hash, blob, context)).toBeUndefined()
      const sorted = (one: Record<string, string>): string =>
        JSON.stringify(one, Object.keys(one).toSorted())
      const isSame = sorted(context) === sorted(other)
      if (!isSame) expect(openBlob(material, blob, other)).toBeUndefined()
    }),
  )
})

it('names and values of a context do not run into each other', () => {
  const blob = sealBlob(material, hash, Uint8Array.of(1), { ab: 'c', d: '' })
  for (const context of [{ a: 'bc', d: '' }, { ab: 'cd' }, { abcd: '' }, { ab: 'c' }]) {
    expect(openBlob(material, blob, context as Record<string, string>)).toBeUndefined()
  }
})

it('takes any octets, and gives nothing for them', () => {
  const head = sealBlob(material, hash, Uint8Array.of(1), {}).slice(0, 58)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (octets, begins) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(octets.length)
      const blob = begins ? Buffer.concat([head.subarray(0, 54), length, octets]) : octets
      const found = backingKeyOf(blob)
      if (!begins) expect(found).toBeUndefined()
      if (found !== undefined) expect(openBlob(material, blob, {})).toBeUndefined()
    }),
    { numRuns: 500 },
  )
})
