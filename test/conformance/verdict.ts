import type { Verifier } from '@enclavejs/attestation'
import type { CorpusCase } from '../corpus/corpus.ts'
import { expectSame, thrown, type Checks } from './report.ts'
import { dateOf, documentOf, expectedOf, policyOf, provider, type Subject } from './subject.ts'

/** Every case of the corpus through every door: each has to come to the same verdict. */
export async function checkVerdicts(subject: Subject, checks: Checks): Promise<void> {
  const { library, corpus } = subject
  const options = (one: CorpusCase) => ({
    ...policyOf(subject, one),
    ...expectedOf(one),
    ...provider(subject),
  })
  for (const one of corpus.cases) {
    await checks.check(`verifyAttestation ${one.name}`, () =>
      judged(subject, one, () =>
        library.verifyAttestation(documentOf(one), { ...options(one), currentDate: dateOf(one) }),
      ),
    )
    await checks.check(`verifyArchivedAttestation ${one.name}`, () =>
      judged(subject, one, async () => {
        const at = dateOf(one)
        const result = await library.verifyArchivedAttestation(documentOf(one), {
          ...options(one),
          at,
        })
        expectSame(result.appraisedAt.getTime(), at.getTime(), 'appraisedAt')
      }),
    )
  }
  // What was accepted first is remembered when the rest comes: a memory changes no verdict.
  const accepted = corpus.cases.filter((one) => one.expect === 'accept')
  const refused = corpus.cases.filter((one) => one.expect !== 'accept')
  const verifiers = new Verifiers(subject)
  for (const one of [...accepted, ...refused, ...accepted]) {
    await checks.check(`createVerifier ${one.name}`, () =>
      judged(subject, one, () => verifiers.verify(one)),
    )
  }
}

/** One verifier for each policy, and a clock that goes where a case wants it. */
class Verifiers {
  readonly #subject: Subject
  readonly #verifiers = new Map<string, Verifier>()
  #now = new Date(0)

  constructor(subject: Subject) {
    this.#subject = subject
  }

  async verify(one: CorpusCase): Promise<unknown> {
    const { nonce: _, publicKey: __, userData: ___, ...policy } = one.policy
    const key = JSON.stringify([
      policy,
      one.trustAnchor === undefined ? 'the corpus' : one.trustAnchor,
    ])
    let verifier = this.#verifiers.get(key)
    if (verifier === undefined) {
      verifier = this.#subject.library.createVerifier({
        ...policyOf(this.#subject, one),
        ...provider(this.#subject),
        now: () => this.#now,
      })
      this.#verifiers.set(key, verifier)
    }
    this.#now = dateOf(one)
    return verifier.verify(documentOf(one), expectedOf(one))
  }
}

async function judged(
  { library }: Subject,
  one: CorpusCase,
  call: () => Promise<unknown>,
): Promise<void> {
  const error = await thrown(call)
  const { code, message, certificate, pcr } = (error ?? {}) as {
    code?: string
    message?: string
    certificate?: string
    pcr?: number
  }
  const verdict = error === undefined ? 'accept' : (code ?? `${message}, which has no code,`)
  expectSame(verdict, one.expect, message === undefined ? 'verdict' : `verdict (${message})`)
  if (one.certificate !== undefined) expectSame(certificate, one.certificate, 'certificate')
  if (one.pcr !== undefined) expectSame(pcr, one.pcr, 'pcr')
  if (error === undefined) return
  expectSame(error instanceof library.AttestationError, true, 'an AttestationError')
  expectSame(
    error instanceof library.CertificateError,
    certificate !== undefined,
    'a CertificateError',
  )
  expectSame(error instanceof library.PcrError, pcr !== undefined, 'a PcrError')
  expectSame((message ?? '').length > 10, true, 'a message that says something')
}
