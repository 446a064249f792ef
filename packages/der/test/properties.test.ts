import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCertificate, DerError, describeName, ecdsaSignatureToP1363 } from '../src/index.ts'
import { certificateOf, element, SEQUENCE } from './certificate-bytes.ts'

const CERTIFICATE = certificateOf()

const mutants = fc
  .array(
    fc.record({
      at: fc.nat(CERTIFICATE.length - 1),
      octet: fc.nat(255),
      kind: fc.constantFrom('set', 'set', 'set', 'insert', 'remove', 'cut'),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((changes) => {
    const bytes = [...CERTIFICATE]
    for (const { at, octet, kind } of changes) {
      if (kind === 'cut') bytes.length = Math.min(bytes.length, at)
      else if (kind === 'remove') bytes.splice(at, 1)
      else bytes.splice(at, kind === 'set' ? 1 : 0, octet)
    }
    return Uint8Array.from(bytes)
  })
const inputs = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  { weight: 4, arbitrary: mutants },
)

/** Undefined where it is refused; another error than DerError goes through and fails the property. */
function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action()
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}

test('decodeCertificate throws nothing but DerError, and its fields are views into the input', () => {
  let accepted = 0
  fc.assert(
    fc.property(inputs, (bytes) => {
      const certificate = attempt(() => decodeCertificate(bytes))
      if (certificate === undefined) return
      accepted++
      const views = Object.values(certificate).filter((field) => field instanceof Uint8Array)
      expect(views.length).toBe(10)
      for (const { buffer } of [...views, ...certificate.extensions.map(({ value }) => value)]) {
        expect(buffer).toBe(bytes.buffer)
      }
    }),
    { numRuns: 5000 },
  )
  expect(accepted).toBeGreaterThan(200)
})

test('describeName shows printable ASCII alone, whatever a certificate says', () => {
  const names = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 60 })
    .map((text) => new TextEncoder().encode(text))
    .map((value) =>
      element(
        SEQUENCE,
        element(0x31, element(SEQUENCE, '0603550403', element(0x0c, value))),
        element(0x31, element(SEQUENCE, '060355040a', element(0x0c, value))),
      ),
    )
  fc.assert(
    fc.property(names, (name) => {
      const text = describeName(name)
      expect(text).toMatch(/^[ -~]*$/)
      // Two attributes and no more: what a value holds cannot look like another.
      expect(text.split(/(?<!\\)(?:\\\\)*,/).length).toBe(2)
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(inputs, (bytes) => {
      attempt(() => describeName(bytes))
    }),
  )
})

test('ecdsaSignatureToP1363 inverts the DER of any r and s', () => {
  const scalar = fc.bigInt({ min: 1n, max: 2n ** 384n - 1n })
  const octets = (value: bigint): string => {
    const digits = value.toString(16)
    const even = digits.length % 2 === 0 ? digits : `0${digits}`
    return Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even
  }
  fc.assert(
    fc.property(scalar, scalar, (r, s) => {
      const der = element(SEQUENCE, element(2, octets(r)), element(2, octets(s)))
      const raw = Buffer.from(ecdsaSignatureToP1363(der, 48)).toString('hex')
      expect(raw).toBe([r, s].map((value) => value.toString(16).padStart(96, '0')).join(''))
    }),
    { numRuns: 1000 },
  )
  fc.assert(
    fc.property(inputs, (bytes) => {
      attempt(() => ecdsaSignatureToP1363(bytes, 48))
    }),
  )
})
