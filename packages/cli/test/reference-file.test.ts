import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  enclavejsHere,
  hexOf,
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
const nonce = ['--nonce', hexOf(NONCE)]

beforeAll(async () => {
  issuer = await Issuer.create()
  file = workspace.file('document.bin', issuer.issue())
  anchor = workspace.file('root.pem', issuer.authority.trustAnchorPem)
})

function verify(args: readonly string[]): Promise<Outcome> {
  return enclavejsHere(['verify', ...args])
}

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
