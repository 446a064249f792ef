import { readFileSync } from 'node:fs'
import { RuleProbe } from './rule-probe.ts'
import { Stage } from '../runtimes/stage.ts'
import { generateCorpus } from './generate.ts'
import { dateOf, documentOf, expectedOf, policyOf } from '../conformance/subject.ts'
const stage = await Stage.open()
const corpus = await generateCorpus()
const probe = await RuleProbe.open(stage.folder)
const subject = { library: probe.library, subtle: undefined, corpus }
process.on('unhandledRejection', () => {})
const h: Record<string, number> = {}
for (const one of corpus.cases) {
  if (one.expect === 'accept') continue
  const rules = await probe.rules(() => probe.library.verifyAttestation(documentOf(one), { ...policyOf(subject, one), ...expectedOf(one), currentDate: dateOf(one) }))
  const n = rules?.length ?? 'never'
  h[n] = (h[n] ?? 0) + 1
  if (n !== 1) console.log(one.name, n, '\n     ', rules?.map(r=>r.slice(0,130)).join('\n      '))
}
console.log(h)
stage.close()
