import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  changePath,
  encodeCbor,
  encodePayload,
  entry,
  issueAttestationDocument,
  leafOf,
  signCoseSign1,
} from '@enclavejs/simulator/forge'
import { vectors } from '../../../test/vectors.ts'
import { enclavejs, hexOf, Issuer, NONCE, pcr, pcrHex, somePcrs, Workspace } from './process.ts'

const workspace = new Workspace()
afterAll(() => workspace.remove())

let issuer: Issuer
beforeAll(async () => {
  issuer = await Issuer.create()
})

function decode(document: Uint8Array | string, ...flags: string[]) {
  return enclavejs(['decode', '-', ...flags], { input: document })
}

/** Text that would clear the screen, set the title, erase a line, reverse the direction and break a line. */
const HOSTILE =
  'a\u001b[2J\u001b]0;title\u0007\u009b1A\r\n\u202egnol\u202c\u2066x\u2069\u200f\ud83d\ude00 \\u{1b} \u0000\u007f\u2028"'

/** Everything that may be printed: printable ASCII, line feeds and the typography of our own. */
const SAFE = /^[\n -~…–‖§]*$/u

describe('a document', () => {
  it('is shown whole, and said not to be verified', async () => {
    const fields = { publicKey: Uint8Array.of(1, 255), userData: new TextEncoder().encode('hello') }
    const { status, stdout, stderr } = await decode(issuer.issue(fields))
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^NOT VERIFIED/)
    expect(stdout).toContain(issuer.authority.moduleId)
    expect(stdout).toContain(issuer.now.toISOString())
    expect(stdout).toContain('(raw), COSE_Sign1 untagged, ES384')
    for (const [index, value] of somePcrs()) {
      expect(stdout).toContain(`PCR${String(index).padEnd(2)} ${hexOf(value)}`)
    }
    expect(stdout).toContain('PCR4 is NOT that of the instance')
    expect(stdout).toMatch(/public_key +2 bytes\n +01ff\n/)
    expect(stdout).toContain('as text: "hello"')
    expect(stdout).toContain(hexOf(NONCE))
    expect(stdout).toContain('cabundle[0]')
    expect(stdout).toContain('CN=simulator.enclavejs,OU=SIM,O=NotAWS,C=US')
    expect(stdout).toMatch(/may +keyCertSign; a CA, path length at most 0/)
    expect(stdout).toMatch(/may +digitalSignature, nonRepudiation; no CA/)
    expect(stdout.match(/: valid now/g)).toHaveLength(5)
    expect(stdout).not.toContain('DEBUG MODE')
  })

  it('is the same in JSON, with every byte in it', async () => {
    const document = issuer.issue()
    const { status, stdout } = await decode(hexOf(document), '--json')
    expect(status).toBe(0)
    const report = JSON.parse(stdout) as { certificates: { der: string }[] }
    expect(report).toMatchObject({
      verified: false,
      encoding: 'hex',
      size: document.length,
      tagged: false,
      algorithm: 'ES384',
      signature: hexOf(document.slice(-96)),
      moduleId: issuer.authority.moduleId,
      timestamp: issuer.now.toISOString(),
      digest: 'SHA384',
      debugMode: false,
      pcr4MatchesModuleId: false,
      publicKey: null,
      userData: null,
      nonce: { size: 32, hex: hexOf(NONCE) },
    })
    expect(report).toHaveProperty(['pcrs', '4'], {
      value: pcrHex(5),
      meaning: 'id of the parent instance',
    })
    const path = issuer.authority.certificationPath()
    expect(report.certificates.map(({ der }) => der)).toEqual(
      [path.root, path.regional, path.zonal, path.instance, path.leaf].map(({ certificate }) =>
        hexOf(certificate),
      ),
    )
    expect(report.certificates[4]).toMatchObject({
      field: 'certificate',
      validity: 'valid',
      ca: false,
      pathLenConstraint: null,
      keyUsage: ['digitalSignature', 'nonRepudiation'],
    })
  })

  it('with tag 18', async () => {
    const tagged = Uint8Array.of(0xd2, ...issuer.issue())
    expect((await decode(tagged)).stdout).toContain('with tag 18')
    expect(JSON.parse((await decode(tagged, '--json')).stdout)).toMatchObject({ tagged: true })
  })

  it('of debug mode, and one in which debug mode cannot be told', async () => {
    const pcrs = somePcrs()
    for (const index of [0, 1, 2, 8]) pcrs.set(index, pcr(0))
    const debug = await decode(issuer.issue({ pcrs }))
    expect(debug.stdout).toContain('DEBUG MODE')
    expect(debug.stdout).toContain('PCR0–2, 8: zero')
    const unknown = issuer.issue({ pcrs: new Map([[4, pcr(1)]]) })
    expect((await decode(unknown)).stdout).toContain('debug mode cannot be told')
    expect(JSON.parse((await decode(unknown, '--json')).stdout)).toMatchObject({ debugMode: null })
  })

  it('of the past and of the future, with what is expired and what has not begun', async () => {
    const past = await Issuer.create(new Date('2026-03-01T12:00:00Z'))
    const old = await decode(past.issue())
    expect(old.stdout.match(/: expired \d+ days ago/g)).toHaveLength(4)
    const future = await Issuer.create(new Date('2045-03-01T12:00:00Z'))
    const early = await decode(future.issue())
    expect(early.stdout.match(/: not yet valid, begins in \d+ days/g)).toHaveLength(4)
    expect(early.stdout).toContain('in the future')
    const json = JSON.parse((await decode(past.issue(), '--json')).stdout) as {
      certificates: { validity: string }[]
    }
    expect(json.certificates.map(({ validity }) => validity)).toEqual([
      'valid',
      ...Array.from({ length: 4 }, () => 'expired'),
    ])
  })
})

