import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { issueCertificate } from '../../simulator/src/certificate.ts'
import { basicConstraints, keyUsage, type Extension } from '../../simulator/src/extension.ts'
import { serverAuth } from '../../simulator/src/kms/tls-authority.ts'
import { element, SEQUENCE } from '../src/der.ts'
import { readCertificationPath, type PathExpectations } from '../src/certification-path.ts'
import { AcmError } from '../src/index.ts'

const HOST = 'www.example.com'
const NOW = new Date('2030-06-01T00:00:00Z')
const keys = Object.fromEntries(
  ['root', 'middle', 'leaf'].map((name) => [
    name,
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ]),
)

const [PERMITTED, EXCLUDED] = [0xa0, 0xa1]
const dns = (name: string): Uint8Array => element(0x82, Buffer.from(name))
const mail = (name: string): Uint8Array => element(0x81, Buffer.from(name))
const address = (...octets: number[]): Uint8Array => element(0x87, Uint8Array.from(octets))
/** A directoryName of one commonName. */
const named = (name: string): Uint8Array => {
  const attribute = [Buffer.from('0603550403', 'hex'), element(0x0c, Buffer.from(name))]
  const relative = element(0x31, element(SEQUENCE, ...attribute))
  return element(0xa4, element(SEQUENCE, relative))
}
const subtrees = (tag: number, ...bases: readonly Uint8Array[]): Uint8Array =>
  element(tag, ...bases.map((base) => element(SEQUENCE, base)))
const constraints = (...lists: readonly Uint8Array[]): Extension => ({
  ...{ oid: '2.5.29.30', critical: true },
  value: element(SEQUENCE, ...lists),
})
const names = (...all: readonly Uint8Array[]): Extension => ({
  ...{ oid: '2.5.29.17', critical: false },
  value: element(SEQUENCE, ...all),
})

function make(subject: string, issuer: string, extensions: readonly Extension[]): string {
  const der = issueCertificate({
    serialNumber: Uint8Array.of(1, 2, 3),
    issuer: [['CN', issuer]],
    subject: [['CN', subject]],
    notBefore: new Date('2030-01-01T00:00:00Z'),
    notAfter: new Date('2031-01-01T00:00:00Z'),
    publicKey: createPublicKey(keys[subject] as never),
    extensions,
    signingKey: keys[issuer] as never,
    signatureHash: 'sha256',
  })
  return new X509Certificate(der).toString()
}

const ca = (...more: readonly Extension[]): Extension[] => [
  basicConstraints({ ca: true }),
  keyUsage(['keyCertSign']),
  ...more,
]
const leaf = (...all: readonly Uint8Array[]): string =>
  make('leaf', 'middle', [
    ...[basicConstraints({ ca: false }), serverAuth],
    names(dns(HOST), ...all),
  ])

function read(
  certificate: string,
  certificateChain: string,
  change: Partial<PathExpectations> = {},
): string {
  try {
    const expected = { hostNames: [HOST], currentDate: NOW, ...change }
    readCertificationPath({ certificate, certificateChain }, expected)
    return 'accepted'
  } catch (error) {
    return error instanceof AcmError ? error.code : String(error)
  }
}

const root = make('root', 'root', ca())
const below = (certificate: string, ...lists: readonly Uint8Array[]): string =>
  read(certificate, make('middle', 'root', ca(constraints(...lists))) + root)
const REFUSED = 'ERR_ACM_NAME_CONSTRAINTS'

