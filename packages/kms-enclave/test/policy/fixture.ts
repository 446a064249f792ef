import fc from 'fast-check'
import {
  createKeyPolicy,
  verifyKeyPolicy,
  type CreateKeyPolicyOptions,
  type ExpectedKeyPolicy,
  type GrantList,
  type KeyDescription,
  type ReferenceValues,
  type VerifiedKeyPolicy,
} from '@enclavejs/kms-enclave/policy'
import type { Call } from './evaluation.ts'

export const ACCOUNT = '123456789012'
export const ROOT: string = `arn:aws:iam::${ACCOUNT}:root`
export const ENCLAVE: string = `arn:aws:iam::${ACCOUNT}:role/enclave`
export const KEEPER: string = `arn:aws:iam::${ACCOUNT}:role/keeper`
export const WRITER: string = `arn:aws:iam::${ACCOUNT}:role/writer`
export const FOREIGN = 'arn:aws:iam::999999999999:role/enclave'
export const KEY_ARN: string = `arn:aws:kms:eu-west-1:${ACCOUNT}:key/0d990263-018e-4e65-a703-eff731de951e`

/** 96 hex digits that differ for each number. */
export function pcr(number: number): string {
  return number.toString(16).padStart(4, '0').repeat(24)
}

export function image(seed: number, indices: readonly number[] = [0, 1, 2]): ReferenceValues {
  const pcrs = Object.fromEntries(indices.map((index) => [index, pcr(seed * 64 + index + 1)]))
  return { label: `image-${seed}`, pcrs }
}

export const OPTIONS: CreateKeyPolicyOptions = {
  account: ACCOUNT,
  images: [image(1), image(2)],
  enclaveRoles: [ENCLAVE],
  administrators: [KEEPER],
  encrypters: [WRITER],
  locked: true,
}

/** What the options of a created policy amount to. */
export function expectedOf(options: CreateKeyPolicyOptions): ExpectedKeyPolicy {
  const { account: _account, keyUsage: _usage, ...expected } = options
  return { keyArn: KEY_ARN, ...expected }
}

export const KEY: KeyDescription = {
  Arn: KEY_ARN,
  KeyManager: 'CUSTOMER',
  KeyUsage: 'ENCRYPT_DECRYPT',
  Origin: 'AWS_KMS',
  MultiRegion: false,
}
export const NO_GRANTS: GrantList = { Grants: [], Truncated: false }

/** Verifies a policy as the answer to `options`. */
export function verify(
  policy: unknown,
  options: CreateKeyPolicyOptions = OPTIONS,
  changes: Partial<ExpectedKeyPolicy> = {},
): VerifiedKeyPolicy {
  return verifyKeyPolicy({
    policy: typeof policy === 'string' ? policy : JSON.stringify(policy),
    grants: NO_GRANTS,
    key: KEY,
    expected: { ...expectedOf(options), ...changes },
  })
}

/** A policy as plain JSON that a test may change. */
export interface LoosePolicy {
  Version: string
  Statement: Record<string, unknown>[]
}

export function created(options: CreateKeyPolicyOptions = OPTIONS): LoosePolicy {
  return JSON.parse(createKeyPolicy(options).json) as LoosePolicy
}

/** The condition keys of a call whose document has these PCRs; PCR0 stands there under two names. */
function contextOf(pcrs: Readonly<Record<string, unknown>>): Record<string, string> {
  const names = (index: string): readonly string[] =>
    index === '0' ? ['PCR0', 'ImageSha384'] : [`PCR${index}`]
  return Object.fromEntries(
    Object.entries(pcrs).flatMap(([index, value]) =>
      names(index).map((name) => [`kms:RecipientAttestation:${name}`, value as string]),
    ),
  )
}

export function call(
  action: string,
  pcrs: Readonly<Record<string, unknown>> = {},
  principal: string = ENCLAVE,
): Call {
  return { action: `kms:${action}`, principal, key: KEY_ARN, context: contextOf(pcrs) }
}

/** Sets of 1 to 3 images that name the same PCRs; values are few, so that images share some. */
const someImages: fc.Arbitrary<ReferenceValues[]> = fc
  .record({
    indices: fc.tuple(fc.constantFrom([0, 1, 2], [8], [0, 1, 2, 8]), fc.subarray([3, 4, 16, 31])),
    values: fc.array(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 8, maxLength: 8 }), {
      minLength: 1,
      maxLength: 3,
    }),
  })
  .map(({ indices, values }) =>
    values.map((row, number) => ({
      label: `image-${number}`,
      pcrs: Object.fromEntries(
        indices.flat().map((index, place) => [index, pcr(index * 16 + (row[place] as number))]),
      ),
    })),
  )

export const someOptions: fc.Arbitrary<CreateKeyPolicyOptions> = fc.record({
  account: fc.constant(ACCOUNT),
  images: someImages,
  enclaveRoles: fc.constantFrom([ENCLAVE], [ENCLAVE, `${ENCLAVE}-2`]),
  administrators: fc.constantFrom([KEEPER], [ROOT], [ROOT, KEEPER]),
  encrypters: fc.constantFrom([], [WRITER]),
  locked: fc.boolean(),
  keyUsage: fc.constantFrom('ENCRYPT_DECRYPT', 'KEY_AGREEMENT'),
})

/** PCRs of a document as they may come: an image's, or each index its own way: some image's, another one, none. */
export function somePcrs(images: readonly ReferenceValues[]): fc.Arbitrary<Record<string, string>> {
  const indices = [...new Set([0, ...images.flatMap(({ pcrs }) => Object.keys(pcrs).map(Number))])]
  const values = indices.map((index) =>
    fc.constantFrom(
      undefined,
      '0'.repeat(96),
      pcr(index * 16 + 9),
      ...images.flatMap(({ pcrs }) => pcrs[index] ?? []),
    ),
  )
  const mixed = fc
    .tuple(...values)
    .map((row) =>
      Object.fromEntries(
        row.flatMap((value, place) => (value === undefined ? [] : [[indices[place], value]])),
      ),
    ) as fc.Arbitrary<Record<string, string>>
  const whole = fc.constantFrom(...images).map(({ pcrs }) => ({ ...pcrs }))
  return fc.oneof(mixed, whole as fc.Arbitrary<Record<string, string>>)
}

/** Whether a document has every PCR of one of the images. */
export function isImage(
  pcrs: Readonly<Record<string, string>>,
  images: readonly ReferenceValues[],
): boolean {
  return images.some((one) =>
    Object.entries(one.pcrs).every(([index, value]) => pcrs[index] === value),
  )
}
