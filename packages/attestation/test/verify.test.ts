import { beforeAll, describe, expect, test } from 'vitest'
import type { CertificateAuthority } from '@enclavejs/simulator'
import { verifyArchivedAttestation, verifyAttestation } from '@enclavejs/attestation'
import type { VerifyAttestationOptions } from '@enclavejs/attestation'
import { after, authorityAt, documentOf, IMAGE, NONCE, NOW, outcome, pcr } from './fixture.ts'

let authority: CertificateAuthority
let options: VerifyAttestationOptions & { trustAnchors: Uint8Array[] }

beforeAll(async () => {
  authority = await authorityAt()
  options = {
    referenceValues: IMAGE,
    nonce: NONCE,
    trustAnchors: [authority.trustAnchor],
    currentDate: NOW,
  }
})

describe('verifyAttestation', () => {
  test('gives what was signed, the anchor and the end of the certificate', async () => {
    const document = documentOf(authority, {
      userData: new Uint8Array([1, 2, 3]),
      publicKey: new Uint8Array(0),
    })
    const result = await verifyAttestation(document, options)
    expect(result.moduleId).toBe(authority.moduleId)
    expect(result.digest).toBe('SHA384')
    expect(result.timestamp).toEqual(NOW)
    expect(result.pcrs.size).toBe(16)
    expect(result.pcrs.get(4)).toEqual(pcr(5))
    expect(result.userData).toEqual(new Uint8Array([1, 2, 3]))
    expect(result.publicKey).toEqual(new Uint8Array(0))
    expect(result.nonce).toEqual(NONCE)
    expect(result.debugMode).toBe(false)
    expect(result.referenceLabel).toBeUndefined()
    expect(result.trustAnchor.partition).toBeUndefined()
    expect(result.trustAnchor.subject).toContain('CN=simulator.enclavejs')
    const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(authority.trustAnchor))
    expect(result.trustAnchor.sha256).toBe(Buffer.from(digest).toString('hex'))
    expect(result.notAfter).toEqual(after(3 * 3600))
  })

  test('reads a Buffer from a pool, and what the caller changes during the call changes nothing', async () => {
    const document = documentOf(authority)
    const pooled = Buffer.from(document)
    const nonce = NONCE.slice()
    const pending = verifyAttestation(pooled, { ...options, nonce })
    pooled.fill(0)
    nonce.fill(0)
    const result = await pending
    expect(result.nonce).toEqual(NONCE)
    expect(result.nonce?.constructor).toBe(Uint8Array)
  })

  test('does not take the simulator for AWS, nor one AWS partition for the other', async () => {
    const document = documentOf(authority)
    const { trustAnchors: _, ...rest } = options
    expect(await outcome(() => verifyAttestation(document, rest))).toBe(
      'ERR_ATTESTATION_TRUST_ANCHOR',
    )
    const refused = verifyAttestation(document, { ...rest, partition: 'aws-us-gov' })
    await expect(refused).rejects.toThrow(/root of aws-us-gov expected/)
  })

  test('a provider that cannot hash is a refusal with its error as the cause', async () => {
    const document = documentOf(authority)
    const failure = new Error('no SHA-256 here')
    const platform = crypto.subtle
    const subtle = {
      digest: () => Promise.reject(failure),
      importKey: platform.importKey.bind(platform),
      verify: platform.verify.bind(platform),
    } as unknown as NonNullable<VerifyAttestationOptions['subtle']>
    const { trustAnchors, ...rest } = options
    for (const one of [rest, { ...rest, trustAnchors }]) {
      await expect(verifyAttestation(document, { ...one, subtle })).rejects.toMatchObject({
        code: 'ERR_ATTESTATION_TRUST_ANCHOR',
        cause: failure,
      })
    }
  })

  test('gives every document its own refusal and never a result beside it', async () => {
    const document = documentOf(authority)
    document[document.length - 1] = (document.at(-1) as number) ^ 1
    expect(await outcome(() => verifyAttestation(document, options))).toBe(
      'ERR_ATTESTATION_SIGNATURE',
    )
  })

  test.each([
    ['a clock 10 s behind', -10, {}, 'accepted'],
    ['a clock 11 s behind', -11, {}, 'ERR_ATTESTATION_TIMESTAMP_FUTURE'],
    ['a clock 14 s behind', -14, {}, 'ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID'],
    ['a clock 300 s behind with the tolerance for it', -300, { clockTolerance: 300 }, 'accepted'],
    [
      'no tolerance and a clock 1 s behind',
      -1,
      { clockTolerance: 0 },
      'ERR_ATTESTATION_TIMESTAMP_FUTURE',
    ],
    ['maxAge met', 60, { maxAge: 60 }, 'accepted'],
    ['maxAge passed by a second', 61, { maxAge: 60 }, 'ERR_ATTESTATION_TOO_OLD'],
    [
      'tolerance does not stretch maxAge',
      61,
      { maxAge: 60, clockTolerance: 300 },
      'ERR_ATTESTATION_TOO_OLD',
    ],
    ['the last second of the leaf', 3 * 3600, {}, 'accepted'],
    ['a second after it', 3 * 3600 + 1, {}, 'ERR_ATTESTATION_CERTIFICATE_EXPIRED'],
    [
      'tolerance does not stretch notAfter',
      3 * 3600 + 1,
      { clockTolerance: 300 },
      'ERR_ATTESTATION_CERTIFICATE_EXPIRED',
    ],
  ])('time: %s', async (_, seconds, extra, expected) => {
    const document = documentOf(authority)
    const verdict = await outcome(() =>
      verifyAttestation(document, { ...options, ...extra, currentDate: after(seconds) }),
    )
    expect(verdict).toBe(expected)
  })

  test('reads the clock when none is given', async () => {
    const { currentDate: _, ...rest } = options
    const fresh = await authorityAt(new Date())
    const document = documentOf(fresh, { timestamp: Date.now() })
    const anchored = { ...rest, trustAnchors: [fresh.trustAnchor] }
    expect(await outcome(() => verifyAttestation(document, anchored))).toBe('accepted')
    expect(await outcome(() => verifyAttestation(documentOf(authority), rest))).toBe(
      'ERR_ATTESTATION_CERTIFICATE_EXPIRED',
    )
  })

  test.each([
    ['bytes that are a string', 'abc' as unknown as Uint8Array, {}],
    ['an unknown option', undefined, { nonse: NONCE }],
    ['a currentDate that is no date', undefined, { currentDate: new Date(Number.NaN) }],
    ['the archived door’s option', undefined, { at: 'document' }],
    ['a nonce that is a string', undefined, { nonce: 'ab' }],
    ['an empty nonce', undefined, { nonce: new Uint8Array(0) }],
  ])('%s is a TypeError', async (_, bytes, extra) => {
    const call = verifyAttestation(bytes ?? documentOf(authority), {
      ...options,
      ...extra,
    } as never)
    await expect(call).rejects.toBeInstanceOf(TypeError)
  })

  test('neither nonce nor maxAge is a TypeError', async () => {
    const { nonce: _, ...rest } = options
    await expect(verifyAttestation(documentOf(authority), rest)).rejects.toThrow(TypeError)
    await expect(
      verifyAttestation(documentOf(authority), { ...rest, maxAge: 1 }),
    ).resolves.toBeDefined()
  })

  test('a provider that says anything but true is a refusal', async () => {
    const subtle = {
      importKey: async () => ({}),
      verify: async () => 'yes' as unknown as boolean,
      digest: async () => new ArrayBuffer(32),
    }
    const verdict = await outcome(() =>
      verifyAttestation(documentOf(authority), { ...options, subtle }),
    )
    expect(verdict).toBe('ERR_ATTESTATION_CERTIFICATE_SIGNATURE')
  })

  test('a provider that throws is a refusal, and no rejection is left unhandled', async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', listen)
    const subtle = {
      importKey: async () => ({}),
      verify: async () => Promise.reject(new Error('broken')),
      digest: async () => new ArrayBuffer(32),
    }
    const verdict = await outcome(() =>
      verifyAttestation(documentOf(authority), { ...options, subtle }),
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off('unhandledRejection', listen)
    expect(verdict).toBe('ERR_ATTESTATION_CERTIFICATE_SIGNATURE')
    expect(unhandled).toEqual([])
  })
})

