import { beforeAll, describe, expect, test } from 'vitest'
import type { CertificateAuthority } from '@enclavejs/simulator'
import { verifyAttestation } from '@enclavejs/attestation'
import type { VerifyAttestationOptions } from '@enclavejs/attestation'
import {
  authorityAt,
  debugPcrs,
  documentOf,
  IMAGE,
  NONCE,
  NOW,
  outcome,
  pcr,
  somePcrs,
} from './fixture.ts'

let authority: CertificateAuthority
let base: VerifyAttestationOptions

beforeAll(async () => {
  authority = await authorityAt()
  base = { nonce: NONCE, trustAnchors: [authority.trustAnchor], currentDate: NOW }
})

const verdict = (document: Uint8Array, options: object): Promise<string> =>
  outcome(() => verifyAttestation(document, { ...base, ...options }))

describe('options that would be unsafe', () => {
  test('an option on a prototype is refused, whoever put it there', async () => {
    const own = { ...base, referenceValues: IMAGE }
    const debug = documentOf(authority, { pcrs: debugPcrs() })
    const weakened = Object.assign(Object.create({ allowDebugMode: true }) as object, own)
    await expect(verifyAttestation(debug, weakened as never)).rejects.toThrow(
      /^options: unknown or inherited option "allowDebugMode"/,
    )
    const { trustAnchors, ...rest } = own
    const foreign = Object.assign(Object.create({ trustAnchors }) as object, rest)
    expect(await outcome(() => verifyAttestation(debug, foreign as never))).toBe('TypeError')
    const polluted = Object.prototype as { allowDebugMode?: boolean }
    polluted.allowDebugMode = true
    try {
      expect(await outcome(() => verifyAttestation(debug, own))).toBe('TypeError')
    } finally {
      delete polluted.allowDebugMode
    }
    expect(await outcome(() => verifyAttestation(debug, own))).toBe('ERR_ATTESTATION_DEBUG_MODE')
  })

  test.each([
    ['no reference values', {}, TypeError],
    ['acceptAnyImage false and no reference values', { acceptAnyImage: false }, TypeError],
    [
      'acceptAnyImage beside reference values',
      { acceptAnyImage: true, referenceValues: IMAGE },
      TypeError,
    ],
    ['acceptAnyImage as a text', { acceptAnyImage: 'true' }, TypeError],
    ['allowDebugMode as a number', { allowDebugMode: 1, referenceValues: IMAGE }, TypeError],
    [
      'a partition without a built-in root',
      { partition: 'aws-cn', trustAnchors: undefined, acceptAnyImage: true },
      TypeError,
    ],
    [
      'a partition of the prototype',
      { partition: 'constructor', trustAnchors: undefined, acceptAnyImage: true },
      TypeError,
    ],
    ['partition beside trust anchors', { partition: 'aws', acceptAnyImage: true }, TypeError],
    ['an empty list of trust anchors', { trustAnchors: [], acceptAnyImage: true }, TypeError],
    [
      'a trust anchor that is no certificate',
      { trustAnchors: [new Uint8Array(9)], acceptAnyImage: true },
      TypeError,
    ],
    [
      'a trust anchor as PEM text',
      { trustAnchors: ['-----BEGIN'], acceptAnyImage: true },
      TypeError,
    ],
    ['null for reference values', { referenceValues: null }, TypeError],
    ['null for trust anchors', { trustAnchors: null, acceptAnyImage: true }, TypeError],
    [
      'null for a partition',
      { partition: null, trustAnchors: undefined, acceptAnyImage: true },
      TypeError,
    ],
    ['null for maxAge', { maxAge: null, acceptAnyImage: true }, TypeError],
    ['null for clockTolerance', { clockTolerance: null, acceptAnyImage: true }, TypeError],
    ['null for acceptAnyImage', { acceptAnyImage: null }, TypeError],
    ['maxAge 0', { maxAge: 0, acceptAnyImage: true }, RangeError],
    ['maxAge without end', { maxAge: Number.POSITIVE_INFINITY, acceptAnyImage: true }, RangeError],
    ['maxAge NaN', { maxAge: Number.NaN, acceptAnyImage: true }, RangeError],
    ['maxAge as a text', { maxAge: '60', acceptAnyImage: true }, TypeError],
    ['clockTolerance beyond 300 s', { clockTolerance: 301, acceptAnyImage: true }, RangeError],
    ['a negative clockTolerance', { clockTolerance: -1, acceptAnyImage: true }, RangeError],
    ['clockTolerance as a text', { clockTolerance: '5', acceptAnyImage: true }, TypeError],
  ])('%s', async (_, options, error) => {
    const call = verifyAttestation(documentOf(authority), { ...base, ...options } as never)
    await expect(call).rejects.toBeInstanceOf(error)
  })
})

