import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { ECDSA_P384_SHA384, type SignatureAlgorithm } from '../src/signature.ts'
import { fromPem, judge, judgeInOrder, type PathCase } from './path-case.ts'
import { Tally } from './real-document.ts'

interface LimboCase {
  readonly id: string
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_time: string | null
  readonly max_chain_depth: number | null
  readonly expected_result: 'SUCCESS' | 'FAILURE'
}

interface ChainCase {
  readonly id: string
  /** Target first, anchor last. */
  readonly chain: readonly string[]
  readonly time: string
  readonly last_cert_trust: string
  readonly expected: 'SUCCESS' | 'FAILURE'
}

/** Case ids by the reason why the verdict differs. Every id must differ, and no other may: a list cannot go stale. */
type Reasons = Readonly<Record<string, readonly string[]>>

const NO_CRL = 'revocation: AWS publishes no revocation for enclave certificates, they live 3 hours'
const NO_PURPOSE =
  'extendedKeyUsage: certificates of enclaves have none, and no purpose is asked for'
const NO_NAME =
  'subjectAltName, host names: the target is named by what it signs, not by its subject'
const NO_KEY_IDENTIFIER =
  'key identifiers help to find a path, which is given here; real leaf and older instance certificates have none'
const TLS_PROFILE = 'a rule of the Web PKI’s profile on key identifiers, for finding a path'

const LIMITS =
  'nameConstraints and policyConstraints are not evaluated: whatever limits a path is refused'
const NEEDS_KEY_USAGE = 'keyUsage is required: every certificate of the real paths has it'

/** FAILURE in the suite and accepted here. */
const ACCEPTED: Readonly<Record<string, Reasons>> = {
  core: {
    [NO_CRL]: [
      'crl::revoked-certificate-with-crl',
      'crl::crlnumber-critical',
      'crl::issuer-missing-crlsign',
    ],
    [NO_KEY_IDENTIFIER]: [
      'rfc5280::aki::leaf-missing-aki',
      'rfc5280::aki::cross-signed-root-missing-aki',
      'rfc5280::ski::root-missing-ski',
      'rfc5280::ski::intermediate-missing-ski',
    ],
    [NO_PURPOSE]: ['rfc5280::eku::ee-wrong-eku'],
    [NO_NAME]: ['rfc5280::san::noncritical-with-empty-subject'],
  },
  webpki: {
    [TLS_PROFILE]: [
      'webpki::aki::root-with-aki-missing-keyidentifier',
      'webpki::aki::root-with-aki-authoritycertissuer',
    ],
    [NO_PURPOSE]: ['webpki::eku::ee-anyeku', 'webpki::eku::root-has-eku'],
    [NO_NAME]: [
      'webpki::cn::ipv4-hex-mismatch',
      'webpki::cn::ipv4-leading-zeros-mismatch',
      'webpki::cn::ipv6-uppercase-mismatch',
      'webpki::cn::ipv6-uncompressed-mismatch',
      'webpki::cn::punycode-not-in-san',
      'webpki::cn::case-mismatch',
      'webpki::san::mismatch-domain-san',
      'webpki::san::mismatch-subdomain-apex-san',
      'webpki::san::mismatch-apex-subdomain-san',
      'webpki::san::public-suffix-multi-label-wildcard-san',
      'webpki::san::public-suffix-private-namespace-wildcard-san',
      'webpki::san::wildcard-embedded-leftmost-san',
      'webpki::san::wildcard-not-in-leftmost-san',
      'webpki::san::wildcard-match-across-labels-san',
      'webpki::san::san-wildcard-only',
    ],
  },
  bettertls: {
    // The intermediate's extendedKeyUsage lacks serverAuth, or one of two paths leads through such a certificate.
    [NO_PURPOSE]: ['bettertls::pathbuilding::tc12', 'bettertls::pathbuilding::tc38'],
  },
  boringssl: {
    [NO_PURPOSE]: [
      'intermediate-eku-any-and-clientauth/serverauth-strict',
      'intermediate-eku-server-gated-crypto/sha256-eku-clientAuth-strict',
      'intermediate-eku-server-gated-crypto/sha256-eku-clientAuth',
      'intermediate-eku-server-gated-crypto/sha256-eku-serverAuth-strict',
      'intermediate-eku-server-gated-crypto/sha256-eku-serverAuth',
      'target-eku-any/clientauth-strict-leaf',
      'target-eku-any/clientauth-strict',
      'target-eku-any/serverauth-strict-leaf',
      'target-eku-any/serverauth-strict',
      'target-eku-clientauth/clientauth-strict',
      'target-eku-clientauth/serverauth-strict',
      'target-eku-clientauth/serverauth',
      'target-eku-none/clientauth-strict-leaf',
      'target-eku-none/clientauth-strict',
      'target-eku-none/serverauth-strict',
    ],
  },
}

