import { X509Certificate, webcrypto } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { decode as decodeCbor } from 'cbor-x'
import { expect, test } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { decodeCertificate, describeName, KeyUsage, type Certificate } from '../src/index.ts'
import { certificateOf } from './certificate-bytes.ts'
import type { X509Certificate as PeculiarCertificate } from '@peculiar/x509'
import { peculiar } from './peculiar.ts'
import { refusal } from './refusal.ts'

const hexOf = (bytes: ArrayBuffer | Uint8Array): string =>
  Buffer.from(bytes as Uint8Array).toString('hex')

/** Extensions whose contents `decodeCertificate` reads. Others it hands on, and the oracles may refuse what they hold. */
const READ = new Set(['2.5.29.19', '2.5.29.15'])

/** What is compared, as `packages/der` reads it. */
function ours(certificate: Certificate): Record<string, unknown> {
  return {
    serialNumber: BigInt(`0x${hexOf(certificate.serialNumber)}`),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    issuer: hexOf(certificate.issuer),
    subject: hexOf(certificate.subject),
    subjectPublicKeyInfo: hexOf(certificate.subjectPublicKeyInfo),
    signature: hexOf(certificate.signature),
    extensions: certificate.extensions.map(({ oid, critical, value }) => [
      oid,
      critical,
      hexOf(value),
    ]),
    basicConstraints: certificate.basicConstraints && [
      certificate.basicConstraints.ca,
      certificate.basicConstraints.pathLenConstraint,
    ],
    keyUsage: certificate.keyUsage,
  }
}

/** The same by `@peculiar/x509`. It throws where it cannot read an extension that it knows. */
function byPeculiar(bytes: Uint8Array): Record<string, unknown> {
  const certificate = new peculiar.X509Certificate(bytes)
  const basicConstraints = certificate.getExtension(peculiar.BasicConstraintsExtension)
  const keyUsage = certificate.getExtension(peculiar.KeyUsagesExtension)
  return {
    serialNumber: BigInt(`0x${certificate.serialNumber}`),
    notBefore: certificate.notBefore.getTime(),
    notAfter: certificate.notAfter.getTime(),
    issuer: hexOf(certificate.issuerName.toArrayBuffer()),
    subject: hexOf(certificate.subjectName.toArrayBuffer()),
    subjectPublicKeyInfo: keyByPeculiar(certificate),
    signature: hexOf(certificate.signature),
    extensions: certificate.extensions.map(({ type, critical, value }) => [
      type,
      critical,
      hexOf(value),
    ]),
    basicConstraints: basicConstraints && [basicConstraints.ca, basicConstraints.pathLength],
    keyUsage: keyUsage?.usages,
  }
}

/** Undefined where it cannot read what the bits of an RSA key hold, which we hand on unread. */
function keyByPeculiar(certificate: PeculiarCertificate): string | undefined {
  try {
    return hexOf(certificate.publicKey.rawData)
  } catch {
    return undefined
  }
}

/** node:crypto (OpenSSL) against ours: what it shows of a certificate. */
function compareWithNode(
  bytes: Uint8Array,
  certificate: Certificate,
  unreadChanged: boolean,
): void {
  const node = new X509Certificate(bytes)
  expect(hexOf(node.raw)).toBe(hexOf(bytes))
  expect(BigInt(`0x${node.serialNumber}`)).toBe(ours(certificate)['serialNumber'])
  expect(node.validFromDate.getTime()).toBe(certificate.notBefore)
  expect(node.validToDate.getTime()).toBe(certificate.notAfter)
  for (const [text, name] of [
    [node.issuer, certificate.issuer],
    [node.subject, certificate.subject],
  ] as const) {
    const described = describeName(name)
    // Where nothing is escaped by either and every attribute has a short name, the texts are each other's reverse.
    if (/^(?:(?:CN|C|L|ST|O|OU)=[\w .-]+(?:,|$))+$/.test(described)) {
      expect(text.split('\n').toReversed().join(',')).toBe(described)
    }
  }
  const { basicConstraints, keyUsage } = certificate
  const mayIssue =
    basicConstraints?.ca === true &&
    (keyUsage === undefined || (keyUsage & KeyUsage.keyCertSign) !== 0)
  // OpenSSL calls nothing a CA that has any extension it knows and cannot read.
  if (node.ca || !unreadChanged) expect(node.ca).toBe(mayIssue)
  let key: string | undefined
  try {
    // The bits of an RSA key hold DER that is handed on unread, and that OpenSSL writes anew.
    const { publicKey } = node
    if (publicKey.asymmetricKeyType === 'ec') {
      key = hexOf(publicKey.export({ format: 'der', type: 'spki' }))
    }
  } catch {
    // A key that OpenSSL has no use for: its import is where such a key is refused, not here.
  }
  if (key !== undefined) expect(key).toBe(hexOf(certificate.subjectPublicKeyInfo))
}