describe('debug mode', () => {
  test('is refused with its own code, whatever the reference values', async () => {
    const document = documentOf(authority, { pcrs: debugPcrs() })
    for (const policy of [{ acceptAnyImage: true }, { referenceValues: IMAGE }]) {
      expect(await verdict(document, policy)).toBe('ERR_ATTESTATION_DEBUG_MODE')
    }
  })

  test('is told by PCR0, 1 and 2, and one of them zero is enough', async () => {
    for (const index of [0, 1, 2]) {
      const pcrs = somePcrs().set(index, pcr(0))
      expect(await verdict(documentOf(authority, { pcrs }), { acceptAnyImage: true })).toBe(
        'ERR_ATTESTATION_DEBUG_MODE',
      )
    }
    const pcrs = somePcrs().set(3, pcr(0)).set(8, pcr(0))
    expect(await verdict(documentOf(authority, { pcrs }), { acceptAnyImage: true })).toBe(
      'accepted',
    )
  })

  test('can be allowed by name, and then the result says so', async () => {
    const document = documentOf(authority, { pcrs: debugPcrs() })
    const zero = { pcrs: { 0: pcr(0), 1: pcr(0), 2: pcr(0), 4: pcr(5) } }
    const result = await verifyAttestation(document, {
      ...base,
      referenceValues: zero,
      allowDebugMode: true,
    })
    expect(result.debugMode).toBe(true)
    expect(await verdict(document, { allowDebugMode: true, referenceValues: IMAGE })).toBe(
      'ERR_ATTESTATION_PCR',
    )
  })

  test('cannot be told without PCR0, 1 and 2', async () => {
    const pcrs = somePcrs()
    pcrs.delete(1)
    expect(await verdict(documentOf(authority, { pcrs }), { acceptAnyImage: true })).toBe(
      'ERR_ATTESTATION_PCR_ABSENT',
    )
  })
})

describe('expected fields', () => {
  test.each([
    ['nonce', 'nonce', 'ERR_ATTESTATION_NONCE'],
    ['publicKey', 'publicKey', 'ERR_ATTESTATION_PUBLIC_KEY'],
    ['userData', 'userData', 'ERR_ATTESTATION_USER_DATA'],
  ] as const)('%s must be equal to the byte', async (_, field, code) => {
    const value = new Uint8Array([1, 2, 3])
    const policy = { acceptAnyImage: true, maxAge: 60, nonce: undefined }
    const expecting = (bytes: number[]): object => ({ ...policy, [field]: new Uint8Array(bytes) })
    const document = documentOf(authority, { nonce: null, [field]: value })
    expect(await verdict(document, expecting([1, 2, 3]))).toBe('accepted')
    expect(await verdict(document, expecting([1, 2, 4]))).toBe(code)
    expect(await verdict(document, expecting([1, 2]))).toBe(code)
    expect(await verdict(document, expecting([1, 2, 3, 0]))).toBe(code)
    const without = documentOf(authority, { nonce: null, [field]: null })
    expect(await verdict(without, expecting([1, 2, 3]))).toBe(code)
  })

  test('an empty userData is not an absent one', async () => {
    const empty = { acceptAnyImage: true, userData: new Uint8Array(0) }
    expect(await verdict(documentOf(authority, { userData: new Uint8Array(0) }), empty)).toBe(
      'accepted',
    )
    expect(await verdict(documentOf(authority, { userData: null }), empty)).toBe(
      'ERR_ATTESTATION_USER_DATA',
    )
  })

  test('messages carry neither nonces nor user data', async () => {
    const secret = new TextEncoder().encode('correct horse battery staple')
    const call = verifyAttestation(documentOf(authority, { userData: secret }), {
      ...base,
      acceptAnyImage: true,
      userData: secret.slice(1),
    })
    const error = (await call.catch((reason: unknown) => reason)) as Error
    const hex = Buffer.from(secret).toString('hex').slice(2, 20)
    expect(error.message).toContain('user_data')
    expect(error.message).not.toContain('horse')
    expect(error.message).not.toContain(hex)
  })
})