/** SUCCESS in the suite and refused here. */
const REFUSED: Readonly<Record<string, Reasons>> = {
  core: {
    [NEEDS_KEY_USAGE]: ['crl::issuer-no-keyusage-extension', 'rfc5280::no-keyusage'],
    [LIMITS]: [
      'rfc5280::nc::permitted-dns-match',
      'rfc5280::nc::permitted-ipv4-match',
      'rfc5280::nc::excluded-different-constraint-type',
      'rfc5280::nc::nc-permits-email-literal-asterisk-exact-match',
      'rfc5280::nc::nc-permits-email-literal-mid-asterisk',
      'rfc5280::nc::nc-forbids-othername-noop',
    ],
    'a moment after notAfter is after it, be it less than a second': [
      'rfc5280::validity::notafter-fractional',
    ],
  },
  webpki: { [LIMITS]: ['webpki::nc::permitted-dns-match-noncritical'] },
  bettertls: {},
  boringssl: {
    'the root is judged like the rest, dates included (AWS, "attestation process" §3.2.3)': [
      'expired-root/not-after-ta-with-constraints',
      'expired-root/not-after',
      'expired-root/not-before',
      'root-lacks-basic-constraints/main',
      'root-lacks-basic-constraints/ta-with-constraints',
      'root-lacks-basic-constraints/ta-with-require-basic-constraints',
      'root-lacks-keycertsign-key-usage/main',
      'violates-pathlen-1-from-root/main',
    ],
    'SHA-1 is not among the algorithms': ['intermediate-eku-server-gated-crypto/sha1-eku-any'],
    'names are compared byte for byte': [
      'issuer-and-subject-not-byte-for-byte-equal/anchor',
      'issuer-and-subject-not-byte-for-byte-equal/target',
    ],
    [LIMITS]: [
      'many-names/ok-all-types',
      'policies-inhibit-anypolicy-by-root-fail/main',
      'policies-inhibit-mapping-by-root-ok/main',
      'policies-inhibit-mapping-by-root-ok/ta-with-constraints',
      'policies-ok/main',
      'policies-ok/ta-with-constraints',
      'policies-on-root-ok/main',
      'policies-on-root-ok/ta-with-constraints',
      'policies-required-by-root-fail/main',
      'policies-required-by-root-ok/main',
      'policies-required-by-root-ok/ta-with-constraints',
      'policy-mappings-on-root-ok/main',
      'policy-mappings-on-root-ok/ta-with-constraints',
      'target-msapplicationpolicies-and-eku/main',
    ],
    'RFC 5280 §4.2.1.3, §4.2.1.9: no keyCertSign and no path length on what is no CA': [
      'target-has-keycertsign-but-not-ca/main',
      'target-has-pathlen-but-not-ca/main',
    ],
    'the certificate that signs a document is no CA': ['target-not-end-entity/main'],
    'only a root is trusted, no leaf by itself': [
      'target-only/trusted_leaf-and-trust_anchor',
      'target-only/trusted_leaf',
      'target-selfissued/trusted_leaf-and-trust_anchor',
      'target-selfissued/trusted_leaf',
      'target-selfsigned/trusted_leaf-and-trust_anchor',
      'target-selfsigned/trusted_leaf',
      'target-selfsigned/trusted_leaf_require_self_signed',
    ],
  },
}

const NOW = Date.parse('2026-11-21T00:00:00Z')

function ofLimbo(one: LimboCase): PathCase {
  return {
    anchors: one.trusted_certs.map(fromPem),
    intermediates: one.untrusted_intermediates.map(fromPem),
    target: fromPem(one.peer_certificate),
    currentDate: one.validation_time === null ? NOW : Date.parse(one.validation_time),
    ...(one.max_chain_depth === null ? {} : { maxDepth: one.max_chain_depth }),
  }
}

