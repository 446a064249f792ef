import { beforeAll, describe, expect, test } from 'vitest'
import type { CertificateAuthority } from '@enclavejs/simulator'
import { changePath, issueAttestationDocument, leafOf } from '@enclavejs/simulator/forge'
import { createVerifier, type Subtle, type VerifierOptions } from '@enclavejs/attestation'
import { after, authorityAt, documentOf, IMAGE, NOW, outcome, pcr, somePcrs } from './fixture.ts'

let authority: CertificateAuthority

beforeAll(async () => {
  authority = await authorityAt()
})

/** The platform's provider, counting signatures. */
function counting(): { subtle: Subtle; count: () => number } {
  let verifications = 0
  const platform = globalThis.crypto.subtle as Subtle
  return {
    subtle: {
      importKey: (...parameters) => platform.importKey(...parameters),
      digest: (...parameters) => platform.digest(...parameters),
      verify: (...parameters) => {
        verifications++
        return platform.verify(...parameters)
      },
    },
    count: () => {
      const seen = verifications
      verifications = 0
      return seen
    },
  }
}

const policy = (options: Partial<VerifierOptions> = {}): VerifierOptions => ({
  referenceValues: IMAGE,
  maxAge: 600,
  trustAnchors: [authority.trustAnchor],
  now: () => NOW,
  ...options,
})