describe('nameConstraints', () => {
  it.each<[string, string, readonly Uint8Array[], string]>([
    ['the name itself', leaf(), [subtrees(PERMITTED, dns(HOST))], 'accepted'],
    ['a name above it', leaf(), [subtrees(PERMITTED, dns('Example.com'))], 'accepted'],
    ['all names', leaf(), [subtrees(PERMITTED, dns(''))], 'accepted'],
    ['one of two', leaf(), [subtrees(PERMITTED, dns('a.test'), dns('com'))], 'accepted'],
    ['other names excluded', leaf(), [subtrees(EXCLUDED, dns('example.net'))], 'accepted'],
    [
      'addresses excluded',
      leaf(),
      [subtrees(EXCLUDED, address(0, 0, 0, 0, 0, 0, 0, 0))],
      'accepted',
    ],
    ['mail, which it has none of', leaf(), [subtrees(PERMITTED, mail('a.test'))], 'accepted'],
    ['the subject', leaf(), [subtrees(PERMITTED, named('leaf'))], 'accepted'],
    [
      'an address within',
      leaf(address(10, 0, 0, 1)),
      [subtrees(PERMITTED, address(10, 0, 0, 0, 255, 0, 0, 0))],
      'accepted',
    ],
    [
      'a wildcard above',
      leaf(dns('*.example.com')),
      [subtrees(PERMITTED, dns('example.com'))],
      'accepted',
    ],

    ['another name', leaf(), [subtrees(PERMITTED, dns('example.net'))], REFUSED],
    ['a name below it', leaf(), [subtrees(PERMITTED, dns('a.www.example.com'))], REFUSED],
    ['the end of a label', leaf(), [subtrees(PERMITTED, dns('ample.com'))], REFUSED],
    ['one name of two', leaf(dns('a.test')), [subtrees(PERMITTED, dns('example.com'))], REFUSED],
    ['the name excluded', leaf(), [subtrees(EXCLUDED, dns('example.com'))], REFUSED],
    [
      'it permitted and excluded',
      leaf(),
      [subtrees(PERMITTED, dns('com')), subtrees(EXCLUDED, dns(HOST))],
      REFUSED,
    ],
    [
      'a wildcard for one name',
      leaf(dns('*.example.com')),
      [subtrees(PERMITTED, dns(HOST))],
      REFUSED,
    ],
    [
      'a wildcard with one name excluded',
      leaf(dns('*.example.org')),
      [subtrees(EXCLUDED, dns('a.example.org'))],
      REFUSED,
    ],
    ['another subject', leaf(), [subtrees(PERMITTED, named('other'))], REFUSED],
    ['the subject excluded', leaf(), [subtrees(EXCLUDED, named('leaf'))], REFUSED],
    [
      'an address without',
      leaf(address(11, 0, 0, 1)),
      [subtrees(PERMITTED, address(10, 0, 0, 0, 255, 0, 0, 0))],
      REFUSED,
    ],
    [
      'an address of the other family',
      leaf(address(10, 0, 0, 1)),
      [subtrees(PERMITTED, address(...Array<number>(32).fill(0)))],
      REFUSED,
    ],
    [
      'a mask that is none',
      leaf(address(10, 0, 0, 1)),
      [subtrees(PERMITTED, address(10, 0, 0, 0))],
      REFUSED,
    ],
    ['a leading dot', leaf(), [subtrees(PERMITTED, dns('.example.com'))], REFUSED],
    ['mail, which it has', leaf(mail('a@a.test')), [subtrees(EXCLUDED, mail('b.test'))], REFUSED],
    [
      'a minimum',
      leaf(),
      [element(PERMITTED, element(SEQUENCE, dns('com'), element(0x80, Uint8Array.of(1))))],
      REFUSED,
    ],
    ['no base', leaf(), [subtrees(PERMITTED)], REFUSED],
    ['no list', leaf(), [], REFUSED],
    [
      'a third list, which OpenSSL does not read',
      leaf(),
      [subtrees(0xa2, dns('com'))],
      'ERR_ACM_PATH',
    ],
  ])('of %s', (_name, certificate, lists, verdict) => {
    expect(below(certificate, ...lists)).toBe(verdict)
  })

  it('hold for all that is below, wherever they stand', () => {
    const constraint = constraints(subtrees(PERMITTED, dns('example.net')))
    const strict = make('root', 'root', ca(constraint))
    const middle = make('middle', 'root', ca())
    expect(read(leaf(), middle + strict)).toBe(REFUSED)
    expect(read(leaf(), middle, { trustAnchors: [strict] })).toBe(REFUSED)
    const without = make('middle', 'root', ca(names(dns('a.test'))))
    expect(
      read(
        leaf(),
        without + make('root', 'root', ca(constraints(subtrees(EXCLUDED, dns('a.test'))))),
      ),
    ).toBe(REFUSED)
  })

  it('are an issuer’s alone', () => {
    const constraint = constraints(subtrees(PERMITTED, dns('com')))
    const one = make('leaf', 'middle', [serverAuth, names(dns(HOST)), constraint])
    const middle = make('middle', 'root', ca())
    expect(read(one, middle)).toBe('ERR_ACM_CRITICAL_EXTENSION')
  })

  it('cannot keep anybody busy', () => {
    const many = Array.from({ length: 800 }, (_, index) => dns(`h${index}.example.com`))
    const bases = Array.from({ length: 800 }, (_, index) => dns(`h${index}.example.org`))
    expect(below(leaf(...many), subtrees(EXCLUDED, ...bases))).toBe(REFUSED)
  })
})

