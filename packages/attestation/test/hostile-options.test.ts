// What a caller passes by mistake or is made to pass: dates that lie, options that change or are inherited, arrays with holes.
import { beforeAll, describe, expect, test } from 'vitest'
import {
  createVerifier,
  decodeAttestationDocument,
  decodeCertificate,
  verifyArchivedAttestation,
  verifyAttestation,
  type VerifyAttestationOptions,
} from '@enclavejs/attestation'
import type { CertificateAuthority } from '@enclavejs/simulator'
import { after, authorityAt, documentOf, IMAGE, NONCE, NOW, outcome, pcr } from './fixture.ts'

let authority: CertificateAuthority
let document: Uint8Array
let base: VerifyAttestationOptions

beforeAll(async () => {
  authority = await authorityAt()
  document = documentOf(authority)
  base = {
    referenceValues: IMAGE,
    nonce: NONCE,
    currentDate: NOW,
    trustAnchors: [authority.trustAnchor],
  }
})

const verdict = (options: object): Promise<string> =>
  outcome(() => verifyAttestation(document, options as VerifyAttestationOptions))

describe('a date whose methods lie', () => {
  class Liar extends Date {
    override getTime(): number {
      return undefined as unknown as number
    }
    override valueOf(): number {
      return 0
    }
  }
  const late = new Liar(after(400 * 86_400))
  const EXPIRED = 'ERR_ATTESTATION_CERTIFICATE_EXPIRED'

  test('counts as the time that it holds', async () => {
    expect(await verdict({ ...base, currentDate: late })).toBe(EXPIRED)
    expect(await verdict({ ...base, currentDate: new Liar(NOW) })).toBe('accepted')
    const { currentDate: _, nonce, ...policy } = base
    const verifier = createVerifier({ ...policy, now: () => late })
    expect(await outcome(() => verifier.verify(document, { nonce: nonce as Uint8Array }))).toBe(
      EXPIRED,
    )
    const archived = { ...policy, at: late }
    expect(await outcome(() => verifyArchivedAttestation(document, archived))).toBe(EXPIRED)
  })

  test.each([
    ['of no time', new Date(Number.NaN)],
    ['that is none', Object.create(Date.prototype) as Date],
    ['that is a number', 0],
  ])('a date %s is a TypeError', async (_name, currentDate) => {
    expect(await verdict({ ...base, currentDate })).toBe('TypeError')
  })
})

describe('an option', () => {
  test.each(['referenceValues', 'trustAnchors', 'nonce', 'currentDate'] as const)(
    '%s is read once: what is checked is what is used',
    async (name) => {
      let reads = 0
      const options = { ...base }
      Object.defineProperty(options, name, {
        enumerable: true,
        get: () => (reads++ === 0 ? base[name] : undefined),
      })
      expect(await verdict(options)).toBe('accepted')
      expect(reads).toBe(1)
    },
  )

  test('that gives a wrong image first is refused by that', async () => {
    let reads = 0
    const { referenceValues: _, ...rest } = base
    const options = Object.defineProperty({ ...rest }, 'referenceValues', {
      enumerable: true,
      get: () => (reads++ === 0 ? { pcrs: { 8: pcr(99) } } : undefined),
    })
    expect(await verdict(options)).toBe('ERR_ATTESTATION_PCR')
  })

  test('of a class is inherited, and refused although no loop shows it', async () => {
    const { referenceValues: _, ...rest } = base
    class Options {
      get acceptAnyImage(): boolean {
        return true
      }
    }
    const options = Object.assign(new Options(), rest)
    await expect(verifyAttestation(document, options as never)).rejects.toThrow(
      /^options: unknown or inherited option "acceptAnyImage"/,
    )
  })
})

describe('reference values', () => {
  test('with an inherited pin are refused: it would be a check left out', async () => {
    class Pcrs {
      get 3(): Uint8Array {
        return pcr(99)
      }
    }
    const hidden = Object.assign(new Pcrs(), IMAGE.pcrs)
    const plain = Object.assign(Object.create({ PCR3: pcr(99) }) as object, IMAGE.pcrs)
    for (const pcrs of [hidden, plain]) {
      expect(await verdict({ ...base, referenceValues: { pcrs } })).toBe('TypeError')
    }
    const own = { ...IMAGE.pcrs, 3: pcr(99) }
    expect(await verdict({ ...base, referenceValues: { pcrs: own } })).toBe('ERR_ATTESTATION_PCR')
  })

  test.each(['referenceValues', 'trustAnchors'])('%s with a hole are a TypeError', async (name) => {
    await expect(
      verifyAttestation(document, { ...base, [name]: Array(1) } as never),
    ).rejects.toThrow(new RegExp(`^${name}\\[0\\] must be `))
  })
})

describe('bytes', () => {
  test('of a transferred buffer are a TypeError that names the argument', async () => {
    const gone = new Uint8Array(document)
    structuredClone(gone.buffer, { transfer: [gone.buffer] })
    await expect(verifyAttestation(gone, base)).rejects.toThrow(/^bytes must be /)
    await expect(verifyAttestation(document, { ...base, nonce: gone })).rejects.toThrow(
      /^nonce must be /,
    )
  })

  test('beyond the bound are refused before they are copied', async () => {
    const large = new Uint8Array(2 ** 28)
    const before = process.memoryUsage().arrayBuffers
    for (const call of [
      () => decodeAttestationDocument(large),
      () => verifyAttestation(large, base),
    ]) {
      expect(await outcome(call)).toBe('ERR_ATTESTATION_SIZE')
    }
    expect(await outcome(() => decodeCertificate(large))).toBe('ERR_ATTESTATION_CERTIFICATE_SIZE')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20)
  })

  test('of a certificate end at 1024', async () => {
    const size = 'ERR_ATTESTATION_CERTIFICATE_SIZE'
    const malformed = 'ERR_ATTESTATION_CERTIFICATE_MALFORMED'
    expect(await outcome(() => decodeCertificate(new Uint8Array(1025)))).toBe(size)
    expect(await outcome(() => decodeCertificate(new Uint8Array(1024)))).toBe(malformed)
  })
})
