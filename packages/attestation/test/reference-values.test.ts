import { beforeAll, describe, expect, test } from 'vitest'
import type { CertificateAuthority } from '@enclavejs/simulator'
import { PcrError, verifyAttestation } from '@enclavejs/attestation'
import type { ReferenceValues, VerifyAttestationOptions } from '@enclavejs/attestation'
import { authorityAt, documentOf, IMAGE, NONCE, NOW, outcome, pcr, somePcrs } from './fixture.ts'

let authority: CertificateAuthority
let base: VerifyAttestationOptions

beforeAll(async () => {
  authority = await authorityAt()
  base = { nonce: NONCE, trustAnchors: [authority.trustAnchor], currentDate: NOW }
})

const hex = (byte: number): string => Buffer.from(pcr(byte)).toString('hex')
const image = (first: number, label?: string): ReferenceValues => ({
  ...(label === undefined ? {} : { label }),
  pcrs: { 0: pcr(first), 1: pcr(first + 1), 2: pcr(first + 2) },
})
const verify = (referenceValues: unknown, options: object = {}) =>
  verifyAttestation(documentOf(authority), { ...base, referenceValues, ...options } as never)

describe('reference values that are refused at the door', () => {
  test.each([
    ['null', null, TypeError],
    ['an empty list', [], TypeError],
    ['an empty set', { pcrs: {} }, TypeError],
    ['a set without pcrs', {}, TypeError],
    ['PCR0 alone', { pcrs: { 0: pcr(1) } }, TypeError],
    ['PCR0 and PCR1 without PCR2', { pcrs: { 0: pcr(1), 1: pcr(2) } }, TypeError],
    ['PCR3 and PCR4 alone', { pcrs: { 3: pcr(4), 4: pcr(5) } }, TypeError],
    ['a weak set among good ones', [image(1, 'a'), { label: 'b', pcrs: { 0: pcr(1) } }], TypeError],
    ['zero values', { pcrs: { 0: pcr(0), 1: pcr(0), 2: pcr(0) } }, TypeError],
    ['one zero value', { pcrs: { ...IMAGE.pcrs, 8: pcr(0) } }, TypeError],
    ['a zero value in hex', { pcrs: { ...IMAGE.pcrs, 4: hex(0) } }, TypeError],
    ['47 bytes', { pcrs: { ...IMAGE.pcrs, 0: new Uint8Array(47).fill(1) } }, TypeError],
    ['95 hex digits', { pcrs: { ...IMAGE.pcrs, 0: hex(1).slice(1) } }, TypeError],
    ['no hex digits', { pcrs: { ...IMAGE.pcrs, 0: 'zz'.repeat(48) } }, TypeError],
    ['hex with 0x', { pcrs: { ...IMAGE.pcrs, 0: `0x${hex(1)}` } }, TypeError],
    ['undefined as a value', { pcrs: { ...IMAGE.pcrs, 3: undefined } }, TypeError],
    ['PCR32', { pcrs: { ...IMAGE.pcrs, 32: pcr(1) } }, RangeError],
    ['PCR-1', { pcrs: { ...IMAGE.pcrs, '-1': pcr(1) } }, TypeError],
    ['PCR01', { pcrs: { ...IMAGE.pcrs, '01': pcr(2) } }, TypeError],
    [
      'HashAlgorithm among the PCRs',
      { pcrs: { ...IMAGE.pcrs, HashAlgorithm: 'Sha384' } },
      TypeError,
    ],
    ['a PCR under two names', { pcrs: { ...IMAGE.pcrs, PCR0: pcr(1) } }, TypeError],
    ['an unknown key', { ...IMAGE, lable: 'x' }, TypeError],
    ['an empty label', { ...IMAGE, label: '' }, TypeError],
    ['two sets without labels', [image(1), image(2)], TypeError],
    ['two sets with one label', [image(1, 'a'), image(2, 'a')], TypeError],
  ])('%s', async (_, referenceValues, error) => {
    await expect(verify(referenceValues)).rejects.toBeInstanceOf(error)
  })
})

describe('matching', () => {
  test('takes bytes, hex of either case, and the names that nitro-cli prints', async () => {
    for (const pcrs of [
      { 0: pcr(1), 1: pcr(2), 2: pcr(3) },
      { 0: hex(1), 1: hex(2).toUpperCase(), 2: hex(3) },
      { PCR0: hex(1), PCR1: hex(2), PCR2: hex(3) },
      { 8: hex(9) },
      { PCR8: hex(9), 3: pcr(4), 15: pcr(16) },
    ]) {
      await expect(verify({ pcrs })).resolves.toBeDefined()
    }
  })

  test('names the set of a rolling upgrade that answered', async () => {
    const result = await verify([image(40, 'v1'), image(1, 'v2'), image(60, 'v3')])
    expect(result.referenceLabel).toBe('v2')
    expect((await verify({ ...image(1), label: 'only' })).referenceLabel).toBe('only')
  })

  test('never mixes PCRs of two sets', async () => {
    const pcrs = somePcrs()
    pcrs.set(0, pcr(1)).set(1, pcr(2)).set(2, pcr(43))
    const document = documentOf(authority, { pcrs })
    const referenceValues = [
      image(1, 'v1'),
      { label: 'v2', pcrs: { 0: pcr(41), 1: pcr(42), 2: pcr(43) } },
    ]
    const code = await outcome(() => verifyAttestation(document, { ...base, referenceValues }))
    expect(code).toBe('ERR_ATTESTATION_PCR')
  })

  test('says which PCR differs, what was expected and seen, and which set came closest', async () => {
    const far = { label: 'far', pcrs: { 0: pcr(90), 1: pcr(91), 2: pcr(92) } }
    const near = { label: 'near', pcrs: { 0: pcr(1), 1: pcr(2), 2: pcr(77) } }
    const error = await verify([far, near]).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(PcrError)
    expect(error).toMatchObject({
      code: 'ERR_ATTESTATION_PCR',
      pcr: 2,
      expected: hex(77),
      actual: hex(3),
      label: 'near',
    })
    expect((error as Error).message).toContain('"near", the closest of 2 sets (2 match)')
  })

  test('a PCR that is required and not in the document is a refusal of its own', async () => {
    const error = await verify({ pcrs: { ...IMAGE.pcrs, 16: pcr(1) } }).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code: 'ERR_ATTESTATION_PCR_ABSENT', pcr: 16, actual: undefined })
  })

  test('every PCR of a set counts', async () => {
    for (let index = 0; index < 16; index++) {
      const pcrs = { ...IMAGE.pcrs, [index]: pcr(200) }
      const error = await verify({ pcrs }).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'ERR_ATTESTATION_PCR', pcr: index })
    }
  })
})