interface LimboCase {
  readonly id: string
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_kind: string
  readonly validation_time: string | null
  readonly expected_result: 'SUCCESS' | 'FAILURE'
  readonly expected_peer_name: { readonly kind: string; readonly value: string } | null
}

/** Cases of x509-limbo that are judged otherwise here, by the reason; no other may be. */
const OTHERWISE: Readonly<Record<string, readonly string[]>> = {
  'revocation is not asked for': [
    'crl::revoked-certificate-with-crl',
    'crl::crlnumber-critical',
    'crl::issuer-missing-crlsign',
  ],
  'key identifiers help to find a path, and a path is not searched for': [
    'rfc5280::aki::leaf-missing-aki',
    'rfc5280::aki::cross-signed-root-missing-aki',
    'rfc5280::ski::root-missing-ski',
    'rfc5280::ski::intermediate-missing-ski',
  ],
  'rules for CAs on what they issue, which no server depends on': [
    'rfc5280::nc::permitted-dns-match-noncritical',
    'rfc5280::san::noncritical-with-empty-subject',
    'rfc5280::serial::zero',
    'rfc5280::ca-empty-subject',
    'rfc5280::leaf-ku-keycertsign',
  ],
  'stricter: all certificates of a bundle must be of its path': [
    'rfc5280::unknown-critical-extension-unrelated-intermediate',
  ],
  'stricter: no part of a second after the end': ['rfc5280::validity::notafter-fractional'],
}

const file = vectors('limbo/core-p256.json')

describe.skipIf(file === undefined)('x509-limbo', () => {
  it('is judged as expected, but for what is listed', () => {
    const { testcases } = JSON.parse(readFileSync(file ?? '', 'utf8')) as {
      testcases: readonly LimboCase[]
    }
    const servers = testcases.filter(
      ({ validation_kind, expected_peer_name }) =>
        validation_kind === 'SERVER' && expected_peer_name?.kind === 'DNS',
    )
    expect(servers.length).toBeGreaterThan(60)
    const otherwise = servers
      .filter((one) => {
        const verdict = read(one.peer_certificate, one.untrusted_intermediates.join('\n'), {
          hostNames: [one.expected_peer_name?.value ?? ''],
          trustAnchors: one.trusted_certs,
          currentDate: one.validation_time === null ? NOW : new Date(one.validation_time),
        })
        return (verdict === 'accepted') !== (one.expected_result === 'SUCCESS')
      })
      .map(({ id }) => id)
    expect(otherwise.toSorted()).toEqual(Object.values(OTHERWISE).flat().toSorted())
  })
})
