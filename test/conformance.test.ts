import { Crypto } from '@peculiar/webcrypto'
import { expect, test } from 'vitest'
import * as library from '@enclavejs/attestation'
import type { Subtle } from '@enclavejs/attestation'
import { runConformance } from './conformance/conformance.ts'
import { generateCorpus } from './corpus/generate.ts'

const corpus = await generateCorpus()

/** Seconds where the machine is its own. */
const LONG = { timeout: 180_000 }

test('conformance on this Node, with its own WebCrypto', LONG, async () => {
  const { passed, failures } = await runConformance(library, undefined, corpus)
  expect(failures).toEqual([])
  expect(passed).toBeGreaterThan(2000)
})

test('conformance with @peculiar/webcrypto as the crypto provider', LONG, async () => {
  const subtle = new Crypto().subtle as unknown as Subtle
  const { passed, failures } = await runConformance(library, subtle, corpus)
  expect(failures).toEqual([])
  expect(passed).toBeGreaterThan(2000)
})

test(
  'a verifier that refuses everything, and one that accepts everything, do not conform',
  LONG,
  async () => {
    const wanted = corpus.cases.filter((one) => one.expect === 'accept')
    const cases = [...wanted, ...corpus.cases.filter((one) => one.name.startsWith('path-length/'))]
    const never = async (): Promise<never> => {
      throw new library.AttestationError('ERR_ATTESTATION_SIZE', 'refused whatever it is')
    }
    const always = async (): Promise<never> => ({}) as never
    for (const verifyAttestation of [never, always]) {
      const lax = { ...library, verifyAttestation }
      const { failed } = await runConformance(lax, undefined, { ...corpus, cases })
      expect(failed).toBeGreaterThan(8)
    }
  },
)