describe('verifyArchivedAttestation', () => {
  test('judges at the time of the document or at one given, and says so in another type', async () => {
    const { currentDate: _, nonce: __, ...rest } = options
    const document = documentOf(authority)
    const byDocument = await verifyArchivedAttestation(document, { ...rest, at: 'document' })
    expect(byDocument.appraisedAt).toEqual(NOW)
    expect(byDocument.archived.moduleId).toBe(authority.moduleId)
    expect(byDocument).not.toHaveProperty('moduleId')
    const at = await verifyArchivedAttestation(document, { ...rest, at: after(3600) })
    expect(at.appraisedAt).toEqual(after(3600))
  })

  test('keeps every other rule', async () => {
    const { currentDate: _, ...rest } = options
    const document = documentOf(authority)
    const at = (extra: object) => () =>
      verifyArchivedAttestation(document, { ...rest, at: 'document', ...extra } as never)
    expect(await outcome(at({ at: after(3 * 3600 + 1) }))).toBe(
      'ERR_ATTESTATION_CERTIFICATE_EXPIRED',
    )
    expect(await outcome(at({ at: after(-60) }))).toBe('ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID')
    expect(await outcome(at({ at: after(61), maxAge: 60 }))).toBe('ERR_ATTESTATION_TOO_OLD')
    expect(await outcome(at({ nonce: new Uint8Array(32) }))).toBe('ERR_ATTESTATION_NONCE')
    expect(await outcome(at({ referenceValues: undefined }))).toBe('TypeError')
    expect(await outcome(at({ at: undefined }))).toBe('TypeError')
    expect(await outcome(at({ at: '2026-03-01' }))).toBe('TypeError')
    expect(await outcome(at({ currentDate: NOW }))).toBe('TypeError')
  })
})
