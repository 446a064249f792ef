import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { computeInstancePcr, computePcr, computeRolePcr, type EifErrorCode } from '@enclavejs/eif'
import { describeFile } from '@enclavejs/eif/node'
import { expect, test } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { bytes, createSha384, outcome } from './fixture.ts'

interface Vector {
  readonly file: string
  readonly expect: 'ok' | 'warn' | 'reject'
  readonly reason?: string
  readonly warnings?: string[]
  readonly pcrs?: Record<string, string>
  readonly sequentialWalkPcrs?: Record<string, string>
}

interface Index {
  readonly scalar: {
    readonly emptyMeasurement: string
    readonly pcr3: { readonly arn: string; readonly value: string }
    readonly pcr4: { readonly instanceId: string; readonly value: string }
    readonly filePcr: { readonly input_utf8: string; readonly value: string }
  }
  readonly vectors: readonly Vector[]
}

const folder = vectors('eif')
const index =
  folder === undefined
    ? undefined
    : (JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as Index)
const hash = { createHash: createSha384 }
/** The certificates of the vectors were made on that day, so their dates do not depend on the machine's clock. */
const currentDate = new Date('2026-11-22T00:00:00Z')

const reason = (code: string): string =>
  code.replace('ERR_EIF_', '').toLowerCase().replaceAll('_', '-')

if (index === undefined || folder === undefined) {
  test.skip('the enclave images of ../shared/vectors/eif are not here', () => {})
} else {
  test.each(index.vectors)('$file: $expect', async (vector) => {
    const path = join(folder, vector.file)
    if (vector.expect === 'reject') {
      const code = (await outcome(() => describeFile(path, { currentDate }))) as EifErrorCode
      expect(reason(code)).toBe(vector.reason)
      return
    }
    const description = await describeFile(path, { currentDate })
    const { pcrs, warnings, sequentialWalk } = description
    const named = Object.fromEntries(
      Object.entries(pcrs).map(([pcr, value]) => [`PCR${pcr}`, value as string]),
    )
    expect(named).toEqual(vector.pcrs)
    expect(warnings.map(({ code }) => code)).toEqual(vector.warnings ?? [])
    if (vector.sequentialWalkPcrs !== undefined) {
      const walked = vector.sequentialWalkPcrs
      expect(sequentialWalk).toEqual({
        pcrs: { 0: walked['PCR0'], 1: walked['PCR1'], 2: walked['PCR2'] },
      })
    }
  })

  test('values that are no images', () => {
    const { emptyMeasurement, pcr3, pcr4, filePcr } = index.scalar
    expect(computePcr(new Uint8Array(), hash)).toBe(emptyMeasurement)
    expect(computeRolePcr(pcr3.arn, hash)).toBe(pcr3.value)
    expect(computeInstancePcr(pcr4.instanceId, hash)).toBe(pcr4.value)
    expect(computePcr(bytes(filePcr.input_utf8), hash)).toBe(filePcr.value)
  })
}
