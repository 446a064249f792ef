import { describe, expect, test } from 'vitest'
import {
  AttestationError,
  CertificateError,
  createVerifier,
  decodeAttestationDocument,
  PcrError,
  verifyArchivedAttestation,
  verifyAttestation,
} from '../src/index.ts'
import {
  ABSENT,
  each,
  ownOptions,
  ownPcrs,
  realDocuments,
  refusalOf,
  Tally,
  ZERO,
  type RealDocument,
} from './real-document.ts'

const documents = realDocuments()
const genuine = documents?.genuine ?? []
const enclaves = genuine.filter(({ kind }) => kind === 'enclave')

const later = (date: string | number, seconds: number): Date =>
  new Date(new Date(date).getTime() + 1000 * seconds)
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

async function catchError(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return undefined
}

describe.skipIf(documents === undefined)(`real documents (${ABSENT})`, () => {
  test('there are 65 of enclaves, 25 of them in debug mode, and one of a NitroTPM', () => {
    expect(enclaves.length).toBe(65)
    expect(enclaves.filter((one) => one.debug_mode_pcr0_zero).length).toBe(25)
    expect(genuine.length).toBe(66)
  })

  describe.each(enclaves)('$file', (document) => {
    const options = ownOptions(document)

    test('reads as another program read it', () => {
      const read = decodeAttestationDocument(document.bytes)
      expect(read.moduleId).toBe(document.module_id)
      expect(read.timestamp.getTime()).toBe(document.timestamp_ms)
      expect([...read.pcrs.keys()]).toEqual(document.pcr_indices)
      for (const [index, value] of read.pcrs) {
        expect(hexOf(value)).toBe(document.pcrs_nonzero[index] ?? ZERO)
      }
      for (const [value, expected] of [
        [read.publicKey, document.public_key],
        [read.userData, document.user_data],
        [read.nonce, document.nonce],
      ] as const) {
        if (expected === 'null') expect(value).toBe(null)
        else {
          expect(value?.length).toBe(expected.len)
          const hex = expected.hex.replace('…', '')
          expect(hexOf(value as Uint8Array).slice(0, hex.length)).toBe(hex)
        }
      }
    })

    test('is accepted with its own PCRs, nonce, key and data, all its certificate’s life', async () => {
      const read = decodeAttestationDocument(document.bytes)
      const { publicKey, userData, nonce } = read
      const expected = {
        ...(publicKey && { publicKey }),
        ...(userData && { userData }),
        ...(nonce?.length ? { nonce } : {}),
      }
      for (const currentDate of [
        new Date(document.timestamp_ms),
        later(document.timestamp_ms, 1800),
        new Date(document.leaf_not_after),
      ]) {
        const result = await verifyAttestation(document.bytes, {
          ...options,
          ...expected,
          currentDate,
        })
        expect(result).toMatchObject(read)
        expect(result.debugMode).toBe(document.debug_mode_pcr0_zero)
        expect(result.trustAnchor.partition).toBe('aws')
        expect(result.notAfter.getTime()).toBe(Date.parse(document.leaf_not_after))
      }
      const archived = await verifyArchivedAttestation(document.bytes, {
        referenceValues: { pcrs: ownPcrs(document) },
        ...(document.debug_mode_pcr0_zero ? { allowDebugMode: true } : {}),
        at: 'document',
      })
      expect(archived.appraisedAt.getTime()).toBe(document.timestamp_ms)
    })

    test('is accepted with tag 18 too', async () => {
      expect(document.bytes[0]).toBe(0x84)
      const tagged = Uint8Array.of(0xd2, ...document.bytes)
      expect(await refusalOf(() => verifyAttestation(tagged, options))).toBe('accepted')
    })

    test('is refused a second after its certificate, and before it', async () => {
      const at = (currentDate: Date): (() => Promise<unknown>) => {
        return () => verifyAttestation(document.bytes, { ...options, currentDate })
      }
      const expired = await catchError(at(later(document.leaf_not_after, 1)))
      expect(expired).toBeInstanceOf(CertificateError)
      expect(expired).toMatchObject({
        code: 'ERR_ATTESTATION_CERTIFICATE_EXPIRED',
        certificate: 'certificate',
      })
      const early = await catchError(at(later(document.leaf_not_before, -11)))
      expect(early).toMatchObject({
        code: 'ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID',
        certificate: 'certificate',
      })
      expect(await refusalOf(at(new Date('2026-11-21T00:00:00Z')))).toBe(
        'ERR_ATTESTATION_CERTIFICATE_EXPIRED',
      )
    })

    test('is refused by each PCR that differs, and by one it has not', async () => {
      const pcrs = ownPcrs(document)
      const { currentDate = new Date(0), ...policy } = options
      const refuse = async (changed: Record<number, string>): Promise<PcrError> => {
        const verifier = createVerifier({
          ...policy,
          referenceValues: { pcrs: changed },
          now: () => currentDate,
        })
        const error = await catchError(() => verifier.verify(document.bytes))
        expect(error).toBeInstanceOf(PcrError)
        return error as PcrError
      }
      for (const index of document.pcr_indices) {
        const value = Buffer.from(document.pcrs_nonzero[index] ?? ZERO, 'hex')
        const octet = (7 * index + document.timestamp_ms) % 48
        value[octet] = (value[octet] as number) ^ (1 << (index % 8))
        const error = await refuse({ ...pcrs, [index]: value.toString('hex') })
        expect(error.code).toBe('ERR_ATTESTATION_PCR')
        expect(error.pcr).toBe(index)
        expect(error.actual).toBe(document.pcrs_nonzero[index] ?? ZERO)
      }
      const absent = await refuse({ ...pcrs, 31: 'ab'.repeat(48) })
      expect(absent.code).toBe('ERR_ATTESTATION_PCR_ABSENT')
      expect(absent.pcr).toBe(31)
    })

    if (!document.debug_mode_pcr0_zero) return
    test('is refused without allowDebugMode', async () => {
      const { allowDebugMode: _, ...strict } = options
      const image = { pcrs: { 0: 'ab'.repeat(48), 1: 'ab'.repeat(48), 2: 'ab'.repeat(48) } }
      const call = (): Promise<unknown> =>
        verifyAttestation(document.bytes, { ...strict, referenceValues: image })
      expect(await refusalOf(call)).toBe('ERR_ATTESTATION_DEBUG_MODE')
    })
  })

  test('half of the signatures have a high s, as the index says, and are accepted; so is the twin', async () => {
    const order = BigInt(
      '0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    )
    let high = 0
    await each(enclaves.length, async (index) => {
      const document = enclaves[index] as RealDocument
      const s = BigInt(`0x${hexOf(document.bytes.subarray(-48))}`)
      expect(s > order / 2n).toBe(document.sig_high_s)
      if (s > order / 2n) high++
      // (r, n - s) signs the same bytes: a second form of the document that anybody can make. Documents are no names.
      const twin = document.bytes.slice()
      twin.set(Buffer.from((order - s).toString(16).padStart(96, '0'), 'hex'), twin.length - 48)
      expect(await refusalOf(() => verifyAttestation(twin, ownOptions(document)))).toBe('accepted')
    })
    expect(high).toBe(34)
  })

  test('the NitroTPM document is refused with its own code', async () => {
    const document = genuine.find(({ kind }) => kind === 'nitrotpm') as RealDocument
    const call = (): Promise<unknown> =>
      verifyAttestation(document.bytes, {
        acceptAnyImage: true,
        allowDebugMode: true,
        maxAge: 3600,
        currentDate: new Date(document.timestamp_ms + 1000),
      })
    expect(await refusalOf(call)).toBe('ERR_ATTESTATION_NITROTPM')
  })

  test('what is not genuine is refused, each for its own reason', async () => {
    const codes: Record<string, string> = {}
    for (const document of documents?.notGenuine ?? []) {
      const name = /-([0-9a-f]{8})\.bin$/.exec(document.file)?.[1] as string
      codes[name] = await refusalOf(() =>
        verifyAttestation(document.bytes, {
          acceptAnyImage: true,
          allowDebugMode: true,
          maxAge: 3600,
          currentDate: new Date(document.timestamp_ms + 1000),
        }),
      )
    }
    expect(codes).toEqual({
      // nitriding's and nitrite's mocks: an unprotected header that is null, and no cabundle.
      b689637d: 'ERR_ATTESTATION_UNPROTECTED_HEADER',
      e388022c: 'ERR_ATTESTATION_UNPROTECTED_HEADER',
      // A certificate that lost bytes, and a document whose signature was altered.
      '4164bfae': 'ERR_ATTESTATION_CERTIFICATE_MALFORMED',
      '7df2cdc0': 'ERR_ATTESTATION_SIGNATURE',
      // A root of its own, as the only certificate of its cabundle.
      a132128a: 'ERR_ATTESTATION_CABUNDLE',
      // A root that lost a byte.
      bfd95b4b: 'ERR_ATTESTATION_TRUST_ANCHOR',
    })
  })

  /** One document of each shape: definite and indefinite map, large fields, 17 PCRs, debug mode in both encodings. */
  const flipped = [
    ['2025-04-15-enclave-nautilus-f8fab7fa', 'definite map(9)', false],
    ['2026-01-03-enclave-tempo-9e038c2d', 'indefinite map', false],
    ['2022-06-24-enclave-qos-ebf78a43', 'definite map(9)', false],
    ['2025-11-10-enclave-fastcrypto-8e5652f3', 'indefinite map', false],
    ['2021-03-05-enclave-debug-aws-nitro-enclaves-attestation-883eaa6c', 'definite map(9)', true],
    ['2026-08-03-enclave-debug-world-chain-13a44c64', 'indefinite map', true],
  ] as const

  test.each(flipped)(
    'one bit flipped at every byte of %s is refused',
    async (name, encoding, debugMode) => {
      const document = enclaves.find(({ file }) => file === `${name}.bin`) as RealDocument
      expect(document.payload_map_encoding).toBe(encoding)
      expect(document.debug_mode_pcr0_zero).toBe(debugMode)
      const options = { ...ownOptions(document), acceptAnyImage: true, allowDebugMode: true }
      const { referenceValues: _, currentDate = new Date(0), ...policy } = options
      const open = { ...policy, currentDate }
      // A verifier that remembers the genuine path must refuse the same mutants, for the same reason.
      const verifier = createVerifier({ ...policy, now: () => currentDate })
      await verifier.verify(document.bytes)
      const tally = new Tally()
      await each(document.bytes.length, async (at) => {
        const mutant = document.bytes.slice()
        mutant[at] = (mutant[at] as number) ^ (1 << ((5 * at + (at >> 3)) % 8))
        const code = await refusalOf(() => verifyAttestation(mutant, open))
        if (code === 'accepted') throw new Error(`byte ${at}: accepted`)
        if (at % 4 === 0) {
          const cached = await refusalOf(() => verifier.verify(mutant))
          if (code !== cached) throw new Error(`byte ${at}: ${code}, and ${cached} with a memory`)
        }
        tally.add(code)
      })
      const distinct = Object.keys(tally.codes).length
      console.log(`${name}: ${document.bytes.length} mutants refused with ${distinct} codes`)
      expect(Object.values(tally.codes).reduce((sum, count) => sum + count, 0)).toBe(
        document.bytes.length,
      )
      expect(tally.get('ERR_ATTESTATION_SIGNATURE')).toBeGreaterThan(500)
      expect(tally.get('ERR_ATTESTATION_CERTIFICATE_SIGNATURE')).toBeGreaterThan(500)
      expect(tally.get('ERR_ATTESTATION_TRUST_ANCHOR')).toBe(533)
      await verifier.verify(document.bytes)
    },
    180_000,
  )

  test('every truncation of a document is refused, and every byte behind it', async () => {
    const document = enclaves.at(-2) as RealDocument
    const options = ownOptions(document)
    const tally = new Tally()
    await each(document.bytes.length, async (length) => {
      const call = (): Promise<unknown> =>
        verifyAttestation(document.bytes.subarray(0, length), options)
      tally.add(await refusalOf(call))
    })
    expect(tally.codes).toEqual({
      ERR_ATTESTATION_CBOR: document.bytes.length - 1,
      ERR_ATTESTATION_SIZE: 1,
    })
    for (let octet = 0; octet < 256; octet++) {
      const longer = Uint8Array.of(...document.bytes, octet)
      expect(await refusalOf(() => verifyAttestation(longer, options))).toBe('ERR_ATTESTATION_CBOR')
    }
  })

  test('certificates of one document do not vouch for another', async () => {
    const [a, b] = [enclaves[0], enclaves[1]] as [RealDocument, RealDocument]
    // The signature of b under the payload of a: both 96 bytes at the end.
    const mixed = a.bytes.slice()
    mixed.set(b.bytes.subarray(-96), mixed.length - 96)
    const error = await catchError(() => verifyAttestation(mixed, ownOptions(a)))
    expect(error).toBeInstanceOf(AttestationError)
    expect(error).toMatchObject({ code: 'ERR_ATTESTATION_SIGNATURE' })
  })
})
