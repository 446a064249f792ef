import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  attestationEntries,
  basicConstraints,
  changePath,
  ecdsaAlgorithm,
  encodeCbor,
  encodePayload,
  entry,
  extensionOids,
  issueCertificate,
  keyUsage,
  leafOf,
  levels,
  sigStructure,
  signCoseSign1,
  subjectKeyIdentifier,
  withExtension,
  withoutExtension,
  type CertificationPath,
  type Leaf,
  type Level,
  type PathChanges,
} from '../src/forge.ts'
import { createCertificateAuthority, type CertificateAuthority } from '../src/index.ts'

const scratch = mkdtempSync(join(tmpdir(), 'simulator-forge-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

let authority: CertificateAuthority
let path: CertificationPath
beforeAll(async () => {
  authority = await createCertificateAuthority()
  path = authority.certificationPath()
})

/** What openssl says of a path under the authority's own root: `OK`, or its error. */
function openssl(leaf: Leaf): string {
  const pem = (der: Uint8Array): string => new X509Certificate(der).toString()
  const contents = [
    authority.trustAnchorPem,
    leaf.cabundle.slice(1).map(pem).join(''),
    pem(leaf.certificate),
  ]
  const files = contents.map((content, index) => {
    const file = join(scratch, `${index}.pem`)
    writeFileSync(file, content)
    return file
  })
  const [root = '', untrusted = '', target = ''] = files
  try {
    execFileSync('openssl', ['verify', '-CAfile', root, '-untrusted', untrusted, target], {
      stdio: 'pipe',
    })
    return 'OK'
  } catch (error) {
    const { stderr } = error as { stderr: Buffer }
    return /error \d+ at \d+ depth lookup: ?(.*)/.exec(stderr.toString())?.[1]?.trim() ?? ''
  }
}

function changedLevels(changed: CertificationPath): Level[] {
  return levels.filter(
    (level) => !Buffer.from(changed[level].certificate).equals(path[level].certificate),
  )
}

describe('changePath', () => {
  it('changes nothing when told nothing', () => {
    expect(changedLevels(changePath(path, {}))).toEqual([])
    expect(openssl(leafOf(changePath(path, {})))).toBe('OK')
  })

  const cases: [name: string, level: Level, changes: PathChanges, verdict: RegExp][] = [
    [
      'a CA flag that is missing',
      'zonal',
      recipe('zonal', (one) => ({
        ...one,
        extensions: withExtension(one.extensions, basicConstraints({ ca: false })),
      })),
      /invalid CA certificate/,
    ],
    [
      'a path length that is too short',
      'regional',
      recipe('regional', (one) => ({
        ...one,
        extensions: withExtension(
          one.extensions,
          basicConstraints({ ca: true, pathLenConstraint: 1 }),
        ),
      })),
      /path length constraint exceeded/,
    ],
    [
      'a CA that may not sign certificates',
      'instance',
      recipe('instance', (one) => ({
        ...one,
        extensions: withExtension(one.extensions, keyUsage(['digitalSignature'])),
      })),
      /invalid CA certificate|not allowed to sign|unable to get local issuer/,
    ],
    [
      'an expired leaf',
      'leaf',
      recipe('leaf', (one) => ({ ...one, notAfter: new Date(Date.now() - 1000) })),
      /certificate has expired/,
    ],
    [
      'a leaf of tomorrow',
      'leaf',
      recipe('leaf', (one) => ({ ...one, notBefore: new Date(Date.now() + 86_400_000) })),
      /not yet valid/,
    ],
    [
      'an unknown critical extension',
      'leaf',
      recipe('leaf', (one) => ({
        ...one,
        extensions: [
          ...one.extensions,
          { oid: '1.3.6.1.4.1.99999.1', critical: true, value: Uint8Array.of(5, 0) },
        ],
      })),
      /unhandled critical extension/,
    ],
    [
      'a signature that does not fit',
      'leaf',
      recipe('leaf', (one) => ({
        ...one,
        mutateSignature: (signature) => signature.with(-1, (signature.at(-1) ?? 0) ^ 1),
      })),
      /certificate signature failure/,
    ],
  ]

  function recipe(
    level: Level,
    change: NonNullable<NonNullable<PathChanges['recipes']>[Level]>,
  ): PathChanges {
    return { recipes: { [level]: change } }
  }

  it.each(cases)('%s: touches that certificate alone, and openssl sees it', (...args) => {
    const [, level, changes, verdict] = args
    const changed = changePath(path, changes)
    expect(changedLevels(changed)).toEqual([level])
    expect(openssl(leafOf(changed))).toMatch(verdict)
  })

  it.each(['P-256', 'P-521'])('puts a key on %s into a CA and signs with it', (namedCurve) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve })
    const changed = changePath(path, { keys: { zonal: privateKey } })
    expect(changedLevels(changed)).toEqual(['zonal', 'instance'])
    const zonal = new X509Certificate(changed.zonal.certificate)
    const instance = new X509Certificate(changed.instance.certificate)
    expect(zonal.publicKey.equals(createPublicKey(privateKey))).toBe(true)
    expect(instance.verify(zonal.publicKey)).toBe(true)
    expect(openssl(leafOf(changed))).toBe('OK')
    expect(
      changed.zonal.recipe.extensions.find(({ oid }) => oid === extensionOids.subjectKeyIdentifier),
    ).toEqual(subjectKeyIdentifier(createPublicKey(privateKey)))
  })

  it('replaces the root by another of the same name', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const changed = changePath(path, { keys: { root: privateKey } })
    expect(changedLevels(changed)).toEqual(['root', 'regional'])
    const root = new X509Certificate(changed.root.certificate)
    expect(root.verify(root.publicKey)).toBe(true)
    expect(openssl(leafOf(changed))).toMatch(/issuer certificate|signature failure/)
  })
})

