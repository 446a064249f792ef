import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../src/base64.ts'
import { encodeBundle } from '../src/bundle.ts'
import { AcmError, decodeBundle } from '../src/index.ts'

const GOOD = {
  certificate: 'leaf',
  certificateChain: 'issuers',
  encryptedPrivateKey: 'AQID',
  encryptionMethod: 'SYMMETRIC_DEFAULT',
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const bundle = (change: Record<string, unknown> = {}): Uint8Array =>
  bytes(JSON.stringify({ ...GOOD, ...change }))

function codeOf(input: Uint8Array): string {
  try {
    decodeBundle(input)
    return 'accepted'
  } catch (error) {
    return error instanceof AcmError ? error.code : String(error)
  }
}

describe('a bundle', () => {
  it('is read as AWS writes it, and as we do', () => {
    expect(decodeBundle(bundle())).toEqual({
      ...GOOD,
      encryptedPrivateKey: Uint8Array.of(1, 2, 3),
      version: undefined,
    })
    expect(decodeBundle(bundle({ version: '7' })).version).toBe(7)
    expect(decodeBundle(bundle({ certificateChain: '' })).certificateChain).toBe('')
    expect(codeOf(bytes(`\n ${JSON.stringify(GOOD, null, 2)}\r\n\t`))).toBe('accepted')
  })

  it('comes back as it was written', () => {
    const one = { ...decodeBundle(bundle({ certificate: 'a\n"\\\u2028€' })), version: 12 }
    expect(decodeBundle(encodeBundle(one))).toEqual(one)
  })

  const json = JSON.stringify(GOOD)
  it.each<[string, Uint8Array, string]>([
    ['too large', bundle({ certificate: 'a'.repeat(65_536) }), 'ERR_ACM_BUNDLE_SIZE'],
    ['empty', new Uint8Array(), 'ERR_ACM_BUNDLE_JSON'],
    ['cut off in a text', bytes(json.slice(0, 40)), 'ERR_ACM_BUNDLE_JSON'],
    ['cut off before its end', bytes(json.slice(0, -1)), 'ERR_ACM_BUNDLE_JSON'],
    ['a list', bytes('[]'), 'ERR_ACM_BUNDLE_JSON'],
    ['with something after it', bytes(`${json} 1`), 'ERR_ACM_BUNDLE_JSON'],
    ['with a comma too many', bytes(`${json.slice(0, -1)},}`), 'ERR_ACM_BUNDLE_JSON'],
    ['with a number', bundle({ certificate: 1 }), 'ERR_ACM_BUNDLE_JSON'],
    ['with an object', bundle({ certificate: {} }), 'ERR_ACM_BUNDLE_JSON'],
    ['with null', bundle({ certificate: null }), 'ERR_ACM_BUNDLE_JSON'],
    ['with a line break in a text', bytes(json.replace('leaf', 'le\naf')), 'ERR_ACM_BUNDLE_JSON'],
    ['not UTF-8', Uint8Array.of(...bytes('{"'), 0xff, ...bytes('":""}')), 'ERR_ACM_BUNDLE_JSON'],
    ['behind a byte order mark', bytes(`\ufeff${json}`), 'ERR_ACM_BUNDLE_JSON'],
    [
      'with a member twice',
      bytes(json.replace('{', '{"certificate":"x",')),
      'ERR_ACM_BUNDLE_DUPLICATE',
    ],
    [
      'with a member twice, once escaped',
      bytes(json.replace('{', '{"\\u0063ertificate":"x",')),
      'ERR_ACM_BUNDLE_DUPLICATE',
    ],
    ['with an unknown member', bundle({ privateKey: 'x' }), 'ERR_ACM_BUNDLE_UNKNOWN'],
    ['with __proto__', bytes(json.replace('{', '{"__proto__":"x",')), 'ERR_ACM_BUNDLE_UNKNOWN'],
    ...['certificate', 'certificateChain', 'encryptedPrivateKey', 'encryptionMethod'].map(
      (name): [string, Uint8Array, string] => [
        `without ${name}`,
        bundle({ [name]: undefined }),
        'ERR_ACM_BUNDLE_MISSING',
      ],
    ),
    ['with an empty certificate', bundle({ certificate: '' }), 'ERR_ACM_BUNDLE_MISSING'],
    ['with an empty key', bundle({ encryptedPrivateKey: '' }), 'ERR_ACM_BUNDLE_MISSING'],
    ['with base64url', bundle({ encryptedPrivateKey: 'AQ-_' }), 'ERR_ACM_BUNDLE_CIPHERTEXT'],
    [
      'with base64 without padding',
      bundle({ encryptedPrivateKey: 'AQI' }),
      'ERR_ACM_BUNDLE_CIPHERTEXT',
    ],
    [
      'with base64 in lines',
      bundle({ encryptedPrivateKey: 'AQID\nAQID' }),
      'ERR_ACM_BUNDLE_CIPHERTEXT',
    ],
    [
      'with bits after the end',
      bundle({ encryptedPrivateKey: 'AQJ=' }),
      'ERR_ACM_BUNDLE_CIPHERTEXT',
    ],
    [
      'with a ciphertext beyond KMS',
      bundle({ encryptedPrivateKey: 'AAAA'.repeat(2049) }),
      'ERR_ACM_BUNDLE_CIPHERTEXT',
    ],
    ['of version 0', bundle({ version: '0' }), 'ERR_ACM_BUNDLE_VERSION'],
    ['of version 1.5', bundle({ version: '1.5' }), 'ERR_ACM_BUNDLE_VERSION'],
    [
      'of a version beyond whole numbers',
      bundle({ version: '9'.repeat(16) }),
      'ERR_ACM_BUNDLE_VERSION',
    ],
  ])('%s is refused', (_name, input, code) => {
    expect(codeOf(input)).toBe(code)
  })

  it('is refused in one line of printable characters, whatever its members are called', () => {
    const name = '\u2028\u007f\u0085\u202e\ud83d'
    for (const one of [
      bundle({ [name]: 'x' }),
      bytes(json.replace('{', `{"${name}":"","${name}":"",`)),
    ]) {
      expect(() => decodeBundle(one)).toThrow(/^[ -~]+$/)
    }
  })

  it('is refused or read, never else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
        expect(codeOf(input)).toMatch(/^(?:ERR_ACM_BUNDLE_|accepted)/)
      }),
    )
  })

  it('is none after a byte of it was changed to what is no text', () => {
    const whole = bundle()
    fc.assert(
      fc.property(fc.nat({ max: whole.length - 1 }), (at) => {
        const changed = Uint8Array.from(whole)
        changed[at] = 0x01
        expect(codeOf(changed)).toMatch(/^ERR_ACM_BUNDLE_/)
      }),
    )
  })
})

describe('base64', () => {
  it('is Node’s', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
        const ascii = encodeBase64(input)
        expect(Buffer.from(ascii).toString('latin1')).toBe(Buffer.from(input).toString('base64'))
        expect(decodeBase64(ascii)).toEqual(Uint8Array.from(input))
      }),
    )
  })

  it('has one spelling alone', () => {
    const texts = fc.string({ maxLength: 24, unit: fc.constantFrom(...'AB/+=-_9\n ') })
    fc.assert(
      fc.property(texts, (text) => {
        const read = decodeBase64(Buffer.from(text))
        const isOne = Buffer.from(text, 'base64').toString('base64') === text
        expect(read === undefined ? undefined : Buffer.from(read).toString('base64')).toBe(
          isOne ? text : undefined,
        )
      }),
    )
  })
})
