import type { AppraisalPolicyOptions, ExpectedFields, Subtle } from '@enclavejs/attestation'
import type { Corpus, CorpusCase } from '../corpus/corpus.ts'
import { fromBase64, fromHex } from './bytes.ts'

/** The library under test, by what it exports. */
export type AttestationLibrary = typeof import('@enclavejs/attestation')

/** What the suite runs on. */
export interface Subject {
  readonly library: AttestationLibrary
  /** The crypto provider that is given to each call; undefined: the platform's, and the option is left out. */
  readonly subtle: Subtle | undefined
  readonly corpus: Corpus
}

/** The option `subtle` of each call, or nothing. */
export function provider({ subtle }: Subject): { readonly subtle?: Subtle } {
  return subtle === undefined ? {} : { subtle }
}

/** The provider itself. */
export function subtleOf({ subtle }: Subject): Subtle {
  return subtle ?? (globalThis.crypto.subtle as unknown as Subtle)
}

export function caseNamed({ corpus }: Subject, name: string): CorpusCase {
  const found = corpus.cases.find((one) => one.name === name)
  if (found === undefined) throw new Error(`the corpus has no ${name}`)
  return found
}

/** A case's policy as the library takes it, without what belongs to one exchange. */
export function policyOf({ corpus }: Subject, one: CorpusCase): AppraisalPolicyOptions {
  const { nonce: _, publicKey: __, userData: ___, ...policy } = one.policy
  const anchor = one.trustAnchor === undefined ? corpus.trustAnchor : one.trustAnchor
  return { ...policy, ...(anchor === null ? {} : { trustAnchors: [fromBase64(anchor)] }) }
}

/** What a case expects of the document that answers it. */
export function expectedOf({ policy }: CorpusCase): ExpectedFields {
  const { nonce, publicKey, userData } = policy
  return {
    ...(nonce === undefined ? {} : { nonce: fromHex(nonce) }),
    ...(publicKey === undefined ? {} : { publicKey: fromHex(publicKey) }),
    ...(userData === undefined ? {} : { userData: fromHex(userData) }),
  }
}

export function documentOf(one: CorpusCase): Uint8Array {
  return fromBase64(one.document)
}

export function dateOf(one: CorpusCase): Date {
  return new Date(one.currentDate)
}