/** Compares one certificate that we accept with both oracles. `origin` is what it was before a mutation. */
function compare(bytes: Uint8Array, certificate: Certificate, origin?: Certificate): string {
  const unread = (one: Certificate): string =>
    JSON.stringify(
      one.extensions
        .filter(({ oid }) => !READ.has(oid))
        .map(({ oid, value }) => [oid, hexOf(value)]),
    )
  const unreadChanged = origin !== undefined && unread(origin) !== unread(certificate)
  if (
    origin !== undefined &&
    hexOf(origin.publicKeyAlgorithm) !== hexOf(certificate.publicKeyAlgorithm)
  ) {
    // Parameters of a key are handed on unread, to be compared as a whole; the oracles read some of them.
    return 'unread parameters'
  }
  compareWithNode(bytes, certificate, unreadChanged)
  let theirs: Record<string, unknown>
  try {
    theirs = byPeculiar(bytes)
  } catch (error) {
    // It may refuse an extension that we hand on unread, and nothing else.
    if (!unreadChanged) throw error
    return 'unread extension'
  }
  const mine = ours(certificate)
  if (theirs['subjectPublicKeyInfo'] === undefined) {
    theirs['subjectPublicKeyInfo'] = mine['subjectPublicKeyInfo']
    expect(hexOf(certificate.publicKey)).not.toBe(origin && hexOf(origin.publicKey))
  }
  // Absent extensions are null there and undefined here.
  for (const one of [mine, theirs]) {
    one['basicConstraints'] ??= null
    one['keyUsage'] ??= null
  }
  if (!isDeepStrictEqual(mine, theirs)) expect(mine).toEqual(theirs)
  return 'agree'
}

