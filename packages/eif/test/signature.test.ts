import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { encode, type CborValue } from '@enclavejs/cbor'
import { formatDescribeEif, type EifSigner } from '@enclavejs/eif'
import { pemSigner } from '@enclavejs/eif/node'
import { expect, test } from 'vitest'
import { signPcr0 } from '../src/signer.ts'
import { bytes, describeBytes, ext, imageOf, outcome, SECTIONS, SIGNATURE } from './fixture.ts'
import { makeSigningKey } from './signing-key.ts'

const PCR0 = (await describeBytes(imageOf())).pcrs[0]
const key = makeSigningKey()
const signer = pemSigner({ certificate: key.certificate, privateKey: key.privateKeyPem })
const signed = (section: Uint8Array) =>
  describeBytes(imageOf([...SECTIONS, { type: SIGNATURE, data: section }]))
const codes = async (section: Uint8Array): Promise<string[]> =>
  (await signed(section)).warnings.map(({ code }) => code)

/** A signature section made here: every part can be another. */
function sectionOf(
  change: {
    pem?: CborValue
    alg?: number
    payload?: Uint8Array
    signature?: Uint8Array
    cose?: Uint8Array
    tag?: boolean
    order?: 'signature first'
    extra?: boolean
  } = {},
): Uint8Array {
  const header = encode(new Map([[1, change.alg ?? -35]]))
  const payload = change.payload ?? payloadOf(0, PCR0)
  const message = encode(['Signature1', header, new Uint8Array(), payload])
  const signature =
    change.signature ?? sign('sha384', message, { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  const plain = encode([header, new Map(), payload, signature])
  const cose = change.cose ?? (change.tag ? Buffer.concat([Buffer.from([0xd2]), plain]) : plain)
  const entries: [string, CborValue][] = [
    ['signing_certificate', change.pem ?? [...bytes(key.certificate)]],
    ['signature', [...cose]],
  ]
  if (change.order === 'signature first') entries.reverse()
  if (change.extra === true) entries.push(['other', 1])
  return encode([new Map(entries)])
}

function payloadOf(index: number, pcr0: string): Uint8Array {
  return encode(
    new Map<string, CborValue>([
      ['register_index', index],
      ['register_value', [...Buffer.from(pcr0, 'hex')]],
    ]),
  )
}

test('a section put together here is good, tagged or not', async () => {
  for (const section of [sectionOf(), sectionOf({ tag: true })]) {
    const { pcrs, warnings, signature } = await signed(section)
    expect(warnings).toEqual([])
    expect(pcrs[8]).toBe(ext(key.der))
    expect(signature).toMatchObject({ algorithm: 'ES384', check: 'valid' })
    expect(signature?.certificate?.curve).toBe('P-384')
  }
})

test.each(['P-256', 'P-384', 'P-521'] as const)('%s: what is signed is accepted', async (curve) => {
  const other = makeSigningKey({ curve })
  const sec1 = createPrivateKey(other.privateKeyPem).export({
    format: 'pem',
    type: 'sec1',
  }) as string
  const pem = pemSigner({ certificate: other.certificate, privateKey: sec1 })
  const section = await signPcr0(PCR0, pem)
  const { pcrs, warnings, signature } = await signed(section)
  expect(warnings).toEqual([])
  expect(pcrs[8]).toBe(ext(other.der))
  expect(signature?.check).toBe('valid')
})

test('an external signer may give DER, as KMS does', async () => {
  const kms: EifSigner = {
    certificate: bytes(key.certificate),
    async sign({ message, hash }) {
      expect(hash).toBe('SHA-384')
      return new Uint8Array(sign('sha384', message, key.privateKey))
    },
  }
  expect(await codes(await signPcr0(PCR0, kms))).toEqual([])
})

test('a certificate of version 1 signs too', async () => {
  const old = makeSigningKey({ version: 1 })
  const section = await signPcr0(
    PCR0,
    pemSigner({ certificate: old.certificate, privateKey: old.privateKeyPem }),
  )
  expect((await signed(section)).pcrs[8]).toBe(ext(old.der))
  expect(await codes(section)).toEqual([])
})

test.each<[string, Uint8Array]>([
  ['signature-payload-mismatch', sectionOf({ payload: payloadOf(0, 'ab'.repeat(48)) })],
  ['signature-payload-mismatch', sectionOf({ payload: payloadOf(1, PCR0) })],
  ['signature-invalid', sectionOf({ signature: new Uint8Array(96).fill(1) })],
  ['signature-invalid', sectionOf({ signature: new Uint8Array(64).fill(1) })],
  ['signature-invalid', sectionOf({ alg: -7 })],
  ['signature-invalid', sectionOf({ alg: -999 })],
  ['signature-invalid', sectionOf({ cose: bytes('nothing') })],
  ['signature-encoding', sectionOf({ pem: bytes(key.certificate) })],
  ['signature-encoding', sectionOf({ order: 'signature first' })],
])('warning %s', async (code, section) => {
  expect(await codes(section)).toEqual([code])
})

test('several signatures: the first one counts', async () => {
  const [entry] = [sectionOf().subarray(1)]
  const two = Buffer.concat([Buffer.from([0x82]), entry as Uint8Array, entry as Uint8Array])
  expect(await codes(two)).toEqual(['multiple-signatures'])
  expect((await signed(two)).pcrs[8]).toBe(ext(key.der))
})

test.each([
  ['certificate-expired', { notAfter: new Date('2026-05-31T23:59:59Z') }],
  ['certificate-not-yet-valid', { notBefore: new Date('2026-06-01T00:00:01Z') }],
] as const)('warning %s', async (code, dates) => {
  const dated = makeSigningKey({ ...dates, key: key.privateKey })
  expect(await codes(sectionOf({ pem: [...bytes(dated.certificate)] }))).toEqual([code])
})

test('dates are good to the second, at both ends', async () => {
  const edge = new Date('2026-06-01T00:00:00Z')
  const dated = makeSigningKey({ notBefore: edge, notAfter: edge, key: key.privateKey })
  expect(await codes(sectionOf({ pem: [...bytes(dated.certificate)] }))).toEqual([])
})

test('a certificate that cannot be read leaves PCR8, and no good signature', async () => {
  const odd = makeSigningKey({ validity: Buffer.from('3000', 'hex'), key: key.privateKey })
  const section = sectionOf({ pem: [...bytes(odd.certificate)] })
  expect(await codes(section)).toEqual(['certificate-unreadable', 'signature-invalid'])
  expect((await signed(section)).pcrs[8]).toBe(ext(odd.der))
})

test.each<[string, Uint8Array]>([
  ['no CBOR', bytes('x')],
  ['trailing bytes', Buffer.concat([sectionOf(), new Uint8Array(1)])],
  ['no array', encode(new Map())],
  ['no entry', encode([])],
  ['an entry that is no map', encode([[1, 2]])],
  ['a third key', sectionOf({ extra: true })],
  ['an integer that is no byte', sectionOf({ pem: [256] })],
  ['no PEM', sectionOf({ pem: [...bytes('no certificate')] })],
  ['PEM of no DER', sectionOf({ pem: [...bytes(key.certificate.replace('MII', 'AAA'))] })],
  ['too large', new Uint8Array(32_769)],
])('ERR_EIF_SIGNATURE: %s', async (_, section) => {
  expect(await outcome(() => signed(section))).toBe('ERR_EIF_SIGNATURE')
})

test('ERR_EIF_SIGNER: key and certificate that do not belong together, and other mistakes', async () => {
  const stranger = makeSigningKey()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const rsaPem = rsa.export({ format: 'pem', type: 'pkcs8' }) as string
  const of = (change: Partial<EifSigner>) => outcome(() => signPcr0(PCR0, { ...signer, ...change }))
  expect(await of({ certificate: stranger.certificate })).toBe('ERR_EIF_SIGNER')
  expect(await of({ certificate: 'none' })).toBe('ERR_EIF_SIGNER')
  expect(await of({ format: 'der' })).toBe('ERR_EIF_SIGNER')
  expect(await of({ certificate: makeSigningKey({ key: rsa }).certificate })).toBe('ERR_EIF_SIGNER')
  expect(await of({ certificate: key.certificate + ' '.repeat(20_000) })).toBe('ERR_EIF_SIGNER')
  const pem = (privateKey: string) =>
    outcome(() => pemSigner({ certificate: key.certificate, privateKey }))
  expect(await pem('none')).toBe('ERR_EIF_SIGNER')
  expect(await pem(rsaPem)).toBe('ERR_EIF_SIGNER')
})

test('describe-eif prints what nitro-cli prints', async () => {
  const lines = formatDescribeEif(await signed(sectionOf())).split('\n')
  expect(lines.slice(0, 3)).toEqual(['{', '  "EifVersion": 4,', '  "Measurements": {'])
  const output = JSON.parse(lines.join('\n')) as Record<string, unknown>
  expect(Object.keys(output)).toEqual([
    ...['EifVersion', 'Measurements', 'IsSigned', 'SigningCertificate', 'CheckCRC'],
    ...['SignatureCheck', 'ImageName', 'ImageVersion', 'Metadata'],
  ])
  expect(output['Measurements']).toMatchObject({
    HashAlgorithm: 'Sha384 { ... }',
    PCR0,
    PCR8: ext(key.der),
  })
  expect(output['SigningCertificate']).toMatchObject({
    IssuerName: { commonName: 'fixture', organizationName: 'Test A' },
    Algorithm: 'ecdsa-with-SHA384',
    NotBefore: 'Jan  1 00:00:00 2026 GMT',
    NotAfter: 'Jan  9 01:02:03 2030 GMT',
    Signature: expect.stringMatching(/^[0-9A-F]{2}(?::[0-9A-F]{2})+$/) as string,
  })
  expect(output['SignatureCheck']).toBe(true)
  expect(output['Metadata']).toEqual({
    BuildTime: '1970-01-01T00:00:00+00:00',
    BuildTool: 'fixture',
    BuildToolVersion: '0',
    OperatingSystem: 'Linux',
    KernelVersion: '6.12',
    DockerInfo: { Id: 'x' },
    team: 'a',
  })
  const wrong = await signed(sectionOf({ payload: payloadOf(1, PCR0) }))
  expect(JSON.parse(formatDescribeEif(wrong))).toMatchObject({ SignatureCheck: false })
  const plain = JSON.parse(formatDescribeEif(await describeBytes(imageOf()))) as object
  expect(Object.keys(plain)).not.toContain('SignatureCheck')
})
