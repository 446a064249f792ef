import type { Subtle, VerifierOptions } from '@enclavejs/attestation'
import { expectSame, thrown, type Checks } from './report.ts'
import {
  caseNamed,
  dateOf,
  documentOf,
  expectedOf,
  policyOf,
  subtleOf,
  type Subject,
} from './subject.ts'

/** A provider that counts what it verifies. */
class CountingSubtle {
  readonly #subtle: Subtle
  verifications = 0
  readonly subtle: Subtle

  constructor(subtle: Subtle) {
    this.#subtle = subtle
    this.subtle = {
      importKey: (...input) => this.#subtle.importKey(...input),
      digest: (...input) => this.#subtle.digest(...input),
      verify: (...input) => {
        this.verifications++
        return this.#subtle.verify(...input)
      },
    }
  }

  /** How many signatures a call verified. */
  async during(call: () => Promise<unknown>): Promise<number> {
    const before = this.verifications
    await call()
    return this.verifications - before
  }
}

/** What createVerifier remembers, and what it does not. */
export async function checkMemory(subject: Subject, checks: Checks): Promise<void> {
  const good = caseNamed(subject, 'message/untagged')
  const document = documentOf(good)
  const expected = expectedOf(good)
  /** The same CA certificates, another enclave certificate. */
  const neighbour = documentOf(caseNamed(subject, 'key-usage/leaf-critical'))
  /** What the good document's own policy refuses. */
  const refused = subject.corpus.cases
    .filter((one) => one.expect !== 'accept' && one.trustAnchor === undefined)
    .filter(({ policy }) => JSON.stringify(policy) === JSON.stringify(good.policy))
    .map(documentOf)
  const open = (more: Partial<VerifierOptions> = {}) => {
    const counting = new CountingSubtle(subtleOf(subject))
    const verifier = subject.library.createVerifier({
      ...policyOf(subject, good),
      now: () => dateOf(good),
      ...more,
      subtle: counting.subtle,
    })
    const cost = (bytes: Uint8Array): Promise<number> =>
      counting.during(() => verifier.verify(bytes, expected))
    return { counting, verifier, cost }
  }

  await checks.check(
    'memory: a cold document costs five signatures, a known enclave one',
    async () => {
      const { cost } = open()
      expectSame(await cost(document), 5, 'cold')
      expectSame(await cost(document), 1, 'known enclave')
    },
  )
  await checks.check('memory: known CA certificates and a new enclave cost two', async () => {
    const { cost } = open()
    await cost(document)
    expectSame(await cost(neighbour), 2, 'known CAs')
    expectSame(await cost(document), 1, 'and the first one is still known')
  })
  await checks.check('memory: verifyAttestation has none', async () => {
    const counting = new CountingSubtle(subtleOf(subject))
    const options = { ...policyOf(subject, good), ...expected, currentDate: dateOf(good) }
    for (const time of ['first', 'second']) {
      const cost = await counting.during(() =>
        subject.library.verifyAttestation(document, { ...options, subtle: counting.subtle }),
      )
      expectSame(cost, 5, `${time} time`)
    }
  })
  await checks.check('memory: what was refused leaves no trace', async () => {
    const { verifier, cost } = open()
    for (const bytes of refused) await thrown(() => verifier.verify(bytes, expected))
    expectSame(await cost(document), 5, 'after all refused documents')
  })
  await checks.check(
    'memory: a document that is genuine and not wanted leaves no trace',
    async () => {
      const { verifier, cost } = open()
      const error = await thrown(() => verifier.verify(document, { nonce: new Uint8Array(16) }))
      expectSame((error as { code?: string }).code, 'ERR_ATTESTATION_NONCE', 'code')
      expectSame(await cost(document), 5, 'after it')
    },
  )
  await checks.check('memory: a flood of refused documents evicts nothing', async () => {
    const { verifier, cost } = open({ cacheSize: 4 })
    await cost(document)
    for (const bytes of refused) await thrown(() => verifier.verify(bytes, expected))
    expectSame(await cost(document), 1, 'after the flood')
  })
  await checks.check('memory: it is bounded', async () => {
    const { cost } = open({ cacheSize: 1 })
    await cost(document)
    expectSame((await cost(document)) > 1, true, 'one link of four is known')
  })
  await checks.check('memory: dates are judged on every call', async () => {
    const clock = { now: dateOf(good) }
    const { verifier } = open({ now: () => clock.now })
    await verifier.verify(document, expected)
    for (const [hours, code] of [
      [4, 'ERR_ATTESTATION_CERTIFICATE_EXPIRED'],
      [-1, 'ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID'],
    ] as const) {
      clock.now = new Date(dateOf(good).getTime() + hours * 3_600_000)
      const error = await thrown(() => verifier.verify(document, expected))
      expectSame((error as { code?: string }).code, code, `${hours} hours later`)
    }
  })
  await checks.check('memory: the policy is judged on every call', async () => {
    const { verifier } = open()
    await verifier.verify(document, expected)
    const other = documentOf(caseNamed(subject, 'pcr/0-differs-in-one-bit'))
    const error = await thrown(() => verifier.verify(other, expected))
    expectSame((error as { code?: string }).code, 'ERR_ATTESTATION_PCR', 'code')
  })
  await checks.check('memory: fifty calls at once agree', async () => {
    const { verifier } = open()
    const flipped = document.slice()
    flipped[flipped.length - 1] = (flipped.at(-1) as number) ^ 1
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) =>
        verifier.verify(index % 2 ? flipped : document, expected),
      ),
    )
    for (const [index, { status }] of outcomes.entries()) {
      expectSame(status, index % 2 ? 'rejected' : 'fulfilled', `call ${index}`)
    }
  })
}
