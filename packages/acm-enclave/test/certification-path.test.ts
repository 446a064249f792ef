import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { issueCertificate, type CertificateRecipe } from '../../simulator/src/certificate.ts'
import { basicConstraints, keyUsage, type Extension } from '../../simulator/src/extension.ts'
import { serverAuth, subjectAltName } from '../../simulator/src/kms/tls-authority.ts'
import { readCertificationPath, type PathExpectations } from '../src/certification-path.ts'
import { AcmError } from '../src/index.ts'

const NOW = new Date('2030-06-01T00:00:00Z')
const HOST = 'www.example.com'
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

const keys = { root: newKey(), middle: newKey(), leaf: newKey(), other: newKey() }
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
/** sha256WithRSAEncryption */
const rsaAlgorithm = Buffer.from('300d06092a864886f70d01010b0500', 'hex')
const rsaSigned = { innerSignatureAlgorithm: rsaAlgorithm, outerSignatureAlgorithm: rsaAlgorithm }
const ca = (pathLenConstraint?: number): Extension[] => [
  basicConstraints({ ca: true, ...(pathLenConstraint !== undefined && { pathLenConstraint }) }),
  keyUsage(['keyCertSign']),
]
const leafExtensions = (names: readonly string[] = [HOST]): Extension[] => [
  basicConstraints({ ca: false }),
  serverAuth,
  subjectAltName(names),
]

/** A certificate of one subject, signed by another, with one thing changed. */
function make(
  subject: keyof typeof keys,
  issuer: keyof typeof keys,
  change: Partial<CertificateRecipe> = {},
): string {
  const der = issueCertificate({
    serialNumber: Uint8Array.of(1, 2, 3),
    issuer: [['CN', issuer]],
    subject: [['CN', subject]],
    notBefore: new Date('2030-01-01T00:00:00Z'),
    notAfter: new Date('2031-01-01T00:00:00Z'),
    publicKey: createPublicKey(keys[subject]),
    extensions: subject === 'leaf' ? leafExtensions() : ca(),
    signingKey: keys[issuer],
    signatureHash: 'sha256',
    ...change,
  })
  return new X509Certificate(der).toString()
}

const NULL = Uint8Array.of(5, 0)
const root = make('root', 'root')
const middle = make('middle', 'root')
const leaf = make('leaf', 'middle')

function read(
  certificate: string,
  certificateChain: string,
  change: Partial<PathExpectations> = {},
): string | string[] {
  try {
    const expected = { hostNames: [HOST], currentDate: NOW, ...change }
    const path = readCertificationPath({ certificate, certificateChain }, expected)
    return [path.leaf, ...path.issuers].map(({ subject }) => subject)
  } catch (error) {
    return error instanceof AcmError ? error.code : String(error)
  }
}