/** Certificates of three key types made by `@peculiar/x509`, so that this runs without vectors too. */
async function made(): Promise<Uint8Array[]> {
  const crypto = webcrypto
  const algorithms = [
    { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
    { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
    {
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      modulusLength: 2048,
      publicExponent: Uint8Array.of(1, 0, 1),
    },
  ]
  const certificates: Uint8Array[] = []
  for (const algorithm of algorithms) {
    const keys = (await crypto.subtle.generateKey(algorithm, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair
    for (const [index, ca] of [true, false].entries()) {
      const certificate = await peculiar.X509CertificateGenerator.createSelfSigned(
        {
          serialNumber: ca ? 'ff0102030405060708090a0b0c0d0e0f1011121f' : '01',
          name: 'CN=aws.nitro-enclaves, OU=AWS, O=Amazon, C=US',
          notBefore: new Date('2024-01-01T00:00:00Z'),
          notAfter: new Date(ca ? '2051-01-01T00:00:00Z' : '2024-01-01T03:00:03Z'),
          signingAlgorithm: algorithm,
          keys,
          extensions: [
            new peculiar.BasicConstraintsExtension(ca, ca ? 2 : undefined, true),
            new peculiar.KeyUsagesExtension(
              ca
                ? peculiar.KeyUsageFlags.keyCertSign | peculiar.KeyUsageFlags.cRLSign
                : peculiar.KeyUsageFlags.digitalSignature | peculiar.KeyUsageFlags.nonRepudiation,
              index === 0,
            ),
            await peculiar.SubjectKeyIdentifierExtension.create(keys.publicKey),
          ],
        },
        crypto as never,
      )
      certificates.push(new Uint8Array(certificate.rawData))
    }
  }
  return certificates
}

/** Every certificate of every real document, each once; read with cbor-x. `total` counts them with repetition. */
function realCertificates(folder: string): { total: number; distinct: Uint8Array[] } {
  const distinct = new Map<string, Uint8Array>()
  let total = 0
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.bin')) continue
    const [, , payload] = decodeCbor(readFileSync(`${folder}/${file}`)) as Uint8Array[]
    const { certificate, cabundle } = decodeCbor(payload as Uint8Array) as {
      certificate: Uint8Array
      cabundle: Uint8Array[]
    }
    for (const bytes of [certificate, ...cabundle]) {
      total++
      distinct.set(hexOf(bytes), new Uint8Array(bytes))
    }
  }
  return { total, distinct: [...distinct.values()] }
}

/** A small generator with a fixed seed (mulberry32), so that a failure comes again. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Mutates each certificate `times` times and compares what is still accepted. */
function compareMutants(
  certificates: readonly Uint8Array[],
  times: number,
): Record<'mutants' | 'accepted' | 'unread', number> {
  const below = random(0x0e4c1a7e)
  const counts = { mutants: 0, accepted: 0, unread: 0 }
  const octets = [0x00, 0x01, 0x02, 0x03, 0x05, 0x0c, 0x13, 0x30, 0x31, 0x7f, 0x80, 0x81, 0xff]
  for (const bytes of certificates) {
    const origin = decodeCertificate(bytes)
    for (let round = 0; round < times; round++) {
      const mutant = bytes.slice()
      for (let change = below(3); change >= 0; change--) {
        const at = below(mutant.length)
        mutant[at] =
          below(2) === 0
            ? (mutant[at] as number) ^ (1 << below(8))
            : (octets[below(octets.length)] as number)
      }
      counts.mutants++
      let certificate: Certificate | undefined
      const outcome = refusal(() => (certificate = decodeCertificate(mutant)))
      if (outcome !== 'accepted') continue
      counts.accepted++
      const verdict = compare(mutant, certificate as Certificate, origin)
      if (verdict !== 'agree') counts.unread++
    }
  }
  return counts
}

test('made certificates, and mutants of them, are read as node:crypto and @peculiar/x509 read them', async () => {
  const certificates = await made()
  for (const bytes of certificates) expect(compare(bytes, decodeCertificate(bytes))).toBe('agree')
  const counts = compareMutants(certificates, 1000)
  console.log('made, mutated:', counts)
  expect(counts.accepted).toBeGreaterThan(500)
})

test('real certificates are read as node:crypto and @peculiar/x509 read them', (context) => {
  const folder = vectors('attestation-docs')
  if (folder === undefined) return context.skip('needs ../shared/vectors/attestation-docs')
  const { total, distinct } = realCertificates(folder)
  expect(total).toBe(330)
  for (const bytes of distinct) expect(compare(bytes, decodeCertificate(bytes))).toBe('agree')
  console.log(`real: ${total} certificates, ${distinct.length} distinct`)
  expect(distinct.length).toBeGreaterThan(200)
})

test('mutants of real certificates are read as the oracles read them, where we accept them', (context) => {
  const folder = vectors('attestation-docs')
  if (folder === undefined) return context.skip('needs ../shared/vectors/attestation-docs')
  const counts = compareMutants(realCertificates(folder).distinct, 50)
  console.log('real, mutated:', counts)
  expect(counts.mutants).toBeGreaterThan(10_000)
  expect(counts.accepted).toBeGreaterThan(2000)
})

test('every single octet of one certificate, in three ways', async () => {
  const folder = vectors('attestation-docs')
  const bytes = folder === undefined ? (await made())[0]! : realCertificates(folder).distinct[1]!
  const origin = decodeCertificate(bytes)
  let accepted = 0
  for (let at = 0; at < bytes.length; at++) {
    for (const change of [1, 0x80, 0xff]) {
      const mutant = bytes.slice()
      mutant[at] = (mutant[at] as number) ^ change
      let certificate: Certificate | undefined
      if (refusal(() => (certificate = decodeCertificate(mutant))) !== 'accepted') continue
      accepted++
      compare(mutant, certificate as Certificate, origin)
    }
  }
  expect(accepted).toBeGreaterThan(100)
})

interface ParseCase {
  readonly id: string
  readonly blocks: Readonly<Record<string, string>>
  readonly expected: 'SUCCESS' | 'FAILURE'
}

/** Malformed certificates by BoringSSL that are accepted here, each with the reason. */
const TAKEN: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      ...['authority_key_identifier_not_sequence', 'subject_key_identifier_not_octet_string'],
      ...['bad_policy_qualifiers', 'policy_qualifiers_empty_sequence', 'policy_constraints_empty'],
      ...['name_constraints_bad_ip', 'subjectaltname_bad_ip', 'subjectaltname_dns_not_ascii'],
      ...['subjectaltname_general_names_empty_sequence', 'subjectaltname_trailing_data'],
    ].map((id) => [
      id,
      'what the extension holds is handed on unread; a path refuses it when critical',
    ]),
  ),
  subject_blank_subjectaltname_not_critical: 'a rule of names in subjectAltName, which is not read',
}

