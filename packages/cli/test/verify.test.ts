import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyArchivedAttestation } from '@enclavejs/attestation'
import { vectors } from '../../../test/vectors.ts'
import {
  enclavejs,
  hexOf,
  IMAGE,
  Issuer,
  NONCE,
  pcr,
  pcrHex,
  somePcrs,
  Workspace,
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

/** What a refusal is: status 1, the code on stderr, nothing on stdout. */
function refusal(code: string): object {
  return { status: 1, stdout: '', stderr: expect.stringContaining(`refused: ${code}\n`) as string }
}

function wrongUse(message: RegExp): object {
  return { status: 2, stdout: '', stderr: expect.stringMatching(message) as string }
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

describe('reference values in a file', () => {
  const measurements = (first: number): object => ({
    HashAlgorithm: 'Sha384 { ... }',
    PCR0: pcrHex(first),
    PCR1: pcrHex(first + 1),
    PCR2: pcrHex(first + 2),
  })
  const own = (label: string | undefined, first: number): object => ({
    ...(label === undefined ? {} : { label }),
    pcrs: { 0: pcrHex(first), PCR1: pcrHex(first + 1), 2: pcrHex(first + 2) },
  })

  it.each([
    ['what nitro-cli prints', { Measurements: measurements(1) }, 'reference.json'],
    [
      'what describe-eif prints',
      { EifVersion: 4, Measurements: measurements(1), IsSigned: false },
      'reference.json',
    ],
    ['its Measurements alone', measurements(1), 'reference.json'],
    ['with PCR8', { Measurements: { ...measurements(1), PCR8: pcrHex(9) } }, 'reference.json'],
    ['one set', own(undefined, 1), 'reference.json'],
    ['one set with a label', own('blue', 1), 'blue'],
    ['several sets', [own('old', 40), own('new', 1)], 'new'],
  ])('%s', async (_name, value, label) => {
    const reference = workspace.json('reference.json', value)
    const flags = [...nonce, '--trust-anchor', anchor, '--reference', reference]
    const { status, stdout } = await verify([file, ...flags, '--json'])
    expect({ status, ...(JSON.parse(stdout) as object) }).toMatchObject({
      status: 0,
      accepted: true,
      referenceLabel: label,
    })
  })

  it('several files name which image answered', async () => {
    const blue = workspace.json('blue.json', { Measurements: measurements(50) })
    const green = workspace.json('green.json', { Measurements: measurements(1) })
    const flags = [...nonce, '--trust-anchor', anchor, '--reference', blue, '--reference', green]
    const { status, stdout } = await verify([file, ...flags])
    expect(status).toBe(0)
    expect(stdout).toContain('the reference values "green.json"')
  })

  it('and --pcr beside it narrows every set', async () => {
    const reference = workspace.json('r.json', { Measurements: measurements(1) })
    const flags = [...nonce, '--trust-anchor', anchor, '--reference', reference]
    expect(await verify([file, ...flags, '--pcr', `3=${pcrHex(4)}`])).toMatchObject({ status: 0 })
    expect(await verify([file, ...flags, '--pcr', `3=${pcrHex(5)}`])).toEqual(
      refusal('ERR_ATTESTATION_PCR'),
    )
    expect(await verify([file, ...flags, '--pcr', `0=${pcrHex(1)}`])).toMatchObject({ status: 0 })
    expect(await verify([file, ...flags, '--pcr', `0=${pcrHex(5)}`])).toEqual(
      wrongUse(/--pcr 0 contradicts PCR0 of the reference values "r.json"/),
    )
  })

  it.each<[string, string, RegExp]>([
    ['no JSON', '{', /--reference: .*no JSON/],
    ['no UTF-8', '"\xff', /--reference: .*no JSON/],
    ['a number', '1', /an object expected/],
    ['null', 'null', /an object expected/],
    ['an empty list', '[]', /the list is empty/],
    ['a list in a list', '[[]]', /\[0\]: an object expected/],
    ['an empty object', '{}', /"pcrs" is missing/],
    ['no pcrs in it', '{"pcrs":{}}', /PCR0, 1 and 2 together/],
    ['too few', `{"pcrs":{"0":"${pcrHex(1)}"}}`, /PCR0, 1 and 2 together/],
    ['an unknown key', '{"pcrs":{},"pcr":{}}', /unknown key "pcr"/],
    ['an empty label', '{"pcrs":{},"label":""}', /"label"/],
    ['an index that is none', '{"pcrs":{"32":"00"}}', /"32" is no PCR/],
    ['an index with zeros', '{"pcrs":{"00":"00"}}', /"00" is no PCR/],
    ['a short value', '{"pcrs":{"0":"00"}}', /PCR0: 96 hex digits/],
    ['a number for a value', '{"pcrs":{"0":1}}', /PCR0: 96 hex digits/],
    ['a PCR twice', `{"pcrs":{"0":"${pcrHex(1)}","PCR0":"${pcrHex(1)}"}}`, /PCR0 is named twice/],
    ['__proto__ as a PCR', '{"pcrs":{"__proto__":"00"}}', /"__proto__" is no PCR/],
    ['another hash', '{"Measurements":{"HashAlgorithm":"Sha256"}}', /must be Sha384/],
    ['no hash', '{"Measurements":{"PCR0":"00"}}', /must be Sha384/],
    ['Measurements that are none', '{"Measurements":[]}', /must be an object/],
  ])('is wrong use with %s', async (_name, text, message) => {
    const reference = workspace.file('bad.json', Buffer.from(text, 'latin1'))
    const flags = [...nonce, '--trust-anchor', anchor, '--reference', reference]
    expect(await verify([file, ...flags])).toEqual(wrongUse(message))
  })

  it('is wrong use with two sets of one label', async () => {
    const reference = workspace.json('twice.json', [own('a', 1), own('a', 2)])
    const flags = [...nonce, '--trust-anchor', anchor, '--reference', reference]
    expect(await verify([file, ...flags])).toEqual(wrongUse(/--reference or --pcr.*own label/))
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
    ['nothing', '', 'ERR_ATTESTATION_SIZE', /this has 0/],
    ['spaces', ' \n\t', 'ERR_ATTESTATION_SIZE', /this has 0/],
    ['17 KiB', new Uint8Array(17 * 1024).fill(0x84), 'ERR_ATTESTATION_SIZE', /this has 17408/],
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

describe('the past', () => {
  let past: Issuer
  let archived: string
  let flags: readonly string[]

  beforeAll(async () => {
    past = await Issuer.create(new Date('2026-03-01T12:00:00Z'))
    archived = workspace.file('archived.bin', past.issue())
    const root = workspace.file('past.pem', past.authority.trustAnchorPem)
    flags = [archived, ...IMAGE, '--trust-anchor', root]
  })

  it('is appraised at its own time, or at one that is given, and says so', async () => {
    const own = await verify([...flags, '--at-document-time'])
    expect(own).toMatchObject({ status: 0, stderr: '' })
    expect(own.stdout).toContain('accepted as of 2026-03-01T12:00:00.000Z')
    expect(own.stdout).toContain('no proof of now')
    const later = await verify([...flags, '--at', '2026-03-01T13:30:00+01:00', '--json'])
    expect(JSON.parse(later.stdout)).toMatchObject({
      accepted: true,
      archived: true,
      appraisedAt: '2026-03-01T12:30:00.000Z',
      ageSeconds: 1800,
    })
  })

  it('is refused now, with a hint', async () => {
    const outcome = await verify([...flags, ...nonce])
    expect(outcome).toEqual(refusal('ERR_ATTESTATION_CERTIFICATE_EXPIRED'))
    expect(outcome.stderr).toContain('--at-document-time')
  })

  it('is refused outside of its certificate’s life, and where it is too old or not the one', async () => {
    const expired = await verify([...flags, '--at', '2026-03-01T15:00:01Z'])
    expect(expired).toEqual(refusal('ERR_ATTESTATION_CERTIFICATE_EXPIRED'))
    const early = await verify([...flags, '--at', '2026-03-01'])
    expect(early).toEqual(refusal('ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID'))
    const old = await verify([...flags, '--at', '2026-03-01T12:10Z', '--max-age', '60'])
    expect(old).toEqual(refusal('ERR_ATTESTATION_TOO_OLD'))
    const other = await verify([...flags, '--at-document-time', '--nonce', '00'])
    expect(other).toEqual(refusal('ERR_ATTESTATION_NONCE'))
  })

  it.each([
    ['yesterday'],
    ['2026-02-30'],
    ['2026-02-30T12:00:00Z'],
    ['2026-13-01'],
    ['2026-03-01T12:00:00'],
    ['2026-03-01T25:00:00Z'],
    ['1772366400'],
    [''],
  ])('wants an ISO date: %j is wrong use', async (date) => {
    expect(await verify([...flags, '--at', date])).toEqual(wrongUse(/--at: an ISO date/))
  })
})

describe('wrong use', () => {
  it.each<[string, () => readonly string[], RegExp]>([
    ['no file', () => [...policy], /FILE is missing/],
    ['two files', () => [file, file, ...policy], /one FILE expected, 2 given/],
    ['an unknown flag', () => [file, ...policy, '--nonse', '00'], /--nonse/],
    ['a flag without its value', () => [file, ...policy, '--max-age'], /--max-age/],
    ['a value for a switch', () => [file, ...policy, '--any-image=false'], /--any-image/],
    ['a flag twice', () => [file, ...policy, '--nonce', '00'], /--nonce is given twice/],
    ['no image', () => [file, ...nonce], /--reference FILE.json.*--any-image/],
    ['no freshness', () => [file, ...IMAGE], /--nonce HEX.*--max-age SECONDS.*--at-document-time/],
    [
      'too few PCRs',
      () => [file, ...nonce, '--pcr', `0=${pcrHex(1)}`],
      /--pcr: PCR0, 1 and 2 together/,
    ],
    [
      'any image and a PCR',
      () => [file, ...policy, '--any-image'],
      /--any-image contradicts --pcr/,
    ],
    ['a PCR without index', () => [file, ...policy, '--pcr', pcrHex(1)], /--pcr: INDEX=HEX/],
    ['a PCR that is none', () => [file, ...policy, '--pcr', `32=${pcrHex(1)}`], /--pcr: INDEX=HEX/],
    ['a PCR twice', () => [file, ...policy, '--pcr', `0=${pcrHex(1)}`], /--pcr 0 is given twice/],
    ['a short PCR', () => [file, ...policy, '--pcr', '4=00'], /--pcr 4: 96 hex digits.* 2 given/],
    [
      'a PCR that is no hex',
      () => [file, ...policy, '--pcr', `4=${'xy'.repeat(48)}`],
      /--pcr 4: hex digits/,
    ],
    ['an odd nonce', () => [file, ...IMAGE, '--nonce', '123'], /--nonce: an even number/],
    [
      'a nonce that is no hex',
      () => [file, ...IMAGE, '--nonce', '0x12'],
      /--nonce: hex digits.*character 2/,
    ],
    ['an empty nonce', () => [file, ...IMAGE, '--nonce', ''], /--nonce: hex digits expected, none/],
    ['a bad key', () => [file, ...policy, '--public-key', 'g0'], /--public-key: hex/],
    ['bad user data', () => [file, ...policy, '--user-data', 'g0'], /--user-data: hex/],
    ['a negative age', () => [file, ...policy, '--max-age=-1'], /--max-age: seconds/],
    ['an age of zero', () => [file, ...policy, '--max-age', '0'], /--max-age: seconds/],
    ['an age in hex', () => [file, ...policy, '--max-age', '0x10'], /--max-age: seconds/],
    ['an endless age', () => [file, ...policy, '--max-age', '9'.repeat(400)], /--max-age: seconds/],
    [
      'too much tolerance',
      () => [file, ...policy, '--clock-tolerance', '301'],
      /--clock-tolerance: seconds, 0 to 300/,
    ],
    [
      'another partition',
      () => [file, ...IMAGE, ...nonce, '--partition', 'aws-cn'],
      /--partition: aws or/,
    ],
    ['partition and root', () => [file, ...policy, '--partition', 'aws'], /contradict/],
    [
      'two times',
      () => [file, ...policy, '--at-document-time', '--at', '2026-01-01'],
      /contradict/,
    ],
    ['no such file', () => [`${file}.none`, ...policy], /cannot be read: there is no such file/],
    ['a folder', () => [workspace.path, ...policy], /cannot be read: it is a directory/],
    [
      'no such reference',
      () => [file, ...policy, '--reference', `${file}.none`],
      /--reference: .*no such file/,
    ],
    [
      'a huge reference',
      () => [file, ...policy, '--reference', '/dev/zero'],
      /--reference: .*more than 1048576/,
    ],
    [
      'a reference from stdin',
      () => [file, ...policy, '--reference', '-'],
      /--reference: a file expected/,
    ],
    [
      'no such root',
      () => [file, ...IMAGE, ...nonce, '--trust-anchor', `${file}.none`],
      /--trust-anchor: .*no such file/,
    ],
    [
      'a root that is none',
      () => [file, ...IMAGE, ...nonce, '--trust-anchor', file],
      /--trust-anchor: .*no certificate/,
    ],
  ])('%s', async (_name, args, message) => {
    expect(await verify(args())).toEqual(wrongUse(message))
  })

  it.each<[string, (pem: string) => string | Uint8Array, RegExp]>([
    [
      'a key beside it',
      (pem) => `${pem}-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----`,
      /something else/,
    ],
    ['its end cut off', (pem) => pem.slice(0, -30), /something else/],
    ['damaged base64', (pem) => pem.replace('MII', 'M!I'), /base64 is damaged/],
    [
      'a byte after it',
      () => Uint8Array.from([...issuer.authority.trustAnchor, 0]),
      /after the certificate|no certificate/,
    ],
  ])('a root with %s', async (_name, change, message) => {
    const bad = workspace.file('bad.pem', change(issuer.authority.trustAnchorPem))
    const outcome = await verify([file, ...IMAGE, ...nonce, '--trust-anchor', bad])
    expect(outcome).toEqual(wrongUse(message))
  })

  it('is JSON too, with --json', async () => {
    const { status, stdout, stderr } = await verify([file, ...nonce, '--json'])
    expect(status).toBe(2)
    expect(stderr).toContain('--reference')
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'ERR_CLI_USAGE', message: expect.stringContaining('--any-image') as string },
    })
    const missing = await verify([`${file}.none`, ...policy, '--json'])
    expect(JSON.parse(missing.stdout)).toMatchObject({ error: { code: 'ERR_CLI_FILE' } })
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
})
