import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  enclavejsHere,
  hexOf,
  IMAGE,
  Issuer,
  NONCE,
  pcrHex,
  refusal,
  Workspace,
  wrongUse,
  type Outcome,
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

function verify(args: readonly string[]): Promise<Outcome> {
  return enclavejsHere(['verify', ...args])
}

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
