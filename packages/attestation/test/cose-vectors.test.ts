import { readFileSync } from 'node:fs'
import { CborTag, decode, encode, type CborValue } from '@enclavejs/cbor'
import { expect, test } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { decodeCoseSign1, sigStructure } from '../src/cose-sign1.ts'
import { AttestationError } from '../src/index.ts'
import { ECDSA_P384_SHA384 } from '../src/signature.ts'

interface Jwk {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y: string
}

interface Gluecose {
  readonly path: string
  readonly case: {
    readonly alg: string
    readonly key: Jwk
    readonly 'sign1::sign'?: {
      readonly tbsHex: { readonly cborHex: string }
      readonly expectedOutput: { readonly cborHex: string }
    }
    readonly 'sign1::verify'?: { readonly taggedCOSESign1: { readonly cborHex: string } }
  }
}

interface CoseWg {
  readonly path: string
  readonly fail: boolean
  readonly alg: string | null
  readonly case: {
    readonly input: { readonly sign0?: { readonly key: Jwk } }
    readonly intermediates: { readonly ToBeSign_hex?: string }
    readonly output: { readonly cbor: string }
  }
}

const ABSENT = 'needs ../shared/vectors/cose'

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

function codeOf(bytes: Uint8Array): string {
  try {
    decodeCoseSign1(bytes)
    return 'accepted'
  } catch (error) {
    if (error instanceof AttestationError) return error.code
    throw error
  }
}

/** The message with an empty unprotected header, which no signature covers: the form that the NSM gives. */
function withoutUnprotected(bytes: Uint8Array): Uint8Array {
  const item = decode(bytes, { tags: [18] })
  const message = (item instanceof CborTag ? item.value : item) as readonly CborValue[]
  return encode([message[0], new Map(), message[2], message[3]])
}

/** Whether our reading of the message verifies under the vector's key; `toBeSigned` is what the vector says is signed. */
async function verifies(bytes: Uint8Array, key: Jwk, toBeSigned?: string): Promise<boolean> {
  const message = decodeCoseSign1(withoutUnprotected(bytes))
  const structure = sigStructure(message)
  if (toBeSigned !== undefined) {
    expect(Buffer.from(structure).toString('hex')).toBe(toBeSigned.toLowerCase())
  }
  const { kty, crv, x, y } = key
  const { importParameters, verifyParameters } = ECDSA_P384_SHA384
  const { subtle } = globalThis.crypto
  const jwk = { kty, crv, x, y }
  const imported = await subtle.importKey(
    'jwk',
    jwk,
    { name: importParameters.name, namedCurve: 'P-384' },
    false,
    ['verify'],
  )
  const signature = message.signature as Uint8Array<ArrayBuffer>
  const good = await subtle.verify(verifyParameters, imported, signature, structure)
  // One bit of the payload, so that true is not all it can say.
  structure[structure.length - 1]! ^= 1
  expect(await subtle.verify(verifyParameters, imported, signature, structure)).toBe(false)
  return good
}

test('gluecose: ES384 is read and verifies; every other algorithm is refused by its code', async (context) => {
  const path = vectors('cose/gluecose.json')
  if (path === undefined) return context.skip(ABSENT)
  const cases = JSON.parse(readFileSync(path, 'utf8')) as Gluecose[]
  expect(cases.length).toBe(14)
  let verified = 0
  for (const one of cases) {
    const sign = one.case['sign1::sign']
    const hex = sign?.expectedOutput.cborHex ?? one.case['sign1::verify']?.taggedCOSESign1.cborHex
    const bytes = bytesOf(hex as string)
    if (one.case.alg === 'ES384') {
      // A key identifier beside: the NSM writes none, and what no signature covers is not taken.
      expect(codeOf(bytes), one.path).toBe('ERR_ATTESTATION_UNPROTECTED_HEADER')
      expect(await verifies(bytes, one.case.key, sign?.tbsHex.cborHex), one.path).toBe(true)
      verified++
    } else {
      expect(codeOf(bytes), one.path).toBe('ERR_ATTESTATION_ALGORITHM')
    }
  }
  expect(verified).toBe(2)
})

/** Why the examples of the COSE working group are refused, by path. */
const COSE_WG: Readonly<Record<string, readonly [code: string, why: string]>> = {
  'ecdsa-examples/ecdsa-01.json': ['ERR_ATTESTATION_CBOR', 'tag 98, COSE_Sign'],
  'ecdsa-examples/ecdsa-02.json': ['ERR_ATTESTATION_CBOR', 'tag 98, COSE_Sign'],
  'ecdsa-examples/ecdsa-03.json': ['ERR_ATTESTATION_CBOR', 'tag 98, COSE_Sign'],
  'ecdsa-examples/ecdsa-04.json': ['ERR_ATTESTATION_CBOR', 'tag 98, COSE_Sign'],
  'ecdsa-examples/ecdsa-sig-01.json': ['ERR_ATTESTATION_ALGORITHM', 'ES256 and a content type'],
  'ecdsa-examples/ecdsa-sig-02.json': ['ERR_ATTESTATION_UNPROTECTED_HEADER', 'a key identifier'],
  'ecdsa-examples/ecdsa-sig-03.json': ['ERR_ATTESTATION_ALGORITHM', 'ES512'],
  'ecdsa-examples/ecdsa-sig-04.json': ['ERR_ATTESTATION_ALGORITHM', 'ES512'],
  'sign1-tests/sign-fail-01.json': ['ERR_ATTESTATION_CBOR', 'tag 998'],
  'sign1-tests/sign-fail-02.json': ['ERR_ATTESTATION_ALGORITHM', 'ES256'],
  'sign1-tests/sign-fail-03.json': ['ERR_ATTESTATION_ALGORITHM', 'alg -999'],
  'sign1-tests/sign-fail-04.json': ['ERR_ATTESTATION_ALGORITHM', 'alg "unknown"'],
  'sign1-tests/sign-fail-06.json': ['ERR_ATTESTATION_ALGORITHM', 'a content type beside alg'],
  'sign1-tests/sign-fail-07.json': ['ERR_ATTESTATION_ALGORITHM', 'ES256'],
  'sign1-tests/sign-pass-01.json': ['ERR_ATTESTATION_ALGORITHM', 'alg stands unprotected'],
  'sign1-tests/sign-pass-02.json': ['ERR_ATTESTATION_ALGORITHM', 'ES256 and external_aad'],
  'sign1-tests/sign-pass-03.json': ['ERR_ATTESTATION_ALGORITHM', 'ES256'],
}