describe('a certification path', () => {
  const whole = ['CN=leaf', 'CN=middle', 'CN=root']

  it('is put in order', () => {
    expect(read(leaf, middle + root)).toEqual(whole)
    expect(read(leaf, root + middle)).toEqual(whole)
    expect(read(leaf, root + leaf + middle)).toEqual(whole)
    expect(read(leaf, middle)).toEqual(whole.slice(0, 2))
  })

  it('is sent with a line break between all of them', () => {
    const { pem } = readCertificationPath(
      { certificate: leaf.trim(), certificateChain: (root + middle).trim() },
      { hostNames: [HOST], currentDate: NOW },
    )
    expect(pem).toBe(leaf + middle + root)
  })

  it('ends with the first of its certificates', () => {
    const early = make('middle', 'root', { notAfter: new Date('2030-07-01T00:00:00Z') })
    const expected = { hostNames: [HOST], currentDate: NOW }
    const { notAfter } = readCertificationPath(
      { certificate: leaf, certificateChain: early },
      expected,
    )
    expect(notAfter).toEqual(new Date('2030-07-01T00:00:00Z'))
  })

  it('ends below an anchor where there are some', () => {
    const other = make('other', 'other')
    expect(read(leaf, middle, { trustAnchors: [root] })).toEqual(whole.slice(0, 2))
    expect(read(leaf, middle + root, { trustAnchors: [other, root] })).toEqual(whole)
    expect(read(leaf, middle, { trustAnchors: [other] })).toBe('ERR_ACM_PATH')
    expect(read(leaf, '', { trustAnchors: [middle] })).toEqual(['CN=leaf'])
  })

  it('may be one that signed itself', () => {
    expect(read(make('leaf', 'leaf'), '')).toEqual(['CN=leaf'])
  })

  it.each<[string, readonly string[], boolean]>([
    ['the name itself', ['www.example.com'], true],
    ['a wildcard', ['*.example.com'], true],
    ['another', ['example.com'], false],
    ['a wildcard of two labels', ['*.com'], false],
    ['a wildcard in a label', ['w*.example.com'], false],
    ['a name that begins with it', ['www.example.com.evil.test'], false],
  ])('is for a name by %s', (_name, names, fits) => {
    const one = make('leaf', 'middle', { extensions: leafExtensions(names) })
    expect(read(one, middle)).toEqual(fits ? whole.slice(0, 2) : 'ERR_ACM_NAME')
  })

  it('is for all names, and for a wildcard as it is', () => {
    const names = ['*.example.com', 'example.org']
    const one = make('leaf', 'middle', { extensions: leafExtensions(names) })
    const ask = (...hostNames: string[]) => read(one, middle, { hostNames })
    expect(ask('*.example.com', 'example.org')).toEqual(whole.slice(0, 2))
    expect(ask('a.example.com', 'b.example.com')).toEqual(whole.slice(0, 2))
    expect(ask('example.org', 'example.net')).toBe('ERR_ACM_NAME')
    expect(ask('*.example.org')).toBe('ERR_ACM_NAME')
  })

  it('knows no name by the subject', () => {
    const one = make('leaf', 'middle', {
      subject: [['CN', HOST]],
      extensions: [basicConstraints({ ca: false }), serverAuth],
    })
    expect(read(one, middle)).toBe('ERR_ACM_NAME')
  })

  const past = new Date('2030-05-31T00:00:00Z')
  const future = new Date('2030-06-02T00:00:00Z')
  it.each<[string, string, string, string]>([
    ['no certificate', 'text', middle, 'ERR_ACM_CERTIFICATE'],
    ['two in certificate', leaf + middle, root, 'ERR_ACM_CERTIFICATE'],
    ['another label', leaf.replaceAll('CERTIFICATE', 'X509 CRL'), middle, 'ERR_ACM_CERTIFICATE'],
    ['text in certificateChain', leaf, 'text', 'ERR_ACM_CERTIFICATE'],
    ['a cut certificate', leaf, middle.slice(0, 300), 'ERR_ACM_CERTIFICATE'],
    ['eleven issuers', leaf, middle.repeat(11), 'ERR_ACM_CERTIFICATE'],
    ['the issuer missing', leaf, root, 'ERR_ACM_PATH'],
    ['no issuers', leaf, '', 'ERR_ACM_PATH'],
    ['one too many', leaf, middle + make('other', 'other'), 'ERR_ACM_PATH'],
    ['one behind the root', leaf, middle + root + make('other', 'root'), 'ERR_ACM_PATH'],
    [
      'another signature',
      make('leaf', 'middle', { signingKey: keys.other }),
      middle,
      'ERR_ACM_PATH',
    ],
    [
      'an issuer that is no CA',
      leaf,
      make('middle', 'root', { extensions: [basicConstraints({ ca: false })] }) + root,
      'ERR_ACM_PATH',
    ],
    [
      'an issuer that may sign no certificates',
      leaf,
      make('middle', 'root', {
        extensions: [basicConstraints({ ca: true }), keyUsage(['cRLSign'])],
      }),
      'ERR_ACM_PATH',
    ],
    [
      'an issuer with an RSA key of 1024 bits',
      make('leaf', 'middle', { ...rsaSigned, signingKey: weak }),
      make('middle', 'root', { publicKey: createPublicKey(weak) }),
      'ERR_ACM_PATH',
    ],
    [
      'an issuer below a root that may have none',
      make('leaf', 'other'),
      make('other', 'middle') + make('middle', 'root', { extensions: ca(0) }),
      'ERR_ACM_PATH',
    ],
    ['an expired leaf', make('leaf', 'middle', { notAfter: past }), middle, 'ERR_ACM_EXPIRED'],
    ['an expired issuer', leaf, make('middle', 'root', { notAfter: past }), 'ERR_ACM_EXPIRED'],
    [
      'a leaf to come',
      make('leaf', 'middle', { notBefore: future }),
      middle,
      'ERR_ACM_NOT_YET_VALID',
    ],
    [
      'an issuer to come',
      leaf,
      make('middle', 'root', { notBefore: future }),
      'ERR_ACM_NOT_YET_VALID',
    ],
    ['a CA as leaf', make('middle', 'root'), root, 'ERR_ACM_CERTIFICATE_USAGE'],
    [
      'a CA that may sign no certificates as leaf',
      make('leaf', 'middle', {
        extensions: [basicConstraints({ ca: true }), subjectAltName([HOST])],
      }),
      middle,
      'ERR_ACM_CERTIFICATE_USAGE',
    ],
    [
      'an issuer that may issue for clients alone',
      leaf,
      make('middle', 'root', { extensions: [...ca(), clientAuth()] }),
      'ERR_ACM_PATH',
    ],
    ...[leafExtensions(), ca()].map((extensions, place): [string, string, string, string] => {
      const unknown = { oid: '1.3.6.1.4.1.11129.2.4.3', critical: true, value: NULL }
      const changed = { extensions: [...extensions, unknown] }
      return [
        `a critical extension that nobody knows in place ${place}`,
        place === 0 ? make('leaf', 'middle', changed) : leaf,
        place === 1 ? make('middle', 'root', changed) : middle,
        'ERR_ACM_CRITICAL_EXTENSION',
      ]
    }),
    [
      'a leaf for clients',
      make('leaf', 'middle', { extensions: [clientAuth(), subjectAltName([HOST])] }),
      middle,
      'ERR_ACM_CERTIFICATE_USAGE',
    ],
  ])('is refused with %s', (_name, certificate, issuers, code) => {
    expect(read(certificate, issuers)).toBe(code)
  })
})

function clientAuth(): Extension {
  const value = Uint8Array.from(serverAuth.value)
  value[value.length - 1] = 2
  return { ...serverAuth, value }
}
