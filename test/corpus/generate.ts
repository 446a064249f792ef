import { appraisalCases } from './appraisal.ts'
import { bundleCases } from './bundle.ts'
import { certificateCases } from './certificate.ts'
import type { Corpus, CorpusCase, Draft } from './corpus.ts'
import { fieldCases } from './fields.ts'
import { keyCases } from './key.ts'
import { messageCases } from './message.ts'
import { pathCases } from './path.ts'
import { cborCases } from './payload.ts'
import { NOW, openWorkshop, POLICY } from './workshop.ts'

/** Makes the corpus anew, with new keys. */
export async function generateCorpus(): Promise<Corpus> {
  const shop = await openWorkshop()
  const drafts = [
    ...messageCases(shop),
    ...cborCases(shop),
    ...fieldCases(shop),
    ...certificateCases(shop),
    ...pathCases(shop),
    ...bundleCases(shop),
    ...keyCases(shop),
    ...appraisalCases(shop),
  ]
  return {
    version: 1,
    trustAnchor: base64(shop.path.root.certificate),
    cases: drafts.map(written),
  }
}

function written(draft: Draft): CorpusCase {
  const { name, rule, source, document, expect, certificate, pcr, trustAnchor } = draft
  return {
    name,
    rule,
    source,
    expect,
    ...(certificate === undefined ? {} : { certificate }),
    ...(pcr === undefined ? {} : { pcr }),
    currentDate: (draft.currentDate ?? NOW).toISOString(),
    policy: draft.policy ?? POLICY,
    ...(trustAnchor === undefined
      ? {}
      : { trustAnchor: trustAnchor === null ? null : base64(trustAnchor) }),
    document: base64(document),
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

// node --conditions=@enclavejs/source test/corpus/generate.ts > corpus.json
if (import.meta.main) {
  process.stdout.write(`${JSON.stringify(await generateCorpus(), null, 1)}\n`)
}
