import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { decodeCertificate, type Certificate } from '@enclavejs/der'
import {
  basicConstraints,
  issueCertificate,
  keyUsage,
  type CertificateRecipe,
  type DistinguishedName,
  type Extension,
} from '@enclavejs/simulator/forge'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkPath } from '../src/certification-path.ts'
import { CertificateError } from '../src/index.ts'
import { ECDSA_P384_SHA384, type Subtle } from '../src/signature.ts'
import { verifyPathSignatures, type SignatureCheck } from '../src/path-signatures.ts'
import { VerifiedLinks } from '../src/verified-links.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')
const DAY = 86_400_000
const subtle = globalThis.crypto.subtle as unknown as Subtle
const algorithms = [ECDSA_P384_SHA384]

/** Keys are reused by place: only bytes and names tell certificates apart. */
const keys: KeyObject[] = Array.from(
  { length: 10 },
  () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
)

const nameOf = (place: number): DistinguishedName => [['CN', `certificate ${place}`]]

/** The recipe of the certificate at `place` of `length`, the root first. */
function recipeOf(place: number, length: number): CertificateRecipe {
  const ca = place < length - 1
  return {
    serialNumber: Uint8Array.of(1, place),
    issuer: nameOf(Math.max(place - 1, 0)),
    subject: nameOf(place),
    notBefore: new Date(NOW - DAY),
    notAfter: new Date(NOW + DAY),
    publicKey: createPublicKey(keys[place] as KeyObject),
    signingKey: keys[Math.max(place - 1, 0)] as KeyObject,
    extensions: ca
      ? [basicConstraints({ ca: true }), keyUsage(['keyCertSign'])]
      : [basicConstraints({ ca: false }), keyUsage(['digitalSignature'])],
  }
}

type Change = (recipe: CertificateRecipe) => CertificateRecipe

function pathOf(length: number, changes: Readonly<Record<number, Change>> = {}): Certificate[] {
  return Array.from({ length }, (_, place) => {
    const recipe = recipeOf(place, length)
    return decodeCertificate(issueCertificate(changes[place]?.(recipe) ?? recipe))
  })
}

const withExtensions =
  (...extensions: Extension[]): Change =>
  (recipe) => ({ ...recipe, extensions })

/** The code and the place of the refusal. */
function refusal(path: readonly Certificate[], currentDate = NOW, clockTolerance = 0): string {
  try {
    checkPath(path, { currentDate, clockTolerance })
    return 'accepted'
  } catch (error) {
    expect(error).toBeInstanceOf(CertificateError)
    const { code, certificate } = error as CertificateError
    return `${code.replace('ERR_ATTESTATION_CERTIFICATE_', '')} ${certificate}`
  }
}

