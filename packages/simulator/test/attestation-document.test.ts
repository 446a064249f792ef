import { verify, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { attestationEntries, encodePayload, sigStructure, signCoseSign1 } from '../src/forge.ts'
import { createCertificateAuthority, issueAttestationDocument } from '../src/index.ts'
import { noDocuments, realDocuments, takeApart, type RealDocument } from './real-documents.ts'

const P384_ORDER =
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n

const zeros = new Map(Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48)]))

function verified(document: RealDocument): boolean {
  const { publicKey } = new X509Certificate(document.path[4] ?? '')
  const signed = sigStructure(document.protected, document.payload)
  return verify('sha384', signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, document.signature)
}

describe.skipIf(noDocuments !== undefined)(
  `beside AWS's own documents ${noDocuments ?? ''}`,
  () => {
    const real = realDocuments()

    it('writes the values of each real document into its very bytes', async () => {
      expect(real.length).toBeGreaterThan(50)
      const { privateKey } = (await createCertificateAuthority()).issueLeaf()
      const forms = { definite: 0, indefinite: 0 }
      for (const document of real) {
        const get = <T>(name: string): T => document.fields.get(name) as T
        const entries = attestationEntries(
          {
            moduleId: get('module_id'),
            digest: get('digest'),
            timestamp: Number(get('timestamp')),
            pcrs: get('pcrs'),
            publicKey: get('public_key'),
            userData: get('user_data'),
            nonce: get('nonce'),
          },
          { certificate: get('certificate'), cabundle: get('cabundle') },
        )
        const definite = document.payload[0] === 0xa9
        forms[definite ? 'definite' : 'indefinite'] += 1
        const payload = encodePayload(entries, { definite })
        expect(Buffer.from(payload).equals(document.payload), document.file).toBe(true)
        const whole = signCoseSign1({
          payload,
          privateKey,
          mutateSignature: () => document.signature,
        })
        expect(Buffer.from(whole).equals(document.bytes), document.file).toBe(true)
        expect(verified(document), document.file).toBe(true)
      }
      expect(forms.definite).toBeGreaterThan(0)
      expect(forms.indefinite).toBeGreaterThan(0)
    })

    it('is as long as they are', async () => {
      const bare = real.filter(({ fields, file }) => {
        const names = ['public_key', 'user_data', 'nonce']
        return /^202(5-1|6)/.test(file) && names.every((name) => fields.get(name) === null)
      })
      const sizes = bare.map(({ bytes }) => bytes.length)
      expect(sizes.length).toBeGreaterThan(0)
      const authority = await createCertificateAuthority()
      const fields = { moduleId: authority.moduleId, timestamp: Date.now(), pcrs: zeros }
      const { length } = issueAttestationDocument(fields, authority.issueLeaf())
      for (const size of sizes) expect(Math.abs(size - length)).toBeLessThan(24)
    })
  },
)

describe('an issued document', () => {
  it('begins and ends as it does on Nitro, in either form of the map', async () => {
    const authority = await createCertificateAuthority()
    const leaf = authority.issueLeaf()
    const fields = { moduleId: authority.moduleId, timestamp: 1_785_784_793_123, pcrs: zeros }
    const current = issueAttestationDocument(fields, leaf)
    const former = issueAttestationDocument(fields, leaf, { definite: true })
    expect(Buffer.from(current.subarray(0, 7)).toString('hex')).toBe('8444a1013822a0')
    const [now, before] = [takeApart('', current), takeApart('', former)]
    expect([now.payload[0], now.payload.at(-1)]).toEqual([0xbf, 0xff])
    expect([before.payload[0], before.payload.length]).toEqual([0xa9, now.payload.length - 1])
    expect(now.signature).toHaveLength(96)
    expect(verified(now) && verified(before)).toBe(true)
    const hex = Buffer.from(current).toString('hex')
    expect(hex).toContain('6974696d657374616d701b0000019fc9117823')
    expect(hex).toContain('6a7075626c69635f6b6579f669757365725f64617461f6656e6f6e6365f6ff5860')
  })

  it('keeps null apart from empty', async () => {
    const authority = await createCertificateAuthority()
    const fields = { moduleId: authority.moduleId, timestamp: 1, pcrs: zeros }
    const empty = new Uint8Array()
    const document = issueAttestationDocument(
      { ...fields, publicKey: empty, userData: null, nonce: undefined },
      authority.issueLeaf(),
    )
    const hex = Buffer.from(document).toString('hex')
    expect(hex).toContain('6a7075626c69635f6b65794069757365725f64617461f6656e6f6e6365f6')
  })

  it('is signed with s as it comes, in both halves of the group', async () => {
    const authority = await createCertificateAuthority()
    const leaf = authority.issueLeaf()
    const halves = new Set<boolean>()
    for (let round = 0; round < 64; round += 1) {
      const fields = { moduleId: authority.moduleId, timestamp: round, pcrs: zeros }
      const { signature } = takeApart('', issueAttestationDocument(fields, leaf))
      halves.add(
        BigInt(`0x${Buffer.from(signature.subarray(48)).toString('hex')}`) > P384_ORDER / 2n,
      )
    }
    expect(halves.size).toBe(2)
  })

  it('refuses a time that is not in whole milliseconds', async () => {
    const authority = await createCertificateAuthority()
    for (const timestamp of [-1, 0.5, Number.NaN, 2 ** 53]) {
      const fields = { moduleId: authority.moduleId, timestamp, pcrs: zeros }
      expect(() => issueAttestationDocument(fields, authority.issueLeaf())).toThrow(RangeError)
    }
  })
})
