import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { AcmError } from '../src/index.ts'
import { readPem, writePem } from '../src/pem.ts'
import { readPrivateKey } from '../src/private-key.ts'

interface KeyVector {
  readonly name: string
  readonly b64: string
  readonly openssl: string | { readonly spki_sha256?: string }
  readonly in_acm_profile: boolean
}

function codeOf(bytes: Uint8Array): string {
  try {
    readPrivateKey(bytes)[Symbol.dispose]()
    return 'accepted'
  } catch (error) {
    return error instanceof AcmError ? error.code : String(error)
  }
}

const keyFile = vectors('keys/keys.json')
const armourFile = vectors('keys/pem-armour.json')

describe.skipIf(keyFile === undefined)('a key file of others', () => {
  const all =
    keyFile === undefined ? [] : (JSON.parse(readFileSync(keyFile, 'utf8')) as KeyVector[])

  it('there are 80 of, 14 for servers', () => {
    expect(all).toHaveLength(80)
    expect(all.filter((one) => one.in_acm_profile).length).toBeGreaterThan(10)
  })

  it.each(all.map((one) => [one.name, one] as const))('%s', (_name, vector) => {
    const bytes = new Uint8Array(Buffer.from(vector.b64, 'base64'))
    if (!vector.in_acm_profile) {
      expect(codeOf(bytes)).toMatch(/^ERR_ACM_KEY_(?:FORM|KIND)$/)
      return
    }
    using key = readPrivateKey(bytes)
    const spki = createPublicKey(key.keyObject).export({ format: 'der', type: 'spki' })
    const digest = createHash('sha256').update(spki).digest('hex')
    expect(digest).toBe((vector.openssl as { spki_sha256: string }).spki_sha256)
    createSecureContext({ key: Buffer.from(key.pem) })
  })
})

describe.skipIf(armourFile === undefined)('PEM armour of OpenSSL', () => {
  const all =
    armourFile === undefined
      ? []
      : (JSON.parse(readFileSync(armourFile, 'utf8')) as {
          name: string
          openssl_accepts: boolean
          text: string
        }[])

  it.each(all.map((one) => [one.name, one] as const))('%s', (_name, { text, openssl_accepts }) => {
    const blocks = readPem(Buffer.from(text, 'latin1'), 1)
    expect(blocks !== undefined).toBe(openssl_accepts)
    if (blocks !== undefined) expect(blocks.map(({ label }) => label)).toEqual(['CERTIFICATE'])
  })
})

describe('a private key', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const pem = ec.export({ type: 'pkcs8', format: 'pem' }).toString()
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

  it.each(['P-256', 'P-384', 'P-521'])('may be on %s, in PKCS #8 and SEC 1', (namedCurve) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve })
    for (const type of ['pkcs8', 'sec1'] as const) {
      expect(codeOf(privateKey.export({ type, format: 'der' }))).toBe('accepted')
      expect(codeOf(bytes(privateKey.export({ type, format: 'pem' }).toString()))).toBe('accepted')
    }
  })

  it('may stand behind its parameters', () => {
    const parameters =
      '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
    const key = ec.export({ type: 'sec1', format: 'pem' }).toString()
    expect(codeOf(bytes(parameters + key))).toBe('accepted')
  })

  const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(), 'ERR_ACM_KEY_FORM'],
    ['two keys', bytes(pem + pem), 'ERR_ACM_KEY_FORM'],
    [
      'a certificate’s label',
      bytes(pem.replaceAll('PRIVATE KEY', 'CERTIFICATE')),
      'ERR_ACM_KEY_FORM',
    ],
    ['another label', bytes(pem.replaceAll('PRIVATE KEY', 'RSA PRIVATE KEY')), 'ERR_ACM_KEY_FORM'],
    [
      'a passphrase',
      bytes(
        ec
          .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
          .toString(),
      ),
      'ERR_ACM_KEY_FORM',
    ],
    ['half of it', bytes(pem.slice(0, 100)), 'ERR_ACM_KEY_FORM'],
    ['DER of something else', Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x00), 'ERR_ACM_KEY_FORM'],
    ['RSA of 1024 bits', rsa1024.export({ type: 'pkcs8', format: 'der' }), 'ERR_ACM_KEY_KIND'],
    [
      'secp256k1',
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export({
        type: 'pkcs8',
        format: 'der',
      }),
      'ERR_ACM_KEY_KIND',
    ],
    [
      'Ed25519',
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' }),
      'ERR_ACM_KEY_KIND',
    ],
  ])('is refused: %s', (_name, input, code) => {
    expect(codeOf(input)).toBe(code)
  })

  it('is overwritten by disposing', () => {
    const key = readPrivateKey(bytes(pem))
    expect(Buffer.from(key.pem).toString()).toBe(pem)
    key[Symbol.dispose]()
    expect(key.pem.every((byte) => byte === 0)).toBe(true)
  })

  it('is written as OpenSSL writes it', () => {
    const der = ec.export({ type: 'pkcs8', format: 'der' })
    expect(Buffer.from(writePem('PRIVATE KEY', der)).toString()).toBe(pem)
  })
})