describe('createVerifier', () => {
  test('five signatures for the first document, one for the same enclave, two for a new leaf', async () => {
    const { subtle, count } = counting()
    const verifier = createVerifier(policy({ subtle }))
    await verifier.verify(documentOf(authority))
    expect(count()).toBe(5)
    await verifier.verify(documentOf(authority, { userData: pcr(1) }))
    expect(count()).toBe(1)
    const sibling = changePath(authority.certificationPath(), {
      recipes: { leaf: (recipe) => ({ ...recipe, serialNumber: new Uint8Array(16).fill(9) }) },
    })
    const fields = { moduleId: authority.moduleId, timestamp: NOW.getTime(), pcrs: somePcrs() }
    await verifier.verify(issueAttestationDocument(fields, leafOf(sibling)))
    expect(count()).toBe(2)
  })

  test('dates, policy and fields are judged anew although every signature is known', async () => {
    let now = NOW
    const { subtle, count } = counting()
    const verifier = createVerifier(policy({ subtle, now: () => now, maxAge: 1e6 }))
    const document = documentOf(authority)
    await verifier.verify(document)
    count()
    now = after(3 * 3600 + 1)
    expect(await outcome(() => verifier.verify(document))).toBe(
      'ERR_ATTESTATION_CERTIFICATE_EXPIRED',
    )
    now = after(-3600)
    expect(await outcome(() => verifier.verify(document))).toBe(
      'ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID',
    )
    now = NOW
    expect(await outcome(() => verifier.verify(document, { nonce: pcr(9) }))).toBe(
      'ERR_ATTESTATION_NONCE',
    )
    const other = documentOf(authority, { pcrs: somePcrs(100) })
    expect(await outcome(() => verifier.verify(other))).toBe('ERR_ATTESTATION_PCR')
  })

  test('a known certificate under another issuer key is not known', async () => {
    const verifier = createVerifier(policy())
    await verifier.verify(documentOf(authority))
    const path = authority.certificationPath()
    const stranger = (await authorityAt()).certificationPath()
    // The real leaf below a stranger's instance certificate of the same name: no link of it may be taken from memory.
    const document = issueAttestationDocument(
      { moduleId: authority.moduleId, timestamp: NOW.getTime(), pcrs: somePcrs() },
      {
        ...leafOf(path),
        cabundle: [path.root, path.regional, path.zonal, stranger.instance].map(
          ({ certificate }) => certificate,
        ),
      },
    )
    expect(await outcome(() => verifier.verify(document))).toMatch(
      /^ERR_ATTESTATION_CERTIFICATE_(SIGNATURE|ISSUER)$/,
    )
  })

  test('a refused document is not remembered, not even its good certificates', async () => {
    const { subtle, count } = counting()
    const verifier = createVerifier(policy({ subtle }))
    for (const document of [
      documentOf(authority, { pcrs: somePcrs(50) }),
      documentOf(authority, { timestamp: NOW.getTime() - 3000_000 }),
    ]) {
      await outcome(() => verifier.verify(document))
      expect(count()).toBe(5)
    }
    await verifier.verify(documentOf(authority))
    expect(count()).toBe(5)
  })

  test('a flood of refused documents evicts nothing', async () => {
    const { subtle, count } = counting()
    const verifier = createVerifier(policy({ subtle, cacheSize: 4 }))
    await verifier.verify(documentOf(authority))
    for (let index = 0; index < 8; index++) {
      const stranger = await authorityAt()
      const foreign = documentOf(stranger)
      expect(await outcome(() => verifier.verify(foreign))).toBe('ERR_ATTESTATION_TRUST_ANCHOR')
      const wrongImage = documentOf(authority, { pcrs: somePcrs(50 + index) })
      expect(await outcome(() => verifier.verify(wrongImage))).toBe('ERR_ATTESTATION_PCR')
    }
    count()
    await verifier.verify(documentOf(authority))
    expect(count()).toBe(1)
  })

  test('is bounded: the links used longest ago go first', async () => {
    const { subtle, count } = counting()
    const other = await authorityAt()
    const anchors = [authority.trustAnchor, other.trustAnchor]
    const verifier = createVerifier(policy({ subtle, cacheSize: 4, trustAnchors: anchors }))
    await verifier.verify(documentOf(authority))
    await verifier.verify(documentOf(other))
    count()
    await verifier.verify(documentOf(other))
    expect(count()).toBe(1)
    await verifier.verify(documentOf(authority))
    expect(count()).toBe(5)
  })

  test('what was used again stays, and what was not since goes', async () => {
    const { subtle, count } = counting()
    const others = [await authorityAt(), await authorityAt()] as const
    const anchors = [authority, ...others].map(({ trustAnchor }) => trustAnchor)
    // Room for two enclaves of four certificates below the root.
    const verifier = createVerifier(policy({ subtle, cacheSize: 8, trustAnchors: anchors }))
    for (const one of [authority, others[0], authority, others[1]]) {
      await verifier.verify(documentOf(one))
    }
    count()
    await verifier.verify(documentOf(authority))
    expect(count()).toBe(1)
    await verifier.verify(documentOf(others[0]))
    expect(count()).toBe(5)
  })

  test('keeps bytes of its own: what a caller does with a result changes nothing', async () => {
    const { subtle, count } = counting()
    const verifier = createVerifier(policy({ subtle }))
    const { certificate, cabundle } = await verifier.verify(documentOf(authority))
    for (const bytes of [certificate, ...cabundle]) bytes.fill(0)
    count()
    await verifier.verify(documentOf(authority))
    expect(count()).toBe(1)
  })

  test('unsafe options are refused when it is made, missing freshness at the call', async () => {
    expect(() => createVerifier(policy({ referenceValues: undefined as never }))).toThrow(TypeError)
    expect(() => createVerifier(policy({ cacheSize: 0 }))).toThrow(RangeError)
    expect(() => createVerifier(policy({ cacheSize: 1e9 }))).toThrow(RangeError)
    expect(() => createVerifier({ ...policy(), nonce: pcr(1) } as never)).toThrow(TypeError)
    expect(() => createVerifier(policy({ now: NOW as never }))).toThrow(TypeError)
    const { maxAge: _, ...ageless } = policy()
    const verifier = createVerifier(ageless)
    await expect(verifier.verify(documentOf(authority))).rejects.toBeInstanceOf(TypeError)
    await expect(
      verifier.verify(documentOf(authority), { nonse: pcr(1) } as never),
    ).rejects.toThrow(TypeError)
    const broken = createVerifier(policy({ now: () => new Date(Number.NaN) }))
    await expect(broken.verify(documentOf(authority))).rejects.toBeInstanceOf(TypeError)
  })
})