describe('hostile text', () => {
  const bytes = new TextEncoder().encode(HOSTILE)

  it('in module_id and in the fields is escaped', async () => {
    const { status, stdout, stderr } = await decode(
      issuer.issue({ moduleId: HOSTILE, userData: bytes, nonce: bytes, publicKey: bytes }),
    )
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(SAFE)
    expect(stdout).toContain('a\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}1A\\u{d}\\u{a}\\u{202e}gnol')
    // What looked like an escape in the text is told apart from an escape of ours.
    expect(stdout).toContain(' \\\\u{1b} ')
    expect(stdout).toContain('\\u{1f600}')
  })

  it('is pure ASCII in JSON, and comes back whole', async () => {
    const { stdout } = await decode(issuer.issue({ moduleId: HOSTILE, userData: bytes }), '--json')
    expect(stdout).toMatch(/^[\n -~]*$/)
    expect(JSON.parse(stdout)).toMatchObject({
      moduleId: HOSTILE,
      userData: { hex: hexOf(bytes), text: expect.stringContaining('\\u{202e}') as string },
    })
  })

  it('in the name of a certificate is escaped, once', async () => {
    const path = changePath(issuer.authority.certificationPath(), {
      recipes: {
        leaf: (recipe) => ({ ...recipe, subject: [['CN', HOSTILE.slice(0, 20)]] }),
      },
    })
    const document = issueAttestationDocument(
      { moduleId: 'i', timestamp: issuer.now.getTime(), pcrs: somePcrs() },
      leafOf(path),
    )
    const { stdout } = await decode(document)
    expect(stdout).toMatch(SAFE)
    expect(stdout).toContain('a\\u{1b}[2J')
  })

  it('in a message of refusal is escaped', async () => {
    const leaf = leafOf(issuer.authority.certificationPath())
    const payload = encodePayload([entry('\u202e\u009b2J', encodeCbor(0))])
    const document = signCoseSign1({ payload, privateKey: leaf.privateKey })
    const { status, stdout, stderr } = await decode(document)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(SAFE)
    expect(stderr).toContain('ERR_ATTESTATION_FIELD_UNKNOWN')
    expect(stderr).toContain('2J')
    const json = await decode(document, '--json')
    expect(json.stdout).toMatch(/^[\n -~]*$/)
    expect(JSON.parse(json.stdout)).toMatchObject({
      verified: false,
      code: 'ERR_ATTESTATION_FIELD_UNKNOWN',
    })
  })

  it('of great length is cut in the text and whole in JSON', async () => {
    const moduleId = 'x'.repeat(5000)
    const { stdout } = await decode(issuer.issue({ moduleId }))
    expect(stdout).toContain(`${'x'.repeat(200)}… (5000 characters)`)
    expect(stdout).not.toContain('x'.repeat(201))
    const json = await decode(issuer.issue({ moduleId }), '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ moduleId })
  })

  it('in a file name is escaped', async () => {
    const { status, stderr } = await enclavejs(['decode', 'none\u001b[2J\u202e'])
    expect(status).toBe(2)
    expect(stderr).toMatch(SAFE)
  })
})

describe('what is no document', () => {
  it.each<[string, Uint8Array | string, string]>([
    ['nothing', '', 'ERR_ATTESTATION_SIZE'],
    ['text', 'no document', 'ERR_ATTESTATION_CBOR'],
    ['a CBOR map', Uint8Array.of(0xa0), 'ERR_ATTESTATION_COSE_SIGN1'],
  ])('%s is refused with a code', async (_name, input, code) => {
    const outcome = await decode(input)
    expect(outcome).toMatchObject({ status: 1, stdout: '' })
    expect(outcome.stderr).toContain(`refused: ${code}`)
    const json = await decode(input, '--json')
    expect(json.status).toBe(1)
    expect(JSON.parse(json.stdout)).toMatchObject({ verified: false, code })
  })

  it('a certificate that cannot be read is said to be malformed, the rest is shown', async () => {
    const path = issuer.authority.certificationPath()
    const leaf = leafOf(path)
    const document = issueAttestationDocument(
      { moduleId: 'i', timestamp: issuer.now.getTime(), pcrs: somePcrs() },
      { ...leaf, cabundle: [leaf.cabundle[0] as Uint8Array, Uint8Array.of(0x30, 0x00)] },
    )
    const { status, stdout } = await decode(document)
    expect(status).toBe(0)
    expect(stdout).toMatch(/cabundle\[1\] {2}2 bytes, SHA-256 [0-9a-f]{64}\n +not strict DER/)
    expect(stdout).toContain('no CA')
  })
})

describe('wrong use', () => {
  it.each([
    [['decode']],
    [['decode', 'a', 'b']],
    [['decode', '-', '--pcr', '0=00']],
    [['decode', '/nowhere/at/all']],
  ])('%j', async (args) => {
    const outcome = await enclavejs(args)
    expect(outcome).toMatchObject({ status: 2, stdout: '' })
    expect(outcome.stderr).toMatch(/^enclavejs: /)
  })
})

const real = vectors('attestation-docs')

describe.skipIf(real === undefined)('real documents (needs the vectors)', () => {
  const folder = real as string

  it('are shown, each in human form and in JSON; those of a NitroTPM are refused', async () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.bin'))
    expect(files.length).toBeGreaterThan(60)
    // Every twelfth, and all of the TPM: each is two processes.
    for (const name of files.filter((name, index) => index % 12 === 0 || name.includes('tpm'))) {
      const file = join(folder, name)
      const text = await enclavejs(['decode', file])
      if (name.includes('tpm')) {
        expect(text).toMatchObject({ status: 1, stdout: '' })
        expect(text.stderr).toContain('ERR_ATTESTATION_NITROTPM')
        continue
      }
      expect(text, name).toMatchObject({ status: 0, stderr: '' })
      expect(text.stdout).toMatch(SAFE)
      expect(text.stdout).toContain('PCR4 is that of the instance in module')
      expect(text.stdout.includes('DEBUG MODE')).toBe(name.includes('debug'))
      const json = await enclavejs(['decode', file, '--json'])
      const report = JSON.parse(json.stdout) as { size: number; certificates: object[] }
      expect(report.size).toBe(readFileSync(file).length)
      expect(report.certificates).toHaveLength(5)
    }
  })
})