describe('issueCertificate', () => {
  it.each([
    ['sha256', /ecdsa-with-SHA256/],
    ['sha512', /ecdsa-with-SHA512/],
  ] as const)('signs with %s, in both places where the algorithm stands', (hash, text) => {
    const der = issueCertificate({ ...path.leaf.recipe, signatureHash: hash })
    const print = x509(der)
    expect(print.match(new RegExp(text, 'g'))).toHaveLength(2)
    const issuer = createPublicKey(path.instance.privateKey)
    expect(new X509Certificate(der).verify(issuer)).toBe(true)
  })

  it('lets the two algorithms differ', () => {
    const inner = x509(
      issueCertificate({ ...path.leaf.recipe, innerSignatureAlgorithm: ecdsaAlgorithm('sha256') }),
    )
    expect([...inner.matchAll(/ecdsa-with-SHA(\d+)/g)].map(([, size]) => size)).toEqual([
      '256',
      '384',
    ])
    const outer = x509(
      issueCertificate({ ...path.leaf.recipe, outerSignatureAlgorithm: ecdsaAlgorithm('sha256') }),
    )
    expect([...outer.matchAll(/ecdsa-with-SHA(\d+)/g)].map(([, size]) => size)).toEqual([
      '384',
      '256',
    ])
  })

  it('writes other versions, raw names, raw times and no extensions', () => {
    const der = issueCertificate({
      ...path.leaf.recipe,
      version: 1,
      extensions: [],
      subject: Uint8Array.of(0x30, 0),
      notAfter: Buffer.from('\x18\x0f20991231235959Z', 'latin1'),
    })
    const print = x509(der)
    expect(print).toContain('Version: 1 (0x0)')
    expect(print).toContain('Not After : Dec 31 23:59:59 2099 GMT')
    expect(print).toMatch(/Subject: *\n/)
    expect(print).not.toContain('X509v3')
    const since2050 = issueCertificate({ ...path.leaf.recipe, notAfter: new Date('2050-01-01Z') })
    expect(x509(since2050)).toContain('Not After : Jan  1 00:00:00 2050 GMT')
  })

  it('signs the TBSCertificate as it was changed last', () => {
    const der = issueCertificate({
      ...path.leaf.recipe,
      mutateTbs: (tbs) => {
        const text = Buffer.from(tbs).toString('latin1').replaceAll('NotAWS', 'Nobody')
        return new Uint8Array(Buffer.from(text, 'latin1'))
      },
    })
    const certificate = new X509Certificate(der)
    expect(certificate.subject).toContain('O=Nobody')
    expect(certificate.verify(createPublicKey(path.instance.privateKey))).toBe(true)
  })

  it('takes an extension out', () => {
    const extensions = withoutExtension(path.zonal.recipe.extensions, extensionOids.keyUsage)
    expect(extensions).toHaveLength(4)
    expect(x509(issueCertificate({ ...path.zonal.recipe, extensions }))).not.toContain('Key Usage')
  })

  function x509(der: Uint8Array): string {
    const options = ['x509', '-inform', 'DER', '-noout', '-text']
    return execFileSync('openssl', options, { input: der }).toString()
  }
})

