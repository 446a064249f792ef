import {
  computeInstancePcr,
  computePcr,
  computeRolePcr,
  diffReferenceValues,
  referenceValues,
} from '@enclavejs/eif'
import { expect, test } from 'vitest'
import { createSha384, describeBytes, imageOf, outcome, SECTIONS } from './fixture.ts'

const good = await describeBytes(imageOf())
const other = await describeBytes(
  imageOf(
    SECTIONS.map((section, index) => (index === 4 ? { ...section, data: '070701-b' } : section)),
  ),
)
const doubtful = await describeBytes(imageOf(SECTIONS.slice(0, 3)))

test('reference values are the PCRs of a good image, with a label', () => {
  expect(referenceValues(good, { label: '1.0' })).toEqual({ label: '1.0', pcrs: good.pcrs })
})

test('a doubtful image is refused, unless it is taken all the same', async () => {
  expect(await outcome(() => referenceValues(doubtful, { label: 'x' }))).toBe('ERR_EIF_DOUBTFUL')
  const taken = referenceValues(doubtful, { label: 'x', allowDoubtful: true })
  expect(taken.pcrs).toEqual(doubtful.pcrs)
})

test('a difference says what must be admitted during a rollout, and what after it', () => {
  const before = referenceValues(good, { label: '1.0' })
  const after = referenceValues(other, { label: '1.1' })
  const diff = diffReferenceValues(before, after)
  expect(diff.same).toEqual([{ pcr: 1, value: good.pcrs[1] }])
  expect(diff.changed).toEqual([
    { pcr: 0, before: good.pcrs[0], after: other.pcrs[0] },
    { pcr: 2, before: good.pcrs[2], after: other.pcrs[2] },
  ])
  expect(diff.duringRollout).toEqual([before, after])
  expect(diff.afterRollout).toEqual([after])
})

test('images that measure the same are one set', () => {
  const before = referenceValues(good, { label: '1.0' })
  const after = referenceValues(good, { label: '1.0' })
  expect(diffReferenceValues(before, after)).toMatchObject({ changed: [], duringRollout: [after] })
})

test('an image that becomes signed changes PCR8', () => {
  const before = referenceValues(good, { label: '1.0' })
  const after = { label: 'signed', pcrs: { ...good.pcrs, 8: 'ab'.repeat(48) } }
  expect(diffReferenceValues(before, after).changed).toEqual([
    { pcr: 8, before: undefined, after: 'ab'.repeat(48) },
  ])
})

test('what the caller does wrong is a TypeError', async () => {
  const values = referenceValues(good, { label: '1.0' })
  expect(await outcome(() => referenceValues(good, { label: '' }))).toBe('TypeError')
  const misspelt = { label: 'x', allowDoubtfull: true }
  expect(await outcome(() => referenceValues(doubtful, misspelt))).toBe('TypeError')
  const same = referenceValues(other, { label: '1.0' })
  expect(await outcome(() => diffReferenceValues(values, same))).toBe('TypeError')
  const hash = { createHash: createSha384 }
  expect(await outcome(() => computeRolePcr('arn:aws:iam::1:user/x', hash))).toBe('TypeError')
  expect(await outcome(() => computeInstancePcr('i-xyz', hash))).toBe('TypeError')
  const md5 = { createHash: () => ({ update: () => {}, digest: () => new Uint8Array(48) }) }
  expect(await outcome(() => computePcr(new Uint8Array(), md5))).toBe('TypeError')
})
