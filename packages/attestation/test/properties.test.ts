import { encode, type CborKey, type CborValue } from '@enclavejs/cbor'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import {
  createVerifier,
  decodeAttestationDocument,
  decodeCertificate,
  verifyAttestation,
  type VerifyAttestationOptions,
} from '../src/index.ts'
import { authorityAt, documentOf, IMAGE, NONCE, NOW, pcr, somePcrs } from './fixture.ts'
import { refusalOf } from './real-document.ts'

let genuine: Uint8Array
let options: VerifyAttestationOptions

beforeAll(async () => {
  const authority = await authorityAt()
  genuine = documentOf(authority, {
    publicKey: new Uint8Array(32).fill(1),
    userData: new Uint8Array(8),
  })
  options = {
    referenceValues: IMAGE,
    nonce: NONCE,
    currentDate: NOW,
    trustAnchors: [authority.trustAnchor],
  }
  expect(await refusalOf(() => verifyAttestation(genuine, options))).toBe('accepted')
})

test('a document with any bits flipped is refused, with and without a memory', async () => {
  const { trustAnchors, referenceValues } = options
  const verifier = createVerifier({
    ...(trustAnchors && { trustAnchors }),
    ...(referenceValues && { referenceValues }),
    now: () => NOW,
  })
  await verifier.verify(genuine, { nonce: NONCE })
  const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const flips = fc.uniqueArray(fc.tuple(at, fc.nat(7)), {
    minLength: 1,
    maxLength: 3,
    selector: ([place, bit]) => 8 * Math.floor(place * genuine.length) + bit,
  })
  await fc.assert(
    fc.asyncProperty(flips, async (list) => {
      const mutant = genuine.slice()
      for (const [place, bit] of list) {
        const index = Math.floor(place * mutant.length)
        mutant[index] = (mutant[index] as number) ^ (1 << bit)
      }
      const code = await refusalOf(() => verifyAttestation(mutant, options))
      expect(code).not.toBe('accepted')
      expect(await refusalOf(() => verifier.verify(mutant, { nonce: NONCE }))).toBe(code)
    }),
    { numRuns: 300 },
  )
})

test('a document cut, lengthened or spliced is refused', async () => {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    remove: fc.nat(300),
    insert: fc.uint8Array({ maxLength: 100 }),
  })
  await fc.assert(
    fc.asyncProperty(edit, async ({ at, remove, insert }) => {
      const start = Math.floor(at * genuine.length)
      const mutant = Uint8Array.of(
        ...genuine.subarray(0, start),
        ...insert,
        ...genuine.subarray(start + remove),
      )
      fc.pre(Buffer.compare(mutant, genuine) !== 0)
      expect(await refusalOf(() => verifyAttestation(mutant, options))).not.toBe('accepted')
    }),
    { numRuns: 300 },
  )
})

test('arbitrary bytes are refused with an AttestationError by every decoder', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    // An array of four that begins as a document does.
    fc
      .tuple(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 96, maxLength: 96 }))
      .map(([payload, signature]) => message(payload, signature)),
  )
  await fc.assert(
    fc.asyncProperty(bytes, async (input) => {
      const copy = input.slice()
      expect(await refusalOf(() => decodeAttestationDocument(input))).not.toBe('accepted')
      expect(await refusalOf(() => decodeCertificate(input))).toBe(
        'ERR_ATTESTATION_CERTIFICATE_MALFORMED',
      )
      expect(await refusalOf(() => verifyAttestation(input, options))).not.toBe('accepted')
      expect(input).toEqual(copy)
    }),
    { numRuns: 500 },
  )
})

function message(payload: Uint8Array, signature: Uint8Array = new Uint8Array(96)): Uint8Array {
  return encode([Uint8Array.of(0xa1, 1, 0x38, 0x22), new Map(), payload, signature])
}

const blob = (min: number, max: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((bytes) => new Uint8Array(bytes))
const maybe = fc.option(blob(0, 1024), { nil: null })
const fields = fc.record({
  moduleId: fc
    .string({ unit: 'binary', minLength: 1, maxLength: 60 })
    .filter((id) => !/-tpm[0-9a-f]*$/.test(id)),
  timestamp: fc.integer({ min: 1, max: 8.64e15 }),
  pcrs: fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 31 }), blob(48, 48)), {
    minLength: 1,
    maxLength: 32,
    selector: ([index]) => index,
  }),
  certificate: blob(1, 1024),
  cabundle: fc.array(blob(1, 900), { minLength: 2, maxLength: 8 }),
  publicKey: maybe,
  userData: maybe,
  nonce: maybe,
})
type Fields = typeof fields extends fc.Arbitrary<infer Value> ? Value : never

function entriesOf(one: Fields): [string, CborValue][] {
  return [
    ['module_id', one.moduleId],
    ['digest', 'SHA384'],
    ['timestamp', one.timestamp],
    ['pcrs', new Map<CborKey, CborValue>(one.pcrs)],
    ['certificate', one.certificate],
    ['cabundle', one.cabundle],
    ['public_key', one.publicKey],
    ['user_data', one.userData],
    ['nonce', one.nonce],
  ]
}

