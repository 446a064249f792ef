import { readFileSync } from 'node:fs'
import { decodeCertificate, DerError, DerReader, type Certificate } from '@enclavejs/der'
import { encode } from '@enclavejs/cbor'
import { expect, test } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { certificateOf, extensionsOf } from '../../der/test/certificate-bytes.ts'
import { readObjectIdentifier } from '../../der/src/primitive.ts'
import { checkPath } from '../src/certification-path.ts'
import { decodeCoseSign1 } from '../src/cose-sign1.ts'
import { AttestationError } from '../src/index.ts'
import {
  ECDSA_P384_SHA384,
  importPublicKey,
  type Subtle,
  type SubtleKey,
} from '../src/signature.ts'
import { fromPem } from './path-case.ts'
import { Tally } from './real-document.ts'

type Result = 'valid' | 'acceptable' | 'invalid'

interface SignatureGroup {
  readonly publicKeyDer: string
  readonly tests: readonly {
    readonly tcId: number
    readonly comment: string
    readonly msg: string
    readonly sig: string
    readonly result: Result
  }[]
}

interface KeyCase {
  readonly tcId: number
  readonly comment: string
  readonly flags: readonly string[]
  readonly public: string
  readonly result: Result
}

const ABSENT = 'needs ../shared/vectors/wycheproof'
const subtle = globalThis.crypto.subtle as unknown as Subtle
const KEY_USAGE_SIGN = bytesOf('300e0603551d0f0101ff040403020780')

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

function load<Group>(
  file: string,
): { readonly numberOfTests: number; readonly testGroups: Group[] } | undefined {
  const path = vectors(`wycheproof/${file}.json`)
  return path === undefined ? undefined : (JSON.parse(readFileSync(path, 'utf8')) as never)
}

/** The key of a certificate that carries this SubjectPublicKeyInfo, by all the checks that a path's keys go through. */
async function loadKey(subjectPublicKeyInfo: Uint8Array): Promise<SubtleKey> {
  const certificate: Certificate = decodeCertificate(
    certificateOf({ subjectPublicKeyInfo, extensions: extensionsOf(KEY_USAGE_SIGN) }),
  )
  checkPath([certificate], { currentDate: Date.parse('2026-01-01T00:00:00Z'), clockTolerance: 0 })
  return importPublicKey(certificate, ECDSA_P384_SHA384, subtle)
}

function verify(
  key: SubtleKey,
  signature: Uint8Array<ArrayBuffer>,
  message: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  return subtle.verify(ECDSA_P384_SHA384.verifyParameters, key, signature, message)
}

/** The signature as a COSE_Sign1 hands it on; undefined where its length is refused. */
function throughCose(signature: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const message = encode([bytesOf('a1013822'), new Map(), Uint8Array.of(1), signature])
  try {
    return new Uint8Array(decodeCoseSign1(message).signature)
  } catch (error) {
    if ((error as AttestationError).code === 'ERR_ATTESTATION_SIGNATURE_LENGTH') return undefined
    throw error
  }
}

/** The signature as a certificate's is converted; undefined where it is not strict DER or out of range. */
function throughDer(signature: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  try {
    return ECDSA_P384_SHA384.signature(signature)
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}

test.for([
  ['ecdsa_secp384r1_sha384_p1363_test', 280, throughCose],
  ['ecdsa_secp384r1_sha384_test', 504, throughDer],
] as const)('Wycheproof %s', async ([file, count, through], context) => {
  const suite = load<SignatureGroup>(file)
  if (suite === undefined) return context.skip(ABSENT)
  const tally = new Tally()
  for (const { publicKeyDer, tests } of suite.testGroups) {
    const key = await loadKey(bytesOf(publicKeyDer))
    for (const { tcId, comment, msg, sig, result } of tests) {
      const signature = through(bytesOf(sig))
      const good = signature !== undefined && (await verify(key, signature, bytesOf(msg)))
      tally.add(`${result}, ${good ? 'accepted' : signature ? 'refused' : 'refused by its form'}`)
      if (result !== 'acceptable') expect(good, `${tcId} ${comment}`).toBe(result === 'valid')
    }
  }
  console.log(`Wycheproof ${file}:`, tally.codes)
  expect(Object.values(tally.codes).reduce((sum, one) => sum + one, 0)).toBe(count)
  expect(tally.get('invalid, refused by its form')).toBeGreaterThan(10)
})

test('Wycheproof’s key encodings: only an uncompressed point of the named curve is taken', async (context) => {
  const suite = load<{ tests: readonly KeyCase[] }>('ecdh_secp384r1_pem_test')
  if (suite === undefined) return context.skip(ABSENT)
  const tally = new Tally()
  for (const { tests } of suite.testGroups) {
    for (const { tcId, comment, flags, public: pem, result } of tests) {
      let outcome = 'accepted'
      try {
        await loadKey(fromPem(pem))
      } catch (error) {
        const { code, name } = error as { code?: unknown; name: string }
        outcome = typeof code === 'string' ? code : name
        expect(
          error instanceof DerError || error instanceof AttestationError || name === 'DataError',
          `${tcId} ${String(error)}`,
        ).toBe(true)
      }
      tally.add(`${result}, ${outcome}`)
      // Compressed points, parameters written out and loose DER are `acceptable` there and taken nowhere here.
      const expected = result === 'valid'
      expect(outcome === 'accepted', `${tcId} ${comment} ${flags.join()}: ${outcome}`).toBe(
        expected,
      )
    }
  }
  console.log('Wycheproof ecdh_secp384r1_pem_test:', tally.codes)
  expect(suite.numberOfTests).toBe(1047)
  expect(tally.get('valid, accepted')).toBe(771)
})

test('the one named curve is the P-384 of Wycheproof’s table', (context) => {
  const suite = load<{ tests: readonly { name: string; oid: string; n: string }[] }>(
    'ec_prime_order_curves_test',
  )
  if (suite === undefined) return context.skip(ABSENT)
  const curve = suite.testGroups[0]?.tests.find(({ name }) => name === 'secp384r1')
  const parameters = new DerReader(ECDSA_P384_SHA384.publicKeyAlgorithm).enter(0x30)
  parameters.read()
  expect(readObjectIdentifier(parameters)).toBe(curve?.oid)
})
