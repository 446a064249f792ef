import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dateOf, documentOf, expectedOf, policyOf } from './conformance/subject.ts'
import type { Corpus, CorpusCase } from './corpus/corpus.ts'
import { generateCorpus } from './corpus/generate.ts'
import { RuleProbe } from './corpus/rule-probe.ts'
import { rightlySigned } from './corpus/signature-oracle.ts'
import { Stage } from './runtimes/stage.ts'

const repository = dirname(dirname(fileURLToPath(import.meta.url)))

let corpus: Corpus
let stage: Stage | undefined
beforeAll(async () => {
  corpus = await generateCorpus()
  stage = await Stage.open()
})
afterAll(() => stage?.close())

/** Codes of rules that a signature stands for too, whatever else is right: the document or its path is not signed. */
const UNSIGNED =
  /^ERR_ATTESTATION_(?:SIGNATURE|SIGNATURE_LENGTH|CERTIFICATE_SIGNATURE|CERTIFICATE_ALGORITHM)$/

/** Cases that put certificates where they do not belong, or say of a signature what is not so: no order of them verifies. */
const DISORDERED =
  /^(?:cabundle\/(?:0|reversed|root-.*|leaf-first|swapped|.*-absent|repeated|foreign-between)|anchor\/(?:root-signature-flipped|foreign-before-the-root|stranger-.*|regional-.*))$|^certificate\/(?:algorithms-differ.*|signature-unused-bits)$|^key\/(?:leaf-p-256|zonal-rsa)$|^message\/signature-text$/

/** Codes of the rules that are applied to what has been read, one after the other and independent of each other. */
const INDEPENDENT =
  /^ERR_ATTESTATION_(?:SIZE|UNPROTECTED_HEADER|SIGNATURE|FIELD_UNKNOWN|MODULE_ID|DIGEST|TIMESTAMP|(?:PUBLIC_KEY|USER_DATA|NONCE)_SIZE|TRUST_ANCHOR|CERTIFICATE_(?:NOT_YET_VALID|EXPIRED|NOT_CA|IS_CA|PATH_LENGTH|KEY_USAGE|EXTENSION)|TIMESTAMP_FUTURE|TIMESTAMP_VALIDITY|TOO_OLD|DEBUG_MODE|PCR|PCR_ABSENT|NONCE|PUBLIC_KEY|USER_DATA)$/

describe('the corpus', { timeout: 180_000 }, () => {
  test('has a document for every code, and documents that are good', () => {
    const source = readFileSync(join(repository, 'packages/attestation/src/error.ts'), 'utf8')
    const codes = new Set(source.match(/(?<=\| ')ERR_ATTESTATION_\w+(?=')/g))
    const seen = new Set(corpus.cases.map((one) => one.expect))
    expect(codes.size).toBeGreaterThan(40)
    expect([...codes].filter((code) => !seen.has(code))).toEqual([])
    expect([...seen].filter((code) => code !== 'accept' && !codes.has(code))).toEqual([])
    const accepted = corpus.cases.filter((one) => one.expect === 'accept')
    expect(accepted.length).toBeGreaterThan(60)
    expect(corpus.cases.length - accepted.length).toBeGreaterThan(500)
  })

  test('names each case once, and says its rule and where it stands', () => {
    const names = corpus.cases.map((one) => one.name)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, rule, source, document, currentDate } of corpus.cases) {
      expect(name).toMatch(/^[a-z-]+\/[a-z0-9-]+$/)
      expect(rule.length, name).toBeGreaterThan(10)
      expect(source.length, name).toBeGreaterThan(3)
      expect(Buffer.from(document, 'base64').toString('base64'), name).toBe(document)
      expect(new Date(currentDate).toISOString(), name).toBe(currentDate)
    }
  })

  test('is rightly signed throughout, by OpenSSL, where a signature is not what is wrong', () => {
    const wrong: string[] = []
    let right = 0
    for (const { name, expect: verdict, document } of corpus.cases) {
      const signed = rightlySigned(Buffer.from(document, 'base64'))
      if (signed === true) right++
      if (
        signed === true &&
        verdict.endsWith('SIGNATURE') &&
        name !== 'signature/sha-256' &&
        name !== 'signature/sha-512'
      )
        wrong.push(`${name} verifies`)
      if (signed === true || UNSIGNED.test(verdict) || DISORDERED.test(name)) continue
      if (signed === false || verdict === 'accept') wrong.push(`${name} does not verify`)
    }
    expect(wrong).toEqual([])
    // What OpenSSL or cbor-x cannot read stays undecided.
    expect(right).toBeGreaterThan(430)
  })

  test('is refused by one rule alone: without it the document is accepted', async () => {
    const probe = await RuleProbe.open((stage as Stage).folder)
    const subject = { library: probe.library, subtle: undefined, corpus }
    const refusals = (one: CorpusCase): Promise<string[]> =>
      probe.refusals(() =>
        probe.library.verifyAttestation(documentOf(one), {
          ...policyOf(subject, one),
          ...expectedOf(one),
          currentDate: dateOf(one),
        }),
      )
    const several: string[] = []
    let count = 0
    for (const one of corpus.cases) {
      if (!INDEPENDENT.test(one.expect) && !one.name.startsWith('issuer/')) continue
      count++
      const found = await refusals(one)
      if (found.length !== 1) several.push(one.name)
    }
    // No byte is no message either; and debug mode and the image both ask whether PCR0, 1 and 2 are there.
    expect(several).toEqual(['message/empty', 'pcr/0-absent', 'pcr/1-absent', 'pcr/2-absent'])
    expect(count).toBeGreaterThan(200)
  })

  test('is printed as JSON by its generator', () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      ['--conditions=@enclavejs/source', 'test/corpus/generate.ts'],
      { cwd: repository, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, timeout: 60_000 },
    )
    expect(status).toBe(0)
    const printed = JSON.parse(stdout) as Corpus
    expect(printed.version).toBe(1)
    expect(printed.cases.map((one) => one.name)).toEqual(corpus.cases.map((one) => one.name))
  })
})
