import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, sign, verify, X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import {
  createCertificateAuthority,
  importCertificateAuthority,
  loadCertificateAuthority,
  openCertificateAuthority,
} from '../src/index.ts'
import { levels } from '../src/nitro-profile.ts'
import { derShape } from './der-shape.ts'
import { noDocuments, realDocuments } from './real-documents.ts'

const scratch = mkdtempSync(join(tmpdir(), 'simulator-authority-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const SECOND = 1000
const HOUR = 3600 * SECOND
const names = { instanceId: 'i-0123456789abcdef0', enclaveId: '0123456789abcdef' }
const moduleId = 'i-0123456789abcdef0-enc0123456789abcdef'

function seconds(text: string): number {
  return new Date(text).getTime() / SECOND
}

describe.skipIf(noDocuments !== undefined)(
  `certificates beside AWS's own of 2026 ${noDocuments ?? ''}`,
  () => {
    const real = realDocuments('2026', '2025-1')
    const path = async () => {
      const authority = await createCertificateAuthority(names)
      const { cabundle, certificate } = authority.issueLeaf()
      return [...cabundle, certificate]
    }

    it('has documents to compare with', () => {
      expect(real.length).toBeGreaterThanOrEqual(4)
      for (const document of real) expect(document.path).toHaveLength(5)
    })

    it.each(levels.map((level, index) => [level, index] as const))(
      '%s: the same tags in the same places, the same extensions and criticality',
      async (_level, index) => {
        const ours = derShape((await path())[index] ?? new Uint8Array())
        expect(ours.length).toBeGreaterThan(40)
        for (const { path: theirs } of real) {
          expect(ours).toEqual(derShape(theirs[index] ?? new Uint8Array()))
        }
      },
    )

    it.each(levels.map((level, index) => [level, index] as const))(
      '%s: as long as theirs, within a few bytes',
      async (_level, index) => {
        const sizes = real
          .filter(({ path: [, regional] }) => regionOf(regional) === 'us-east-1')
          .map(({ path: theirs }) => theirs[index]?.length ?? 0)
        expect(sizes.length).toBeGreaterThan(0)
        // Two integers of the signature and the serial number vary by a byte or two each.
        for (let round = 0; round < 8; round += 1) {
          const ours = (await path())[index]?.length ?? 0
          expect(ours).toBeGreaterThanOrEqual(Math.min(...sizes) - 6)
          expect(ours).toBeLessThanOrEqual(Math.max(...sizes) + 6)
        }
      },
    )

    it('lives as long as theirs at every level', async () => {
      const ours = (await path()).map(lifetime)
      for (const { path: theirs } of real) {
        theirs.map(lifetime).forEach((life, index) => {
          // Zonal certificates live 133 to 145 hours; others differ by a second at most.
          const slack = index === 2 ? 12 * 3600 : 1
          expect(Math.abs(life - (ours[index] ?? 0))).toBeLessThanOrEqual(slack)
        })
      }
    })

    function lifetime(der: Uint8Array): number {
      const { validFrom, validTo } = new X509Certificate(der)
      return seconds(validTo) - seconds(validFrom)
    }

    function regionOf(der: Uint8Array | undefined): string | undefined {
      return der && /CN=[0-9a-f]+\.([a-z0-9-]+)\./.exec(new X509Certificate(der).subject)?.[1]
    }
  },
)

describe('a path', () => {
  const now = new Date('2026-03-01T12:00:00.750Z')

  it('is read and followed by node:crypto, level by level', async () => {
    const authority = await createCertificateAuthority({ ...names, now: () => now })
    const leaf = authority.issueLeaf()
    const path = [...leaf.cabundle, leaf.certificate].map((der) => new X509Certificate(der))
    path.forEach((certificate, index) => {
      const issuer = path[Math.max(0, index - 1)]
      expect(issuer && certificate.verify(issuer.publicKey)).toBe(true)
      expect(issuer && certificate.checkIssued(issuer)).toBe(true)
      expect(certificate.ca).toBe(index < 4)
      expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('secp384r1')
    })
    expect(leaf.cabundle[0]).toEqual(authority.trustAnchor)
    expect(new X509Certificate(authority.trustAnchorPem).raw).toEqual(
      Buffer.from(authority.trustAnchor),
    )
    const message = Buffer.from('signed by the leaf')
    const signature = sign('sha384', message, leaf.privateKey)
    expect(path[4] && verify('sha384', message, path[4].publicKey, signature)).toBe(true)
  })

  it('carries names that are not those of AWS', async () => {
    const authority = await createCertificateAuthority({ ...names, region: 'eu-west-1' })
    const { cabundle, certificate } = authority.issueLeaf()
    const subjects = [...cabundle, certificate].map((der) =>
      new X509Certificate(der).subject.split('\n').join(','),
    )
    expect(subjects[0]).toBe('C=US,O=NotAWS,OU=SIM,CN=simulator.enclavejs')
    expect(subjects[1]).toMatch(/CN=[0-9a-f]{16}\.eu-west-1\.simulator\.enclavejs$/)
    expect(subjects[2]).toMatch(/^CN=[0-9a-f]{16}\.zonal\.eu-west-1\.simulator\.enclavejs,/)
    expect(subjects[3]).toMatch(/CN=i-0123456789abcdef0\.eu-west-1\.simulator\.enclavejs$/)
    expect(subjects[4]).toMatch(new RegExp(`CN=${moduleId}\\.eu-west-1\\.sim$`))
    for (const subject of subjects) expect(subject).not.toMatch(/Amazon|OU=AWS|aws\.nitro/)
  })

  it('has a leaf from 3 s before to 3 h after its issue, with enclave and second as serial', async () => {
    const authority = await createCertificateAuthority({ ...names, now: () => now })
    const leaf = new X509Certificate(authority.issueLeaf().certificate)
    const issue = Math.floor(now.getTime() / SECOND)
    expect(seconds(leaf.validFrom)).toBe(issue - 3)
    expect(seconds(leaf.validTo)).toBe(issue + 3 * 3600)
    // The octets are 0123456789abcdef and the second in 8 bytes; node drops leading zeros in pairs.
    const serial = `0123456789abcdef${issue.toString(16).padStart(16, '0')}`
    expect(BigInt(`0x${leaf.serialNumber}`)).toBe(BigInt(`0x${serial}`))
  })

  it('is accepted by openssl', async () => {
    const authority = await createCertificateAuthority(names)
    const { cabundle, certificate } = authority.issueLeaf()
    const pem = (der: Uint8Array): string => new X509Certificate(der).toString()
    const files = [authority.trustAnchorPem, cabundle.slice(1).map(pem).join(''), pem(certificate)]
    const [root, untrusted, leaf] = files.map((content, index) => {
      const file = join(scratch, `openssl-${index}.pem`)
      writeFileSync(file, content)
      return file
    })
    const options = ['-CAfile', root ?? '', '-untrusted', untrusted ?? '', leaf ?? '']
    const verdict = execFileSync('openssl', ['verify', '-purpose', 'any', ...options])
    expect(verdict.toString().trim()).toBe(`${leaf}: OK`)
  })
})

describe('a leaf over time', () => {
  it('is the same one for two and a half hours, then another, the validities nested all along', async () => {
    let time = new Date('2026-03-01T00:00:00Z').getTime()
    const authority = await createCertificateAuthority({ ...names, now: () => new Date(time) })
    const first = authority.issueLeaf()
    time += 2.5 * HOUR
    expect(authority.issueLeaf().certificate).toEqual(first.certificate)
    time += SECOND
    expect(authority.issueLeaf().certificate).not.toEqual(first.certificate)
    const roots = new Set<string>()
    const regionals = new Set<string>()
    for (let step = 0; step < 300; step += 1) {
      time += 5 * HOUR
      const leaf = authority.issueLeaf()
      const path = [...leaf.cabundle, leaf.certificate].map((der) => new X509Certificate(der))
      path.forEach((certificate, index) => {
        const parent = path[Math.max(0, index - 1)] ?? certificate
        expect(certificate.verify(parent.publicKey)).toBe(true)
        expect(seconds(certificate.validFrom)).toBeGreaterThanOrEqual(seconds(parent.validFrom))
        expect(seconds(certificate.validTo)).toBeLessThanOrEqual(seconds(parent.validTo))
        expect(seconds(certificate.validFrom) * SECOND).toBeLessThanOrEqual(time)
        expect(seconds(certificate.validTo) * SECOND).toBeGreaterThanOrEqual(time)
      })
      roots.add(path[0]?.fingerprint256 ?? '')
      regionals.add(path[1]?.fingerprint256 ?? '')
    }
    expect(roots.size).toBe(1)
    expect(regionals.size).toBeGreaterThan(3)
  })

  it('is issued anew when the clock goes back', async () => {
    let time = new Date('2026-03-01T00:00:00Z').getTime()
    const authority = await createCertificateAuthority({ now: () => new Date(time) })
    const later = authority.issueLeaf()
    time -= 365 * 24 * HOUR
    const earlier = authority.issueLeaf()
    expect(earlier.certificate).not.toEqual(later.certificate)
    expect(earlier.cabundle[0]).toEqual(later.cabundle[0])
    expect(new X509Certificate(earlier.cabundle[1] ?? '').validFrom).toContain('2025')
  })

  it('is one for each module id, each under its own instance, and only so many are kept', async () => {
    const authority = await createCertificateAuthority(names)
    const own = authority.issueLeaf()
    const other = authority.issueLeaf('i-0fedcba9876543210-enc0000000000000001')
    expect(new X509Certificate(other.certificate).issuer).toContain('i-0fedcba9876543210.')
    expect(other.cabundle.slice(0, 3)).toEqual(own.cabundle.slice(0, 3))
    expect(authority.issueLeaf().certificate).toEqual(own.certificate)
    for (let index = 0; index < 20; index += 1) {
      authority.issueLeaf(
        `i-0fedcba9876543210-enc00000000000001${index.toString(16).padStart(2, '0')}`,
      )
    }
    expect(authority.issueLeaf().certificate).not.toEqual(own.certificate)
  })
})

describe('saving', () => {
  it('keeps root, path and leaf for another process', async () => {
    const directory = join(scratch, 'saved')
    const authority = await createCertificateAuthority(names)
    const other = authority.issueLeaf('i-0fedcba9876543210-enc0000000000000001')
    await authority.save(directory)
    const loaded = await loadCertificateAuthority(directory)
    expect(loaded.moduleId).toBe(moduleId)
    expect(loaded.region).toBe('us-east-1')
    const { privateKey, ...bytes } = loaded.issueLeaf()
    const { privateKey: original, ...expected } = authority.issueLeaf()
    expect(bytes).toEqual(expected)
    expect(privateKey.equals(original)).toBe(true)
    expect(loaded.issueLeaf('i-0fedcba9876543210-enc0000000000000001').certificate).toEqual(
      other.certificate,
    )
    expect(readFileSync(join(directory, 'root.pem'), 'utf8')).toBe(authority.trustAnchorPem)
    expect(readdirSync(directory).sort()).toEqual(['authority.json', 'root.pem'])
    expect(statSync(join(directory, 'authority.json')).mode & 0o777).toBe(0o600)
  })

  it('issues under the same root what has expired since', async () => {
    const past = () => new Date('2026-01-01T00:00:00Z')
    const authority = await createCertificateAuthority({ ...names, now: past })
    const loaded = importCertificateAuthority(authority.export(), {
      now: () => new Date('2026-06-01T00:00:00Z'),
    })
    const leaf = loaded.issueLeaf()
    expect(leaf.cabundle[0]).toEqual(authority.trustAnchor)
    const path = [...leaf.cabundle, leaf.certificate].map((der) => new X509Certificate(der))
    for (const certificate of path.slice(1)) {
      expect(new Date(certificate.validTo).getTime()).toBeGreaterThan(Date.UTC(2026, 5, 1))
    }
    expect(path[1] && path[0] && path[1].verify(path[0].publicKey)).toBe(true)
  })

  it('gives all that open one directory at once the same authority, and restores a lost root.pem', async () => {
    const directory = join(scratch, 'opened')
    const opened = await Promise.all(
      Array.from({ length: 6 }, () => openCertificateAuthority(directory)),
    )
    const anchors = new Set(opened.map(({ trustAnchorPem }) => trustAnchorPem))
    expect(anchors.size).toBe(1)
    rmSync(join(directory, 'root.pem'))
    const again = await openCertificateAuthority(directory)
    expect(readFileSync(join(directory, 'root.pem'), 'utf8')).toBe(again.trustAnchorPem)
    expect(anchors.has(again.trustAnchorPem)).toBe(true)
  })

  it('never replaces an authority', async () => {
    const directory = join(scratch, 'twice')
    const [first, second] = [await createCertificateAuthority(), await createCertificateAuthority()]
    await first.save(directory)
    await expect(second.save(directory)).rejects.toMatchObject({ code: 'ERR_SIMULATOR_DIRECTORY' })
    expect((await loadCertificateAuthority(directory)).trustAnchorPem).toBe(first.trustAnchorPem)
  })

  it('refuses a directory without an authority, with another file in its place, or that is a file', async () => {
    const code = { code: 'ERR_SIMULATOR_DIRECTORY' }
    await expect(loadCertificateAuthority(join(scratch, 'none'))).rejects.toMatchObject(code)
    const directory = mkdtempSync(join(scratch, 'broken-'))
    for (const text of ['', '{}', '{"version":2}', '{"version":1,"root":{}}']) {
      writeFileSync(join(directory, 'authority.json'), text)
      await expect(loadCertificateAuthority(directory)).rejects.toMatchObject(code)
    }
    const file = join(scratch, 'a-file')
    writeFileSync(file, '')
    await expect(openCertificateAuthority(file)).rejects.toMatchObject(code)
    expect(() => importCertificateAuthority('{}')).toThrow(TypeError)
  })
})

describe('the signer of QEMU', () => {
  it('has the files and forms that the device reads', async () => {
    const directory = join(scratch, 'signer')
    const authority = await createCertificateAuthority(names)
    await authority.writeSigner(directory)
    expect(readdirSync(directory).sort()).toEqual([
      'ca-0.der',
      'ca-1.der',
      'ca-2.der',
      'ca-3.der',
      'leaf.der',
      'leaf.key.pem',
      'root.pem',
    ])
    const read = (name: string): Buffer => readFileSync(join(directory, name))
    const leaf = authority.issueLeaf()
    expect(read('leaf.der')).toEqual(Buffer.from(leaf.certificate))
    leaf.cabundle.forEach((der, index) => expect(read(`ca-${index}.der`)).toEqual(Buffer.from(der)))
    expect(read('leaf.key.pem').toString()).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    const signature = sign('sha384', Buffer.from('x'), read('leaf.key.pem'))
    const { publicKey } = new X509Certificate(read('leaf.der'))
    expect(verify('sha384', Buffer.from('x'), publicKey, signature)).toBe(true)
    await authority.writeSigner(directory, 'i-0fedcba9876543210-enc0000000000000001')
    expect(new X509Certificate(read('leaf.der')).subject).toContain('i-0fedcba9876543210')
    expect(readdirSync(directory)).toHaveLength(7)
  })
})

describe('options', () => {
  it('takes keys that are given', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const authority = await createCertificateAuthority({ keys: { leaf: privateKey } })
    expect(authority.issueLeaf().privateKey.equals(privateKey)).toBe(true)
  })

  it('refuses names that Nitro does not have', async () => {
    await expect(createCertificateAuthority({ region: 'EU west' })).rejects.toThrow(TypeError)
    await expect(createCertificateAuthority({ instanceId: 'i-xyz' })).rejects.toThrow(/moduleId/)
    await expect(createCertificateAuthority({ enclaveId: '12' })).rejects.toThrow(/moduleId/)
    const authority = await createCertificateAuthority()
    expect(() => authority.issueLeaf('i-0-tpm')).toThrow(TypeError)
  })
})