/** Certificates that BoringSSL parses and the strict reader does not, each with the reason. */
const NOT_TAKEN: Readonly<Record<string, string>> = {
  bad_signature_algorithm_oid: 'its names are TeletexString',
  basic_constraints_ca_false: 'DER leaves the default cA FALSE out',
  cert_version3: 'DER leaves the default cA FALSE out',
  basic_constraints_pathlen_255: 'a pathLenConstraint above 127',
  basic_constraints_pathlen_not_ca: 'RFC 5280 §4.2.1.9: no pathLenConstraint without cA',
  cert_skeleton: 'no tbsCertificate inside: BoringSSL looks at the outermost level alone',
  failed_signature_algorithm: 'RFC 5280 §4.1.1.2: both algorithms must be the same',
  serial_37_bytes: 'RFC 5280 §4.1.2.2: at most 20 octets',
  serial_negative: 'RFC 5280 §4.1.2.2: positive',
  serial_zero: 'RFC 5280 §4.1.2.2: positive',
  signature_algorithm_null: 'the algorithm has no object identifier',
  subject_printable_string_containing_utf8_client_cert:
    'an issuer or subject is no PrintableString',
  subject_t61string: 'RFC 5280 §4.1.2.4: no TeletexString',
  'subject_t61string_1-32': 'RFC 5280 §4.1.2.4: no TeletexString',
  'subject_t61string_126-160': 'RFC 5280 §4.1.2.4: no TeletexString',
  subject_t61string_actual: 'RFC 5280 §4.1.2.4: no TeletexString',
}

test('BoringSSL’s certificate parsing cases', (context) => {
  const path = vectors('pki-boringssl/parse.json')
  if (path === undefined) return context.skip('needs ../shared/vectors/pki-boringssl')
  const cases = JSON.parse(readFileSync(path, 'utf8')) as ParseCase[]
  const counts = { accepted: 0, refused: 0 }
  const taken: string[] = []
  const notTaken: string[] = []
  for (const { id, blocks, expected } of cases) {
    if (blocks['CERTIFICATE'] === undefined) continue
    const bytes = new Uint8Array(Buffer.from(blocks['CERTIFICATE'], 'base64'))
    let certificate: Certificate | undefined
    const outcome = refusal(() => (certificate = decodeCertificate(bytes)))
    if (outcome === 'accepted') {
      counts.accepted++
      if (expected === 'FAILURE') taken.push(id)
      else compare(bytes, certificate as Certificate)
    } else {
      counts.refused++
      if (expected === 'SUCCESS') notTaken.push(id)
    }
  }
  console.log('BoringSSL parsing:', counts)
  expect(taken.toSorted()).toEqual(Object.keys(TAKEN).toSorted())
  expect(notTaken.toSorted()).toEqual(Object.keys(NOT_TAKEN).toSorted())
})

test('the hand-made certificate of the unit tests is one for the oracles too', () => {
  const bytes = certificateOf()
  expect(compare(bytes, decodeCertificate(bytes))).toBe('agree')
})
