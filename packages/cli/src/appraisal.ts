import type {
  AppraisalPolicyOptions,
  ExpectedFields,
  ReferenceValues,
} from '@enclavejs/attestation'
import { dateFlag, hexFlag, numberFlag, readHex, type Arguments, type Flags } from './arguments.ts'
import { usage } from './error.ts'
import { readReferenceFile } from './reference-file.ts'
import { readTrustAnchors } from './trust-anchor-file.ts'

/** What a document must be, as the flags say it. */
export interface Appraisal {
  readonly policy: AppraisalPolicyOptions
  readonly expected: ExpectedFields
  /** The time in the past that was asked for; undefined: now. */
  readonly at: Date | 'document' | undefined
}

export const APPRAISAL_FLAGS: Flags = {
  pcr: { type: 'string', multiple: true },
  reference: { type: 'string', multiple: true },
  'any-image': { type: 'boolean' },
  'allow-debug-mode': { type: 'boolean' },
  nonce: { type: 'string' },
  'public-key': { type: 'string' },
  'user-data': { type: 'string' },
  'max-age': { type: 'string' },
  'clock-tolerance': { type: 'string' },
  at: { type: 'string' },
  'at-document-time': { type: 'boolean' },
  partition: { type: 'string' },
  'trust-anchor': { type: 'string', multiple: true },
}

/**
 * Turns flags into the options of the verifier, which judges what they mean.
 *
 * @throws {CliError} naming the flag that is wrong, missing or contradicts another.
 */
export async function readAppraisal(given: Arguments): Promise<Appraisal> {
  const at = readTime(given)
  const expected = readExpected(given)
  const maxAge = numberFlag(given, 'max-age', { least: 0.001, most: 3e9, unit: 'seconds' })
  if (at === undefined && maxAge === undefined && expected.nonce === undefined) {
    throw usage(
      'add --nonce HEX, the challenge that this enclave was given, or --max-age SECONDS: without them a document of hours ago would pass; one from an archive is appraised with --at ISO-DATE or --at-document-time',
    )
  }
  const clockTolerance = numberFlag(given, 'clock-tolerance', {
    least: 0,
    most: 300,
    unit: 'seconds',
  })
  const policy: AppraisalPolicyOptions = {
    ...(await readImages(given)),
    ...(await readRoots(given)),
    ...(maxAge === undefined ? {} : { maxAge }),
    ...(clockTolerance === undefined ? {} : { clockTolerance }),
    allowDebugMode: given.has('allow-debug-mode'),
  }
  return { policy, expected, at }
}

function readTime(given: Arguments): Appraisal['at'] {
  const at = dateFlag(given, 'at')
  if (!given.has('at-document-time')) return at
  if (at !== undefined) throw usage('--at and --at-document-time contradict: give one')
  return 'document'
}

function readExpected(given: Arguments): ExpectedFields {
  const nonce = hexFlag(given, 'nonce')
  const publicKey = hexFlag(given, 'public-key')
  const userData = hexFlag(given, 'user-data')
  return {
    ...(nonce && { nonce }),
    ...(publicKey && { publicKey }),
    ...(userData && { userData }),
  }
}

async function readImages(
  given: Arguments,
): Promise<Pick<AppraisalPolicyOptions, 'referenceValues' | 'acceptAnyImage'>> {
  const pins = readPins(given.values('pcr'))
  const files = given.values('reference')
  if (given.has('any-image')) {
    if (pins.size > 0 || files.length > 0) {
      throw usage(`--any-image contradicts ${files.length > 0 ? '--reference' : '--pcr'}`)
    }
    return { acceptAnyImage: true }
  }
  if (pins.size === 0 && files.length === 0) {
    throw usage(
      'say which image is accepted: --reference FILE.json, or --pcr 0=HEX --pcr 1=HEX --pcr 2=HEX, or --pcr 8=HEX; --any-image accepts any image of any account',
    )
  }
  const sets: readonly ReferenceValues[] =
    files.length === 0
      ? [{ pcrs: {} }]
      : (await Promise.all(files.map((file) => readReferenceFile(file)))).flat()
  const referenceValues = sets.map((set) => addPins(set, pins))
  for (const { label, pcrs } of referenceValues) {
    requireEnough(label, pcrs, given.has('allow-debug-mode'))
  }
  return { referenceValues }
}

function readPins(values: readonly string[]): ReadonlyMap<number, string> {
  const pins = new Map<number, string>()
  for (const value of values) {
    const [, index, digits = ''] = /^(?:PCR)?(0|[1-9]|[12]\d|3[01])=(.*)$/s.exec(value) ?? []
    if (index === undefined) {
      throw usage('--pcr: INDEX=HEX expected with an index of 0 to 31, such as 0=…')
    }
    if (readHex(digits, `--pcr ${index}`).length !== 48) {
      throw usage(`--pcr ${index}: 96 hex digits (48 bytes) expected, ${digits.length} given`)
    }
    if (pins.has(Number(index))) throw usage(`--pcr ${index} is given twice`)
    pins.set(Number(index), digits)
  }
  return pins
}

/** `--pcr` beside `--reference` narrows every set, and never replaces what a set says. */
function addPins(set: ReferenceValues, pins: ReadonlyMap<number, string>): ReferenceValues {
  const pcrs: Record<`PCR${number}`, string> = { ...(set.pcrs as Record<string, string>) }
  for (const [index, value] of pins) {
    const known = pcrs[`PCR${index}`]
    if (known !== undefined && known.toLowerCase() !== value.toLowerCase()) {
      throw usage(
        `--pcr ${index} contradicts PCR${index} of the reference values ${JSON.stringify(set.label)}`,
      )
    }
    pcrs[`PCR${index}`] = value
  }
  return { ...set, pcrs }
}

function requireEnough(label: string | undefined, pcrs: object, allowDebugMode: boolean): void {
  const source = label === undefined ? '--pcr' : `--reference (${JSON.stringify(label)})`
  const zero = Object.entries(pcrs).find(([, value]) => /^0*$/.test(value as string))
  if (zero !== undefined && !allowDebugMode) {
    throw usage(
      `${source}: ${zero[0]} is zero, as in debug mode; --allow-debug-mode accepts such an enclave, which keeps no secrets`,
    )
  }
  if (!('PCR8' in pcrs) && !['PCR0', 'PCR1', 'PCR2'].every((pcr) => pcr in pcrs)) {
    throw usage(
      `${source}: PCR0, 1 and 2 together, or PCR8, must be given: less leaves parts of the image open`,
    )
  }
}

async function readRoots(
  given: Arguments,
): Promise<Pick<AppraisalPolicyOptions, 'partition' | 'trustAnchors'>> {
  const partition = given.value('partition')
  const files = given.values('trust-anchor')
  if (partition !== undefined && files.length > 0) {
    throw usage('--partition and --trust-anchor contradict: give one')
  }
  if (files.length > 0) {
    return { trustAnchors: (await Promise.all(files.map((file) => readTrustAnchors(file)))).flat() }
  }
  if (partition === undefined) return {}
  if (partition !== 'aws' && partition !== 'aws-us-gov') {
    throw usage('--partition: aws or aws-us-gov expected; roots of others go into --trust-anchor')
  }
  return { partition }
}
