import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { measure, measuredPcr } from '../src/measure.ts'
import { NsmError } from '../src/error.ts'

const sha384 = (...parts: Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.reduce((hash, part) => hash.update(part), createHash('sha384')).digest())
const configuration = new TextEncoder().encode('{"tenant":"a"}')

/** PCRs that extend and lock as the NSM's do. */
function registers() {
  const pcrs = new Map<number, { locked: boolean; data: Uint8Array }>()
  const pcr = (index: number) => {
    const state = pcrs.get(index) ?? { locked: false, data: new Uint8Array(48) }
    pcrs.set(index, state)
    return state
  }
  const open = (index: number) => {
    const state = pcr(index)
    if (state.locked) throw new NsmError('ERR_NSM_READ_ONLY_INDEX', 'locked')
    return state
  }
  return {
    describePcr: async (index: number) => ({ ...pcr(index) }),
    extendPcr: async (index: number, data: Uint8Array) => {
      const state = open(index)
      state.data = sha384(state.data, data)
      return state.data
    },
    lockPcr: async (index: number) => {
      open(index).locked = true
    },
  }
}

test('measure extends from zero with the digest and locks', async () => {
  const device = registers()
  const digest = sha384(configuration)
  const value = sha384(new Uint8Array(48), digest)
  expect(await measure(device, configuration, { pcr: 16 })).toEqual({ pcr: 16, digest, value })
  expect(await device.describePcr(16)).toEqual({ locked: true, data: value })
  expect(measuredPcr(configuration)).toEqual(value)
  // printf '' | sha384sum, then sha384sum over 48 zero bytes and that
  expect(Buffer.from(measuredPcr(new Uint8Array())).toString('hex')).toBe(
    '21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a',
  )
})

test.each([15, 32, -1, 16.5, NaN])('PCR%d is out of bounds', async (pcr) => {
  await expect(measure(registers(), configuration, { pcr })).rejects.toThrow(
    /^pcr must be an integer from 16 to 31/,
  )
})

test.each([16, 31])('PCR%d is taken', async (pcr) => {
  expect((await measure(registers(), configuration, { pcr })).pcr).toBe(pcr)
})

test('a PCR that holds something is refused and left as it is', async () => {
  const device = registers()
  const before = await device.extendPcr(20, Uint8Array.of(1))
  await expect(measure(device, configuration, { pcr: 20 })).rejects.toMatchObject({
    code: 'ERR_NSM_PCR_NOT_ZERO',
  })
  expect(await device.describePcr(20)).toEqual({ locked: false, data: before })
})

test('a locked PCR is refused, measured or empty', async () => {
  const device = registers()
  await measure(device, configuration, { pcr: 17 })
  await device.lockPcr(18)
  for (const pcr of [17, 18]) {
    await expect(measure(device, configuration, { pcr })).rejects.toMatchObject({
      code: 'ERR_NSM_READ_ONLY_INDEX',
    })
  }
})

test('somebody who extends between the steps is noticed', async () => {
  for (const step of ['extendPcr', 'lockPcr'] as const) {
    const device = registers()
    const raced = {
      ...device,
      [step]: async (index: number, data: Uint8Array) => {
        await device.extendPcr(index, Uint8Array.of(66))
        return device[step](index, data)
      },
    }
    await expect(measure(raced, configuration, { pcr: 16 })).rejects.toMatchObject({
      code: 'ERR_NSM_RESPONSE',
    })
  }
})

test('data must be bytes', async () => {
  await expect(measure(registers(), 'text' as never, { pcr: 16 })).rejects.toThrow(
    new TypeError('data must be a Uint8Array'),
  )
  expect(() => measuredPcr('text' as never)).toThrow(TypeError)
  await expect(measure(registers(), configuration, { pcr: '16' as never })).rejects.toThrow(
    TypeError,
  )
})