describe('signCoseSign1 and encodePayload', () => {
  const privateKey = () => path.leaf.privateKey
  const payload = Uint8Array.of(0xa0)
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

  it('writes each part as told and signs what it says it signs', () => {
    const header = Uint8Array.of(0xa0)
    const externalAad = Uint8Array.of(7)
    const bytes = signCoseSign1({
      payload,
      privateKey: privateKey(),
      protected: header,
      unprotected: Uint8Array.of(0xa1, 1, 2),
      tagged: true,
      externalAad,
    })
    expect(hex(bytes.subarray(0, -96))).toBe('d28441a0a1010241a05860')
    const signature = bytes.subarray(-96)
    const key = { key: createPublicKey(privateKey()), dsaEncoding: 'ieee-p1363' } as const
    expect(verify('sha384', sigStructure(header, payload, externalAad), key, signature)).toBe(true)
    expect(verify('sha384', sigStructure(header, payload), key, signature)).toBe(false)
  })

  it('writes other items in the place of the payload, the header and the signature', () => {
    const bytes = signCoseSign1({
      payload,
      privateKey: privateKey(),
      payloadItem: encodeCbor(null),
      protectedItem: encodeCbor('text'),
      signatureItem: encodeCbor(null),
    })
    expect(hex(bytes)).toBe('846474657874a0f6f6')
  })

  it('changes the signature last', () => {
    const bytes = signCoseSign1({
      payload,
      privateKey: privateKey(),
      mutateSignature: (signature) => signature.subarray(0, 95),
    })
    expect(hex(bytes.subarray(0, -95))).toBe('8444a1013822a041a0585f')
  })

  it('writes a key twice, in either form of the map', () => {
    const entries = [entry('a', encodeCbor(1)), entry('a', encodeCbor(2))]
    expect(hex(encodePayload(entries))).toBe('bf616101616102ff')
    expect(hex(encodePayload(entries, { definite: true }))).toBe('a2616101616102')
    const many = Array.from({ length: 24 }, () => entry('a', encodeCbor(1)))
    expect(() => encodePayload(many, { definite: true })).toThrow(RangeError)
  })

  it('gives the nine pairs one by one', () => {
    const fields = { moduleId: authority.moduleId, timestamp: 1, pcrs: new Map() }
    const entries = attestationEntries(fields, leafOf(path))
    expect(entries.map(([key]) => Buffer.from(key.subarray(1)).toString())).toEqual([
      'module_id',
      'digest',
      'timestamp',
      'pcrs',
      'certificate',
      'cabundle',
      'public_key',
      'user_data',
      'nonce',
    ])
  })
})