async function judgeChain(
  { chain, time, last_cert_trust: trust }: ChainCase,
  algorithms?: readonly SignatureAlgorithm[],
): Promise<string> {
  // A last certificate that is distrusted, of unspecified trust or only a trusted leaf is no anchor.
  if (!trust.startsWith('TRUSTED_ANCHOR') || chain.length < 2) return 'no anchor'
  const digits = time.replace(/^(..)(..)(..)(..)(..)(..)Z$/, '20$1-$2-$3T$4:$5:$6Z')
  const currentDate = Date.parse(time === 'DEFAULT' ? '2021-10-05T12:00:00Z' : digits)
  return judgeInOrder(chain.map(fromPem).toReversed(), currentDate, algorithms)
}

interface Verdict {
  readonly id: string
  readonly expected: boolean
  readonly seen: string
}

/** Compares the verdicts with the suite's, but for those that a written reason explains. */
function compare(suite: string, reasons: string, verdicts: readonly Verdict[]): void {
  const accepted = verdicts.filter(({ seen }) => seen === 'accepted')
  const listed = (list: Readonly<Record<string, Reasons>>): string[] =>
    Object.values(list[reasons] as Reasons)
      .flat()
      .toSorted()
  const ids = (list: readonly Verdict[]): string[] => list.map(({ id }) => id).toSorted()
  const tally = new Tally()
  for (const { seen } of verdicts) tally.add(seen)
  const falseAccepts = accepted.filter(({ expected }) => !expected)
  const refused = verdicts.filter(({ expected, seen }) => expected && seen !== 'accepted')
  console.log(
    `${suite}: ${verdicts.length} cases, ${accepted.length} accepted;`,
    `${verdicts.length - falseAccepts.length - refused.length} as the suite says,`,
    `${falseAccepts.length} + ${refused.length} differ for written reasons, 0 for others`,
  )
  expect(ids(falseAccepts)).toEqual(listed(ACCEPTED))
  expect(ids(refused)).toEqual(listed(REFUSED))
}

test.for([
  ['core-p384', 'core', 78],
  ['core-p256', 'core', 78],
  ['webpki-p384', 'webpki', 34],
  ['bettertls-pathbuilding-p384', 'bettertls', 43],
] as const)('x509-limbo %s', async ([file, reasons, count], context) => {
  const path = vectors(`limbo/${file}.json`)
  if (path === undefined) return context.skip('needs ../shared/vectors/limbo')
  const { testcases } = JSON.parse(readFileSync(path, 'utf8')) as { testcases: LimboCase[] }
  expect(testcases.length).toBe(count)
  const verdicts: Verdict[] = []
  for (const one of testcases) {
    const seen = await judge(ofLimbo(one))
    verdicts.push({ id: one.id, expected: one.expected_result === 'SUCCESS', seen })
  }
  compare(`limbo ${file}`, reasons, verdicts)
})

test('BoringSSL’s chains', async (context) => {
  const path = vectors('pki-boringssl/chains.json')
  if (path === undefined) return context.skip('needs ../shared/vectors/pki-boringssl')
  const cases = JSON.parse(readFileSync(path, 'utf8')) as ChainCase[]
  expect(cases.length).toBe(120)
  const verdicts: Verdict[] = []
  for (const one of cases) {
    const seen = await judgeChain(one)
    verdicts.push({ id: one.id, expected: one.expected === 'SUCCESS', seen })
  }
  compare('boringssl chains', 'boringssl', verdicts)
})

test('with the profile’s one algorithm nothing of the P-256 and RSA suites is accepted', async (context) => {
  const limbo = vectors('limbo/core-p256.json')
  const chains = vectors('pki-boringssl/chains.json')
  if (limbo === undefined || chains === undefined) return context.skip('needs ../shared/vectors')
  const { testcases } = JSON.parse(readFileSync(limbo, 'utf8')) as { testcases: LimboCase[] }
  const tally = new Tally()
  for (const one of testcases) tally.add(await judge(ofLimbo(one), [ECDSA_P384_SHA384]))
  for (const one of JSON.parse(readFileSync(chains, 'utf8')) as ChainCase[]) {
    tally.add(await judgeChain(one, [ECDSA_P384_SHA384]))
  }
  expect(tally.get('accepted')).toBe(0)
  expect(tally.get('ERR_ATTESTATION_CERTIFICATE_ALGORITHM')).toBeGreaterThan(150)
})
