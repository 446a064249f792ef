// The messages of RFC 9458 against another implementation of HPKE: each end by hand from the RFC's text, the other ours.
import { createHash, hkdfSync, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { Aes128Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core'
import { describe, expect, it } from 'vitest'
import {
  generateSealedKey,
  openRequest,
  sealedKeyId,
  sealRequest,
  splitRequest,
} from '../src/encapsulation.ts'
import { outcome } from './enclave.ts'

const suite = new CipherSuite({
  kem: new DhkemP256HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes128Gcm(),
})
const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value)
const infoOf = (header: Uint8Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.concat([text('message/bhttp request\0'), header]))

/** RFC 9458 §4.4: what a response is sealed with. */
function responseKey(
  secret: ArrayBuffer,
  enc: Uint8Array,
  nonce: Uint8Array,
): { key: Uint8Array; iv: Uint8Array } {
  const salt = Buffer.concat([enc, nonce])
  const derive = (info: string, length: number): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', new Uint8Array(secret), salt, info, length))
  return { key: derive('key', 16), iv: derive('nonce', 12) }
}

describe('a sealed request', () => {
  it('of ours is opened by another implementation, whose answer we open', async () => {
    const pair = await suite.kem.generateKeyPair()
    const spki = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey))
    const sealed = await sealRequest(spki, text('a request'))
    const header = sealed.message.subarray(0, 7)
    const id = createHash('sha256').update(spki).digest()[0]
    expect([...header]).toEqual([id, 0, 0x10, 0, 1, 0, 1])
    const enc = sealed.message.slice(7, 72)
    const recipient = await suite.createRecipientContext({
      ...{ recipientKey: pair.privateKey, enc: enc.buffer, info: infoOf(header).buffer },
    })
    const opened = await recipient.open(sealed.message.slice(72).buffer)
    expect(Buffer.from(opened).toString()).toBe('a request')
    const secret = await recipient.export(text('message/bhttp response').buffer, 16)
    const nonce = randomBytes(16)
    const { key, iv } = responseKey(secret, enc, nonce)
    const cipher = createCipheriv('aes-128-gcm', key, iv)
    const ciphertext = Buffer.concat([cipher.update('a response'), cipher.final()])
    const answer = Buffer.concat([nonce, ciphertext, cipher.getAuthTag()])
    expect(Buffer.from(await sealed.open(new Uint8Array(answer))).toString()).toBe('a response')
  })

  it('of another implementation is opened by us, and it opens our answer', async () => {
    const { pair, spki } = await generateSealedKey()
    const header = Uint8Array.of(await sealedKeyId(spki), 0, 0x10, 0, 1, 0, 1)
    const raw = spki.slice(-65)
    const recipientPublicKey = await suite.kem.deserializePublicKey(raw.buffer as ArrayBuffer)
    const sender = await suite.createSenderContext({
      ...{ recipientPublicKey, info: infoOf(header).buffer },
    })
    const ciphertext = new Uint8Array(await sender.seal(text('a request').buffer))
    const enc = new Uint8Array(sender.enc)
    const message = new Uint8Array(Buffer.concat([header, enc, ciphertext]))
    const opened = await openRequest(pair, splitRequest(message))
    expect(Buffer.from(opened.request).toString()).toBe('a request')
    const answer = await opened.seal(text('a response'))
    const secret = await sender.export(text('message/bhttp response').buffer, 16)
    const { key, iv } = responseKey(secret, enc, answer.subarray(0, 16))
    const decipher = createDecipheriv('aes-128-gcm', key, iv).setAuthTag(answer.subarray(-16))
    const plain = Buffer.concat([decipher.update(answer.subarray(16, -16)), decipher.final()])
    expect(plain.toString()).toBe('a response')
  })

  it('that another private key, or the same key without its header, cannot open', async () => {
    const { pair, spki } = await generateSealedKey()
    const { message } = await sealRequest(spki, text('a request'))
    const refused = 'ERR_ATTESTED_TLS_SEALED_REQUEST'
    const parts = splitRequest(message)
    const other = await generateSealedKey()
    expect(await outcome(() => openRequest(other.pair, parts))).toBe(refused)
    const header = parts.header.slice()
    header[0] = (header[0] as number) ^ 1
    expect(await outcome(() => openRequest(pair, { ...parts, header }))).toBe(refused)
    expect(await outcome(() => openRequest(pair, parts))).toBe('accepted')
  })

  it('has a private key that nobody can read', async () => {
    const { pair } = await generateSealedKey()
    expect(pair.privateKey.extractable).toBe(false)
  })
})