describe('checkPath', () => {
  test.each([2, 3, 5, 9])('accepts a path of %i certificates', (length) => {
    expect(refusal(pathOf(length))).toBe('accepted')
  })

  test('refuses in every place what is not valid at the time, both ends included', () => {
    for (let place = 0; place < 4; place++) {
      const where = place === 3 ? 'certificate' : `cabundle[${place}]`
      const path = pathOf(4, {
        [place]: (recipe) => ({
          ...recipe,
          notBefore: new Date(NOW - 5000),
          notAfter: new Date(NOW + 5000),
        }),
      })
      expect(refusal(path, NOW - 5000)).toBe('accepted')
      expect(refusal(path, NOW + 5000)).toBe('accepted')
      expect(refusal(path, NOW - 5001)).toBe(`NOT_YET_VALID ${where}`)
      expect(refusal(path, NOW + 5001)).toBe(`EXPIRED ${where}`)
      // The tolerance serves notBefore alone.
      expect(refusal(path, NOW - 8000, 3000)).toBe('accepted')
      expect(refusal(path, NOW - 8001, 3000)).toBe(`NOT_YET_VALID ${where}`)
      expect(refusal(path, NOW + 5001, 3000)).toBe(`EXPIRED ${where}`)
    }
  })

  test('names the first certificate from the root that breaks a rule', () => {
    const late: Change = (recipe) => ({ ...recipe, notAfter: new Date(NOW - 1000) })
    expect(refusal(pathOf(5, { 3: late, 1: late, 4: late }))).toBe('EXPIRED cabundle[1]')
  })

  test('compares each issuer with the subject before it, byte for byte', () => {
    for (let place = 1; place < 4; place++) {
      const where = place === 3 ? 'certificate' : `cabundle[${place}]`
      const other: Change = (recipe) => ({ ...recipe, issuer: [['CN', 'Certificate 0']] })
      expect(refusal(pathOf(4, { [place]: other }))).toBe(`ISSUER ${where}`)
    }
    const [a, b, c, d] = pathOf(4) as [Certificate, Certificate, Certificate, Certificate]
    expect(refusal([a, c, b, d])).toBe('ISSUER cabundle[1]')
    expect(refusal([a, b, d])).toBe('ISSUER certificate')
    expect(refusal([a, b, b, c, d])).toBe('ISSUER cabundle[2]')
  })

  test.each<[string, Change, string]>([
    ['no extensions', withExtensions(), 'NOT_CA'],
    ['no basicConstraints', withExtensions(keyUsage(['keyCertSign'])), 'NOT_CA'],
    ['no cA', withExtensions(basicConstraints({ ca: false }), keyUsage(['keyCertSign'])), 'NOT_CA'],
    ['no keyUsage', withExtensions(basicConstraints({ ca: true })), 'KEY_USAGE'],
    [
      'no keyCertSign',
      withExtensions(basicConstraints({ ca: true }), keyUsage(['digitalSignature', 'cRLSign'])),
      'KEY_USAGE',
    ],
  ])('refuses a CA with %s, in every place', (_, change, code) => {
    for (let place = 0; place < 3; place++) {
      expect(refusal(pathOf(4, { [place]: change }))).toBe(`${code} cabundle[${place}]`)
    }
  })

  test.each<[string, Change, string]>([
    [
      'that is a CA',
      withExtensions(basicConstraints({ ca: true }), keyUsage(['digitalSignature'])),
      'IS_CA',
    ],
    ['without keyUsage', withExtensions(basicConstraints({ ca: false })), 'KEY_USAGE'],
    ['without digitalSignature', withExtensions(keyUsage(['nonRepudiation'])), 'KEY_USAGE'],
    [
      'that may sign certificates',
      withExtensions(keyUsage(['digitalSignature', 'keyCertSign'])),
      'KEY_USAGE',
    ],
  ])('refuses a target %s', (_, change, code) => {
    expect(refusal(pathOf(4, { 3: change }))).toBe(`${code} certificate`)
  })

  test('accepts a target without basicConstraints', () => {
    const change = withExtensions(keyUsage(['digitalSignature']))
    expect(refusal(pathOf(3, { 2: change }))).toBe('accepted')
  })

  test.each([
    ['an unknown critical extension', '1.2.3.4', true, 'EXTENSION'],
    ['an unknown extension', '1.2.3.4', false, 'accepted'],
    ['critical extendedKeyUsage', '2.5.29.37', true, 'EXTENSION'],
    ['extendedKeyUsage', '2.5.29.37', false, 'accepted'],
    ['nameConstraints', '2.5.29.30', false, 'EXTENSION'],
    ['critical nameConstraints', '2.5.29.30', true, 'EXTENSION'],
    ['policyConstraints', '2.5.29.36', false, 'EXTENSION'],
    ['inhibitAnyPolicy', '2.5.29.54', false, 'EXTENSION'],
  ])('%s, in every place', (_, oid, critical, expected) => {
    for (let place = 0; place < 4; place++) {
      const where = place === 3 ? 'certificate' : `cabundle[${place}]`
      const path = pathOf(4, {
        [place]: (recipe) => ({
          ...recipe,
          extensions: [...recipe.extensions, { oid, critical, value: Uint8Array.of(5, 0) }],
        }),
      })
      expect(refusal(path)).toBe(expected === 'accepted' ? expected : `${expected} ${where}`)
    }
  })

  test('refuses another hash, curve or form of a key, in every place', () => {
    const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const compressed = Uint8Array.from(
      Buffer.from(`3046301006072a8648ce3d020106052b81040022033200${'02'}${'11'.repeat(48)}`, 'hex'),
    )
    for (let place = 0; place < 4; place++) {
      const where = place === 3 ? 'certificate' : `cabundle[${place}]`
      const changed = (change: Partial<CertificateRecipe>): string =>
        refusal(pathOf(4, { [place]: (recipe) => ({ ...recipe, ...change }) }))
      expect(changed({ signatureHash: 'sha256' })).toBe(`ALGORITHM ${where}`)
      expect(changed({ signatureHash: 'sha512' })).toBe(`ALGORITHM ${where}`)
      expect(changed({ publicKey: p256.publicKey })).toBe(`KEY ${where}`)
      expect(changed({ publicKey: compressed })).toBe(`KEY ${where}`)
    }
  })

  test('pathLenConstraint as RFC 5280 §6.1.4 computes it', () => {
    /** §6.1.4 (l) and (m) with max_path_length, over the certificates that issue. True: the path may be. */
    const allowed = (
      limits: readonly (number | undefined)[],
      selfIssued: readonly boolean[],
    ): boolean => {
      let left = Number.POSITIVE_INFINITY
      for (const [place, limit] of limits.entries()) {
        // The trust anchor's own constraint counts too; it is no intermediate itself.
        if (place > 0 && selfIssued[place] !== true) {
          if (left <= 0) return false
          left--
        }
        left = Math.min(left, limit ?? left)
      }
      return true
    }
    const issuing = fc.array(
      fc.record({
        limit: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
        selfIssued: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    )
    let refused = 0
    fc.assert(
      fc.property(issuing, (cas) => {
        const length = cas.length + 1
        let subject = 0
        const path = Array.from({ length }, (_, place) => {
          const recipe = recipeOf(place, length)
          const ca = cas[place]
          const issuer = subject
          if (ca === undefined || (place > 0 && !ca.selfIssued)) subject++
          return decodeCertificate(
            issueCertificate({
              ...recipe,
              issuer: nameOf(issuer),
              subject: nameOf(subject),
              ...(ca && {
                extensions: [
                  basicConstraints({ ca: true, pathLenConstraint: ca.limit }),
                  keyUsage(['keyCertSign']),
                ],
              }),
            }),
          )
        })
        const expected = allowed(
          cas.map(({ limit }) => limit),
          cas.map(({ selfIssued }) => selfIssued),
        )
        if (!expected) refused++
        const seen = refusal(path)
        if (expected) expect(seen).toBe('accepted')
        else expect(seen).toMatch(/^PATH_LENGTH cabundle\[\d\]$/)
      }),
      { numRuns: 150 },
    )
    expect(refused).toBeGreaterThan(20)
  })
})

describe('verifyPathSignatures', () => {
  const noMessage = (): SignatureCheck => Promise.resolve(undefined)

  async function outcome(path: readonly Certificate[], links?: VerifiedLinks): Promise<string> {
    try {
      await verifyPathSignatures(path, algorithms, subtle, links, noMessage)
      return 'accepted'
    } catch (error) {
      expect(error).toBeInstanceOf(CertificateError)
      const { code, certificate } = error as CertificateError
      return `${code.replace('ERR_ATTESTATION_CERTIFICATE_', '')} ${certificate}`
    }
  }

  test('accepts true signatures and gives the target’s key', async () => {
    const path = pathOf(4)
    expect(await outcome(path)).toBe('accepted')
    let key: unknown
    await verifyPathSignatures(path, algorithms, subtle, undefined, (targetKey) => {
      key = targetKey
      return noMessage()
    })
    expect(key).toMatchObject({ type: 'public', extractable: false, usages: ['verify'] })
  })

  test('names the link that does not verify, in every place', async () => {
    for (let place = 1; place < 5; place++) {
      const where = place === 4 ? 'certificate' : `cabundle[${place}]`
      const otherKey: Change = (recipe) => ({ ...recipe, signingKey: keys[9] as KeyObject })
      expect(await outcome(pathOf(5, { [place]: otherKey }))).toBe(`SIGNATURE ${where}`)
      const altered: Change = (recipe) => ({
        ...recipe,
        mutateSignature: (signature) => {
          const last = signature.length - 1
          return signature.with(last, (signature[last] as number) ^ 1)
        },
      })
      expect(await outcome(pathOf(5, { [place]: altered }))).toBe(`SIGNATURE ${where}`)
    }
  })

  test.each<[string, (der: Uint8Array) => Uint8Array]>([
    ['empty', () => new Uint8Array(0)],
    ['r‖s without DER', () => new Uint8Array(96).fill(0x11)],
    ['with bytes behind it', (der) => Uint8Array.of(...der, 0)],
    ['r = 0', () => Uint8Array.of(0x30, 6, 2, 1, 0, 2, 1, 1)],
    ['negative r', () => Uint8Array.of(0x30, 6, 2, 1, 0x80, 2, 1, 1)],
    ['indefinite', (der) => Uint8Array.of(0x30, 0x80, ...der.subarray(2), 0, 0)],
  ])('refuses a signature that is %s', async (_, mutateSignature) => {
    const path = pathOf(3, { 1: (recipe) => ({ ...recipe, mutateSignature }) })
    expect(await outcome(path)).toBe('SIGNATURE cabundle[1]')
  })

  test('does not verify the root’s signature over itself: it is trusted by its bytes', async () => {
    const path = pathOf(3, { 0: (recipe) => ({ ...recipe, signingKey: keys[9] as KeyObject }) })
    expect(await outcome(path)).toBe('accepted')
  })

  test('refuses a key that is not on the curve, in every place', async () => {
    for (let place = 0; place < 4; place++) {
      const where = place === 3 ? 'certificate' : `cabundle[${place}]`
      const path = pathOf(4, {
        [place]: (recipe) => {
          const spki = createPublicKey(keys[place] as KeyObject).export({
            format: 'der',
            type: 'spki',
          })
          const last = spki.length - 1
          return {
            ...recipe,
            publicKey: new Uint8Array(spki).with(last, (spki[last] as number) ^ 1),
          }
        },
      })
      expect(await outcome(path)).toBe(`KEY ${where}`)
    }
  })

  test('the first fault from the root is the one that is named', async () => {
    const otherKey: Change = (recipe) => ({ ...recipe, signingKey: keys[9] as KeyObject })
    expect(await outcome(pathOf(5, { 2: otherKey, 4: otherKey }))).toBe('SIGNATURE cabundle[2]')
  })

  test('a memory of other links, or of links under another key, vouches for nothing', async () => {
    const path = pathOf(4)
    const links = new VerifiedLinks(10)
    const remember = await verifyPathSignatures(path, algorithms, subtle, links, noMessage)
    expect(links.size).toBe(0)
    remember()
    expect(links.size).toBe(3)
    expect(await outcome(path, links)).toBe('accepted')
    // The same certificates below a root of the same name and another key.
    const [, ...rest] = path
    const otherRoot = pathOf(4, {
      0: (recipe) => ({
        ...recipe,
        publicKey: createPublicKey(keys[8] as KeyObject),
        signingKey: keys[8] as KeyObject,
      }),
    })[0] as Certificate
    expect(refusal([otherRoot, ...rest])).toBe('accepted')
    expect(await outcome([otherRoot, ...rest], links)).toBe('SIGNATURE cabundle[1]')
    // One bit of each certificate: its signature covers it, the memory does not know it.
    for (let place = 1; place < 4; place++) {
      const { bytes: original, serialNumber } = path[place] as Certificate
      const bytes = original.slice()
      bytes[serialNumber.byteOffset - original.byteOffset] = 3
      const forged = path.with(place, decodeCertificate(bytes))
      expect(refusal(forged)).toBe('accepted')
      const where = place === 3 ? 'certificate' : `cabundle[${place}]`
      expect(await outcome(forged, links)).toBe(`SIGNATURE ${where}`)
    }
  })
})
