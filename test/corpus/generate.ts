import { debugCases, pcrCases } from './appraisal.ts'
import { bundleCases } from './bundle.ts'
import { certificateSignatureCases } from './certificate-signature.ts'
import { certificateCases } from './certificate.ts'
import type { Corpus, CorpusCase, Draft } from './corpus.ts'
import { headerCases } from './cose-header.ts'
import { signatureLengthCases, signatureCases } from './cose-signature.ts'
import { expectedFieldCases } from './expected-field.ts'
import { presenceCases, typeCases } from './fields.ts'
import { freshnessCases } from './freshness.ts'
import { issuerCases } from './issuer.ts'
import { keyUsageCases } from './key-usage.ts'
import { algorithmCases, curveCases } from './key.ts'
import { messageCases } from './message.ts'
import { optionalFieldCases, nitroTpmCases } from './optional-field.ts'
import { pathExtensionCases } from './path-extension.ts'
import { pathCases } from './path.ts'
import { cborCases } from './payload.ts'
import { pcrFieldCases } from './pcr-field.ts'
import { NOW, openWorkshop, POLICY } from './workshop.ts'

/** Makes the corpus anew, with new keys. */
export async function generateCorpus(): Promise<Corpus> {
  const shop = await openWorkshop()
  const themes = [
    messageCases,
    headerCases,
    signatureLengthCases,
    signatureCases,
    cborCases,
    presenceCases,
    typeCases,
    pcrFieldCases,
    optionalFieldCases,
    nitroTpmCases,
    certificateCases,
    pathCases,
    keyUsageCases,
    pathExtensionCases,
    issuerCases,
    bundleCases,
    algorithmCases,
    curveCases,
    certificateSignatureCases,
    freshnessCases,
    debugCases,
    pcrCases,
    expectedFieldCases,
  ]
  return {
    version: 1,
    trustAnchor: base64(shop.path.root.certificate),
    cases: themes.flatMap((theme) => theme(shop)).map(written),
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