test('the COSE working group’s examples: refused for a written reason, ES384 verifies', async (context) => {
  const path = vectors('cose/cose-wg.json')
  if (path === undefined) return context.skip(ABSENT)
  const cases = JSON.parse(readFileSync(path, 'utf8')) as CoseWg[]
  expect(cases.map((one) => one.path).toSorted()).toEqual(Object.keys(COSE_WG).toSorted())
  for (const one of cases) {
    const bytes = bytesOf(one.case.output.cbor)
    expect(codeOf(bytes), one.path).toBe(COSE_WG[one.path]?.[0])
  }
  const example = cases.find((one) => one.path.endsWith('/ecdsa-sig-02.json')) as CoseWg
  const { output, input, intermediates } = example.case
  const good = await verifies(
    bytesOf(output.cbor),
    input.sign0?.key as Jwk,
    intermediates.ToBeSign_hex,
  )
  expect(good).toBe(true)
})

test('the failures of the suite, carried over to ES384, are refused', (context) => {
  const path = vectors('cose/cose-wg.json')
  if (path === undefined) return context.skip(ABSENT)
  const cases = JSON.parse(readFileSync(path, 'utf8')) as CoseWg[]
  const example = cases.find((one) => one.path.endsWith('/ecdsa-sig-02.json')) as CoseWg
  const { value } = decode(bytesOf(example.case.output.cbor), { tags: [18] }) as CborTag
  const [alg, , payload, signature] = value as [Uint8Array, CborValue, Uint8Array, Uint8Array]
  const none = new Map<number, CborValue>()
  const message = [alg, none, payload, signature]
  expect(codeOf(encode(message))).toBe('accepted')
  expect(codeOf(encode(new CborTag(18, message)))).toBe('accepted')
  const refused: [CborValue, string][] = [
    // sign-fail-01: another tag.
    [new CborTag(998, message), 'ERR_ATTESTATION_CBOR'],
    [new CborTag(98, message), 'ERR_ATTESTATION_CBOR'],
    // sign-fail-03, -04, -06, -07, sign-pass-01: the protected header.
    [[encode(new Map([[1, -999]])), none, payload, signature], 'ERR_ATTESTATION_ALGORITHM'],
    [[encode(new Map([[1, 'unknown']])), none, payload, signature], 'ERR_ATTESTATION_ALGORITHM'],
    [
      [
        encode(
          new Map([
            [1, -35],
            [3, 0],
          ]),
        ),
        none,
        payload,
        signature,
      ],
      'ERR_ATTESTATION_ALGORITHM',
    ],
    [[bytesOf('a0'), none, payload, signature], 'ERR_ATTESTATION_ALGORITHM'],
    [[bytesOf(''), none, payload, signature], 'ERR_ATTESTATION_ALGORITHM'],
    [[bytesOf('a0'), new Map([[1, -35]]), payload, signature], 'ERR_ATTESTATION_ALGORITHM'],
    [[alg, new Map([[1, -35]]), payload, signature], 'ERR_ATTESTATION_UNPROTECTED_HEADER'],
    [[alg, null, payload, signature], 'ERR_ATTESTATION_UNPROTECTED_HEADER'],
    // Types and counts.
    [[new Map([[1, -35]]), none, payload, signature], 'ERR_ATTESTATION_COSE_SIGN1'],
    [[alg, none, null, signature], 'ERR_ATTESTATION_COSE_SIGN1'],
    [[alg, none, payload, null], 'ERR_ATTESTATION_COSE_SIGN1'],
    [[alg, none, payload], 'ERR_ATTESTATION_COSE_SIGN1'],
    [[alg, none, payload, signature, 0], 'ERR_ATTESTATION_COSE_SIGN1'],
    [new Map(message.entries()), 'ERR_ATTESTATION_COSE_SIGN1'],
    [[alg, none, payload, signature.subarray(1)], 'ERR_ATTESTATION_SIGNATURE_LENGTH'],
    [[alg, none, payload, Uint8Array.of(...signature, 0)], 'ERR_ATTESTATION_SIGNATURE_LENGTH'],
  ]
  for (const [item, code] of refused) expect(codeOf(encode(item))).toBe(code)
  expect(codeOf(encode(new CborTag(18, new CborTag(18, message))))).not.toBe('accepted')
})
