import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeAttestationDocument, verifyArchivedAttestation } from '@enclavejs/attestation'
import { vectors } from '../../../test/vectors.ts'
import {
  enclavejs,
  enclavejsHere,
  hexOf,
  IMAGE,
  Issuer,
  NONCE,
  pcr,
  pcrHex,
  refusal,
  somePcrs,
  Workspace,
  wrongUse,
  type Outcome,
  type RunOptions,
} from './process.ts'

const workspace = new Workspace()
afterAll(() => workspace.remove())

let issuer: Issuer
let file: string
let anchor: string
/** Everything that a good call needs, less the file. */
let policy: readonly string[]
const nonce = ['--nonce', hexOf(NONCE)]

beforeAll(async () => {
  issuer = await Issuer.create()
  file = workspace.file('document.bin', issuer.issue())
  anchor = workspace.file('root.pem', issuer.authority.trustAnchorPem)
  policy = [...IMAGE, ...nonce, '--trust-anchor', anchor]
})

function verify(args: readonly string[], options?: RunOptions): Promise<Outcome> {
  return enclavejs(['verify', ...args], options)
}

describe('accepted', () => {
  it('says what was proven, and nothing on stderr', async () => {
    const { status, stdout, stderr } = await verify([file, ...policy])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^accepted\n/)
    expect(stdout).toContain(issuer.authority.moduleId)
    expect(stdout).toContain(issuer.now.toISOString())
    expect(stdout).toContain('the nonce is the one given')
    expect(stdout).toContain(`PCR0  ${pcrHex(1)}`)
    expect(stdout).toContain('CN=simulator.enclavejs')
    expect(stdout).toContain('own, --trust-anchor')
    expect(stdout).toContain('Not proven: who sent it')
    expect(stdout).not.toContain('DEBUG MODE')
  })

  it('as JSON, with bytes in hex and dates in ISO 8601', async () => {
    const { status, stdout, stderr } = await verify([file, ...policy, '--max-age', '600', '--json'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const result = JSON.parse(stdout) as Record<string, unknown>
    expect(result).toMatchObject({
      accepted: true,
      archived: false,
      moduleId: issuer.authority.moduleId,
      timestamp: issuer.now.toISOString(),
      debugMode: false,
      anyImage: false,
      referenceLabel: null,
      nonceMatched: true,
      maxAgeSeconds: 600,
      digest: 'SHA384',
      pcrs: Object.fromEntries([...somePcrs()].map(([index, value]) => [index, hexOf(value)])),
      publicKey: null,
      userData: null,
      nonce: hexOf(NONCE),
      trustAnchor: { partition: null, subject: expect.stringContaining('simulator.enclavejs') },
    })
    const appraisedAt = Date.parse(result['appraisedAt'] as string)
    expect(Math.abs(Date.now() - appraisedAt)).toBeLessThan(60_000)
    expect(result['ageSeconds']).toBe((appraisedAt - issuer.now.getTime()) / 1000)
  })

  it.each([
    ['hex', (bytes: Uint8Array) => hexOf(bytes)],
    [
      'hex in capitals, with line breaks',
      (bytes: Uint8Array) => hexOf(bytes).toUpperCase().replace(/.{64}/g, '$&\r\n'),
    ],
    ['base64', (bytes: Uint8Array) => `${Buffer.from(bytes).toString('base64')}\n`],
    [
      'base64 in lines',
      (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/.{76}/g, '$&\n'),
    ],
    ['base64url', (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')],
    ['raw bytes', (bytes: Uint8Array) => bytes],
  ])('from stdin, in %s', async (_name, encode) => {
    const outcome = await verify(['-', ...policy], { input: encode(issuer.issue()) })
    expect(outcome).toMatchObject({ status: 0, stderr: '' })
  })

  it('with every field that may be required', async () => {
    const fields = { publicKey: Uint8Array.of(1, 2, 3), userData: new Uint8Array(200).fill(9) }
    const document = workspace.file('fields.bin', issuer.issue(fields))
    const flags = ['--public-key', '010203', '--user-data', '09'.repeat(200)]
    const { status, stdout } = await verify([document, ...policy, ...flags])
    expect(status).toBe(0)
    expect(stdout).toContain('3 bytes, as required: 010203')
    expect(stdout).toContain(`200 bytes, as required: ${'09'.repeat(64)}…`)
  })

  it('with PCR8 alone, and with --any-image, which it says', async () => {
    const root = [...nonce, '--trust-anchor', anchor]
    expect(await verify([file, '--pcr', `PCR8=${pcrHex(9)}`, ...root])).toMatchObject({ status: 0 })
    const any = await verify([file, '--any-image', ...root])
    expect(any).toMatchObject({ status: 0, stderr: '' })
    expect(any.stdout).toContain('ANY image')
    const json = await verify([file, '--any-image', ...root, '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({ accepted: true, anyImage: true })
  })

  it('in debug mode only with --allow-debug-mode, which it says in capitals', async () => {
    const pcrs = somePcrs()
    for (const index of [0, 1, 2, 8]) pcrs.set(index, pcr(0))
    const debug = workspace.file('debug.bin', issuer.issue({ pcrs }))
    const flags = ['--any-image', ...nonce, '--trust-anchor', anchor]
    expect(await verify([debug, ...flags])).toEqual(refusal('ERR_ATTESTATION_DEBUG_MODE'))
    const allowed = await verify([debug, ...flags, '--allow-debug-mode'])
    expect(allowed).toMatchObject({ status: 0 })
    expect(allowed.stdout).toContain('DEBUG MODE')
    expect(allowed.stdout).toContain('PCR0–2, 8: zero')
    const zeros = [0, 1, 2].flatMap((index) => ['--pcr', `${index}=${'00'.repeat(48)}`])
    const rest = [...nonce, '--trust-anchor', anchor]
    expect(await verify([debug, ...zeros, ...rest, '--allow-debug-mode'])).toMatchObject({
      status: 0,
    })
    expect(await verify([debug, ...zeros, ...rest])).toEqual(
      wrongUse(/PCR0 is zero.*--allow-debug-mode/),
    )
  })

  it('with roots in DER, in PEM with comments, and the right one of several', async () => {
    const other = await Issuer.create()
    const der = workspace.file('root.der', issuer.authority.trustAnchor)
    const bundle = workspace.file(
      'roots.pem',
      `# two roots\n${other.authority.trustAnchorPem}\n${issuer.authority.trustAnchorPem}`,
    )
    const flags = [...IMAGE, ...nonce]
    expect(await verify([file, ...flags, '--trust-anchor', der])).toMatchObject({ status: 0 })
    expect(await verify([file, ...flags, '--trust-anchor', bundle])).toMatchObject({ status: 0 })
    const another = workspace.file('other.pem', other.authority.trustAnchorPem)
    expect(await verify([file, ...flags, '--trust-anchor', another])).toEqual(
      refusal('ERR_ATTESTATION_TRUST_ANCHOR'),
    )
    const both = ['--trust-anchor', another, '--trust-anchor', der]
    expect(await verify([file, ...flags, ...both])).toMatchObject({ status: 0 })
  })
})

describe('refused', () => {
  it('with the code on stderr, and in JSON on stdout', async () => {
    const flags = [...IMAGE, '--trust-anchor', anchor, '--nonce', '00'.repeat(32)]
    expect(await verify([file, ...flags])).toEqual(refusal('ERR_ATTESTATION_NONCE'))
    const { status, stdout, stderr } = await verify([file, ...flags, '--json'])
    expect(status).toBe(1)
    expect(stderr).toContain('ERR_ATTESTATION_NONCE')
    expect(JSON.parse(stdout)).toEqual({
      accepted: false,
      code: 'ERR_ATTESTATION_NONCE',
      message: expect.any(String) as string,
    })
    expect(stdout + stderr).not.toContain('0000')
  })

  it.each<[string, string, () => readonly string[]]>([
    ['another PCR', 'ERR_ATTESTATION_PCR', () => [...IMAGE, '--pcr', `4=${pcrHex(99)}`, ...nonce]],
    [
      'a PCR it lacks',
      'ERR_ATTESTATION_PCR_ABSENT',
      () => [...IMAGE, '--pcr', `16=${pcrHex(99)}`, ...nonce],
    ],
    [
      'another public key',
      'ERR_ATTESTATION_PUBLIC_KEY',
      () => [...IMAGE, ...nonce, '--public-key', '01'],
    ],
    [
      'other user data',
      'ERR_ATTESTATION_USER_DATA',
      () => [...IMAGE, ...nonce, '--user-data', '01'],
    ],
  ])('for %s', async (_name, code, flags) => {
    expect(await verify([file, ...flags(), '--trust-anchor', anchor])).toEqual(refusal(code))
  })

  it('for AWS’s roots, when a simulator made it', async () => {
    const flags = [file, ...IMAGE, ...nonce]
    expect(await verify(flags)).toEqual(refusal('ERR_ATTESTATION_TRUST_ANCHOR'))
    for (const partition of ['aws', 'aws-us-gov']) {
      const outcome = await verify([...flags, '--partition', partition])
      expect(outcome).toEqual(refusal('ERR_ATTESTATION_TRUST_ANCHOR'))
      expect(outcome.stderr).toContain(`the root of ${partition} expected`)
    }
  })

  it('for its age, and for a timestamp in the future beyond the tolerance', async () => {
    const flags = [...IMAGE, '--trust-anchor', anchor]
    const old = workspace.file('old.bin', issuer.issue({ timestamp: Date.now() - 2_000 }))
    const stale = await verify([old, ...flags, '--max-age', '1.5'])
    expect(stale).toEqual(refusal('ERR_ATTESTATION_TOO_OLD'))
    expect(await verify([old, ...flags, '--max-age', '3600'])).toMatchObject({ status: 0 })
    const ahead = workspace.file('ahead.bin', issuer.issue({ timestamp: Date.now() + 120_000 }))
    const early = await verify([ahead, ...flags, '--max-age', '60'])
    expect(early).toEqual(refusal('ERR_ATTESTATION_TIMESTAMP_FUTURE'))
    const tolerant = await verify([ahead, ...flags, '--max-age', '60', '--clock-tolerance', '300'])
    expect(tolerant).toMatchObject({ status: 0 })
    expect(tolerant.stdout).toContain('ahead of now')
  })

  it('for a flipped bit in the first, a middle and the last byte', async () => {
    const good = issuer.issue()
    for (const position of [0, good.length >> 1, good.length - 1]) {
      for (const bit of [0x01, 0x80]) {
        const bad = good.slice()
        bad[position] = (bad[position] as number) ^ bit
        const { status, stderr } = await verify(['-', ...policy], { input: bad })
        expect({ status, stderr }).toEqual({
          status: 1,
          stderr: expect.stringMatching(/^refused: ERR_ATTESTATION_/) as string,
        })
      }
    }
  })

  it.each<[string, Uint8Array | string, string, RegExp]>([
    ['nothing', '', 'ERR_ATTESTATION_SIZE', /1 to 16384 bytes expected, 0 bytes seen/],
    ['spaces', ' \n\t', 'ERR_ATTESTATION_SIZE', /1 to 16384 bytes expected, 0 bytes seen/],
    [
      '17 KiB',
      new Uint8Array(17 * 1024).fill(0x84),
      'ERR_ATTESTATION_SIZE',
      /1 to 16384 bytes expected, 17408 bytes seen/,
    ],
    [
      'more than 1 MiB',
      new Uint8Array(1024 * 1024 + 1),
      'ERR_ATTESTATION_SIZE',
      /more than 1048576/,
    ],
    ['a text', 'hello, world', 'ERR_ATTESTATION_CBOR', /neither hex nor base64/],
    ['hex of odd length', '844', 'ERR_ATTESTATION_CBOR', /neither hex nor base64/],
    ['base64 with bits left over', 'hER=', 'ERR_ATTESTATION_CBOR', /neither hex nor base64/],
    ['base64 of both alphabets', 'hE+_', 'ERR_ATTESTATION_CBOR', /neither hex nor base64/],
  ])('for %s', async (_name, input, code, message) => {
    const outcome = await verify(['-', ...policy], { input })
    expect(outcome).toEqual(refusal(code))
    expect(outcome.stderr).toMatch(message)
  })

  it('for an endless file, without reading it whole', async () => {
    const outcome = await verify(['/dev/zero', ...policy])
    expect(outcome).toEqual(refusal('ERR_ATTESTATION_SIZE'))
  })
})

const real = vectors('attestation-docs')

describe.skipIf(real === undefined)('a real document (needs the vectors)', () => {
  const name = '2024-01-16-enclave-libsignal-2e7e810f.bin'
  const document = (): string => `${real as string}/${name}`
  let pcrs: string[]

  beforeAll(async () => {
    const { archived } = await verifyArchivedAttestation(readFileSync(document()), {
      at: 'document',
      acceptAnyImage: true,
    })
    pcrs = [0, 1, 2].flatMap((index) => [
      '--pcr',
      `${index}=${hexOf(archived.pcrs.get(index) as Uint8Array)}`,
    ])
  })

  it('is accepted under AWS’s root at a time of its leaf', async () => {
    const { status, stdout, stderr } = await verify([
      document(),
      ...pcrs,
      '--at-document-time',
      '--json',
    ])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      accepted: true,
      archived: true,
      moduleId: 'i-0797243b0383cd168-enc018cffeb5776ccea',
      trustAnchor: {
        partition: 'aws',
        sha256: '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b',
      },
    })
  })

  it('is refused one second after its leaf, under GovCloud’s root and with another PCR', async () => {
    const after = await verify([document(), ...pcrs, '--at', '2024-01-16T20:44:56Z'])
    expect(after).toEqual(refusal('ERR_ATTESTATION_CERTIFICATE_EXPIRED'))
    const last = await verify([document(), ...pcrs, '--at', '2024-01-16T20:44:55Z'])
    expect(last).toMatchObject({ status: 0 })
    const gov = await verify([
      document(),
      ...pcrs,
      '--at-document-time',
      '--partition',
      'aws-us-gov',
    ])
    expect(gov).toEqual(refusal('ERR_ATTESTATION_TRUST_ANCHOR'))
    const other = await verify([
      document(),
      ...pcrs,
      '--pcr',
      `8=${pcrHex(1)}`,
      '--at-document-time',
    ])
    expect(other).toEqual(refusal('ERR_ATTESTATION_PCR'))
  })

  it('of a NitroTPM is refused with its own code', async () => {
    const tpm = `${real as string}/2026-06-18-nitrotpm-attestor-core-020ed8bb.bin`
    const outcome = await verify([tpm, '--any-image', '--at-document-time'])
    expect(outcome).toEqual(refusal('ERR_ATTESTATION_NITROTPM'))
  })

  it('each of them is accepted with its own PCRs, and refused with another PCR4', async () => {
    const folder = real as string
    const names = readdirSync(folder).filter((name) => name.endsWith('.bin') && !/tpm/.test(name))
    expect(names.length).toBeGreaterThan(60)
    for (const name of names) {
      const { pcrs: own } = decodeAttestationDocument(readFileSync(`${folder}/${name}`))
      const pins = [0, 1, 2, 3].flatMap((index) => [
        '--pcr',
        `${index}=${hexOf(own.get(index) as Uint8Array)}`,
      ])
      const pcr4 = hexOf(own.get(4) as Uint8Array)
      const flags = [
        'verify',
        `${folder}/${name}`,
        ...pins,
        '--at-document-time',
        '--allow-debug-mode',
      ]
      const good = await enclavejsHere([...flags, '--pcr', `4=${pcr4}`])
      expect(good, name).toMatchObject({ status: 0, stderr: '' })
      expect(good.stdout.includes('DEBUG MODE'), name).toBe(name.includes('debug'))
      const digit = pcr4.startsWith('0') ? '1' : '0'
      const bad = await enclavejsHere([...flags, '--pcr', `4=${digit}${pcr4.slice(1)}`])
      expect(bad, name).toEqual(refusal('ERR_ATTESTATION_PCR'))
    }
  })
})