test('every document within the bounds is read back as it was written, in any order of fields', () => {
  fc.assert(
    fc.property(fields, fc.array(fc.nat(8), { maxLength: 9 }), fc.boolean(), (one, swaps, old) => {
      const entries = entriesOf(one)
      for (const [index, other] of swaps.entries()) {
        const kept = entries[index] as [string, CborValue]
        entries[index] = entries[other] as [string, CborValue]
        entries[other] = kept
      }
      const definite = encode(new Map(entries))
      // Before August 2025 a definite map, an indefinite one since.
      const payload = old ? definite : Uint8Array.of(0xbf, ...definite.subarray(1), 0xff)
      const bytes = message(payload)
      fc.pre(bytes.length <= 16_384)
      expect(decodeAttestationDocument(bytes)).toEqual({
        ...one,
        digest: 'SHA384',
        timestamp: new Date(one.timestamp),
        pcrs: new Map(one.pcrs),
      })
    }),
    { numRuns: 500 },
  )
})

test('one field beyond its bounds is refused by its own code', async () => {
  const wrong: fc.Arbitrary<[string, CborValue, string]> = fc.oneof(
    fc.tuple(fc.constant('module_id'), fc.constantFrom('', 7, null), fc.constant('MODULE_ID')),
    fc.tuple(fc.constant('digest'), fc.constantFrom('SHA256', 'sha384', 0), fc.constant('DIGEST')),
    fc.tuple(
      fc.constant('timestamp'),
      fc.constantFrom<CborValue>(0, -1, 8.64e15 + 1, 2n ** 63n, '1', null),
      fc.constant('TIMESTAMP'),
    ),
    fc.tuple(
      fc.constant('pcrs'),
      fc.oneof(
        fc.constantFrom<CborValue>(new Map(), [], null),
        fc.integer({ min: 32 }).map((index) => new Map([[index, pcr(1)]])),
        fc.integer({ max: -1 }).map((index) => new Map([[index, pcr(1)]])),
        blob(0, 100)
          .filter((value) => value.length !== 48)
          .map((value) => new Map([[0, value]])),
      ),
      fc.constant('PCRS'),
    ),
    fc.tuple(
      fc.constant('certificate'),
      fc.oneof(blob(1025, 1100), fc.constantFrom<CborValue>(new Uint8Array(0), null, 'text')),
      fc.constant('CERTIFICATE_SIZE'),
    ),
    fc.tuple(
      fc.constant('cabundle'),
      fc.oneof(
        fc.constantFrom<CborValue>(
          [],
          [pcr(1)],
          Array.from({ length: 9 }, () => pcr(1)),
          null,
        ),
        blob(1025, 1100).map((value) => [pcr(1), value]),
        fc.constant([pcr(1), new Uint8Array(0)]),
      ),
      fc.constant('CABUNDLE'),
    ),
    ...(['public_key', 'user_data', 'nonce'] as const).map((field) =>
      fc.tuple(
        fc.constant(field),
        fc.oneof(blob(1025, 1100), fc.constantFrom<CborValue>('text', undefined, 0, [])),
        fc.constant(`${field.toUpperCase()}_SIZE`),
      ),
    ),
  )
  await fc.assert(
    fc.asyncProperty(fields, wrong, async (one, [field, value, code]) => {
      fc.pre(one.cabundle.length < 5)
      const entries = entriesOf(one).map(
        ([name, good]) => [name, name === field ? value : good] as const,
      )
      const bytes = message(encode(new Map(entries)))
      const seen = await refusalOf(() => decodeAttestationDocument(bytes))
      expect(seen).toBe(`ERR_ATTESTATION_${code}`)
    }),
    { numRuns: 500 },
  )
})

test('PCRs of two sets never mix: a document passes when one whole set matches, and only then', async () => {
  const own = somePcrs()
  // Each set takes each of its PCRs from the document or changes it.
  const sets = fc.array(
    fc.record({
      indices: fc.subarray([3, 4, 5, 6, 7, 8, 9]),
      changed: fc.subarray([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    }),
    { minLength: 1, maxLength: 5 },
  )
  const { trustAnchors, nonce, currentDate } = options as Required<VerifyAttestationOptions>
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(sets, async (list) => {
      const referenceValues = list.map(({ indices, changed }, number) => ({
        label: `set ${number}`,
        pcrs: Object.fromEntries(
          [0, 1, 2, ...indices].map((index) => [
            index,
            changed.includes(index) ? pcr(0xee) : (own.get(index) as Uint8Array),
          ]),
        ) as Record<number, Uint8Array>,
      }))
      const first = list.findIndex(
        ({ indices, changed }) => ![0, 1, 2, ...indices].some((index) => changed.includes(index)),
      )
      const call = verifyAttestation(genuine, { referenceValues, trustAnchors, nonce, currentDate })
      if (first === -1) expect(await refusalOf(() => call)).toBe('ERR_ATTESTATION_PCR')
      else {
        accepted++
        expect((await call).referenceLabel).toBe(`set ${first}`)
      }
    }),
    { numRuns: 200 },
  )
  expect(accepted).toBeGreaterThan(10)
})

test('what the caller changes after the call changes nothing', async () => {
  const bytes = genuine.slice()
  const nonce = NONCE.slice()
  const call = verifyAttestation(bytes, { ...options, nonce })
  bytes.fill(0)
  nonce.fill(0)
  const result = await call
  expect(result.nonce).toEqual(NONCE)
})
