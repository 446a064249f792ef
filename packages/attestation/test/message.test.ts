// Every refusal of the malformed corpus names the field, what was expected and what was seen.
import { beforeAll, expect, test } from 'vitest'
import * as library from '@enclavejs/attestation'
import type { AttestationErrorCode } from '@enclavejs/attestation'
import type { Corpus } from '../../../test/corpus/corpus.ts'
import { generateCorpus } from '../../../test/corpus/generate.ts'
import { dateOf, documentOf, expectedOf, policyOf } from '../../../test/conformance/subject.ts'

const CERTIFICATE = String.raw`(?:certificate|cabundle\[\d\])(?: \(.*\))?: `
const DATE = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`
const field = (name: string): RegExp =>
  new RegExp(`^${name}(?:\\[\\d+\\])?: .+ expected.*, .+ seen`)
const certificate = (rest: string): RegExp => new RegExp(`^${CERTIFICATE}${rest}`)

const MESSAGES: Readonly<Partial<Record<AttestationErrorCode, RegExp>>> = {
  ERR_ATTESTATION_SIZE: field('The document'),
  ERR_ATTESTATION_CBOR: /^The (?:message|payload) is not strict CBOR: .+ \(at byte \d+\)/,
  ERR_ATTESTATION_COSE_SIGN1: field('(?:The message|protected|payload|signature)'),
  ERR_ATTESTATION_ALGORITHM:
    /^protected: a1013822 .* expected, (?:[0-9a-f]{2})* of \d+ bytes seen$/,
  ERR_ATTESTATION_UNPROTECTED_HEADER: field('unprotected'),
  ERR_ATTESTATION_SIGNATURE_LENGTH: /^signature: 96 bytes, r‖s expected, \d+ bytes seen$/,
  ERR_ATTESTATION_SIGNATURE: /^The signature does not verify under the key of certificate$/,
  ERR_ATTESTATION_NITROTPM: field('module_id'),
  ERR_ATTESTATION_FIELD_ABSENT: /^The field [a-z_]+ is absent$/,
  ERR_ATTESTATION_FIELD_UNKNOWN: /^No enclave document has a field /,
  ERR_ATTESTATION_MODULE_ID: field('module_id'),
  ERR_ATTESTATION_DIGEST: field('digest'),
  ERR_ATTESTATION_TIMESTAMP: field('timestamp'),
  ERR_ATTESTATION_PCRS: field('pcrs'),
  ERR_ATTESTATION_CERTIFICATE_SIZE: field('certificate'),
  ERR_ATTESTATION_CABUNDLE: field('cabundle'),
  ERR_ATTESTATION_PUBLIC_KEY_SIZE: field('public_key'),
  ERR_ATTESTATION_USER_DATA_SIZE: field('user_data'),
  ERR_ATTESTATION_NONCE_SIZE: field('nonce'),
  ERR_ATTESTATION_TRUST_ANCHOR: certificate('.+ expected, .+ seen'),
  ERR_ATTESTATION_CERTIFICATE_MALFORMED: certificate('not strict DER of X.509 v3: .+'),
  ERR_ATTESTATION_CERTIFICATE_ALGORITHM: certificate(
    'signatureAlgorithm: ecdsa-with-SHA384 expected, (?:[0-9a-f]{2})+ seen$',
  ),
  ERR_ATTESTATION_CERTIFICATE_KEY: certificate(
    String.raw`its key(?:: .+ expected, \d+ bytes under (?:[0-9a-f]{2})+ seen| is not a point on the curve)$`,
  ),
  ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID: certificate(`valid from ${DATE}, and it is ${DATE}$`),
  ERR_ATTESTATION_CERTIFICATE_EXPIRED: certificate(`expired ${DATE}, and it is ${DATE}$`),
  ERR_ATTESTATION_CERTIFICATE_ISSUER: certificate(
    String.raw`(?:issued by .*, which is not|it is) cabundle\[\d\]`,
  ),
  ERR_ATTESTATION_CERTIFICATE_NOT_CA: certificate('not a CA, and it issues the next one$'),
  ERR_ATTESTATION_CERTIFICATE_IS_CA: certificate('a CA, and it signs the document$'),
  ERR_ATTESTATION_CERTIFICATE_KEY_USAGE: certificate('keyUsage (?:lacks|has) [a-zA-Z]+'),
  ERR_ATTESTATION_CERTIFICATE_PATH_LENGTH: certificate(
    String.raw`pathLenConstraint \d+, and \d+ CA certificates follow$`,
  ),
  ERR_ATTESTATION_CERTIFICATE_EXTENSION: certificate(
    String.raw`the extension [\d.]+ is (?:critical|a limit) and not evaluated here$`,
  ),
  ERR_ATTESTATION_CERTIFICATE_SIGNATURE: certificate(
    String.raw`its signature does not verify under the key of cabundle\[\d\]$`,
  ),
  ERR_ATTESTATION_DEBUG_MODE: /^PCR0, 1 or 2 is zero, as in debug mode/,
  ERR_ATTESTATION_TIMESTAMP_FUTURE: new RegExp(
    `^timestamp: at most ${DATE} expected, ${DATE} seen$`,
  ),
  ERR_ATTESTATION_TIMESTAMP_VALIDITY: new RegExp(
    `^timestamp: ${DATE} to ${DATE} expected, .*, ${DATE} seen$`,
  ),
  ERR_ATTESTATION_TOO_OLD: new RegExp(
    String.raw`^timestamp: at most [\d.]+ s before ${DATE} expected \(maxAge\), ${DATE} seen$`,
  ),
  ERR_ATTESTATION_PCR: /^PCR\d+: [0-9a-f]{96} expected.*, [0-9a-f]{96} seen$/,
  ERR_ATTESTATION_PCR_ABSENT:
    /^PCR\d+(?:: [0-9a-f]{96} expected.*, none.* seen| is not in the document)$/,
  ERR_ATTESTATION_NONCE: field('nonce'),
  ERR_ATTESTATION_PUBLIC_KEY: field('public_key'),
  ERR_ATTESTATION_USER_DATA: field('user_data'),
}

let corpus: Corpus

beforeAll(async () => {
  corpus = await generateCorpus()
})

test('as a table of messages says it for each code', async () => {
  const subject = { library, subtle: undefined, corpus }
  const codes = new Set<string>()
  const wrong: string[] = []
  for (const one of corpus.cases) {
    if (one.expect === 'accept') continue
    const options = { ...policyOf(subject, one), ...expectedOf(one), currentDate: dateOf(one) }
    const error = (await library
      .verifyAttestation(documentOf(one), options)
      .catch((reason: unknown) => reason)) as library.AttestationError
    codes.add(error.code)
    if (MESSAGES[error.code]?.test(error.message) !== true) {
      wrong.push(`${one.name}: ${error.code}: ${error.message}`)
    }
  }
  expect(wrong).toEqual([])
  expect([...codes].toSorted()).toEqual(Object.keys(MESSAGES).toSorted())
})
