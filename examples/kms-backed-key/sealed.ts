// One question and its answer under one agreed secret: ECDH of P-256 between KMS's key and one that the client makes for this
// question alone, HKDF-SHA256 over both public keys, AES-256-GCM. Both ends use it; the enclave's half of ECDH is KMS's.
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { PURPOSE } from './purpose.ts'

/** SubjectPublicKeyInfo of P-256, uncompressed: always so long. */
export const KEY_LENGTH = 91
const TAG_LENGTH = 16
/** A key serves for one message, so its nonce needs no chance. */
const NONCE = new Uint8Array(12)

/** Public keys of both ends, DER SubjectPublicKeyInfo, and the agreed secret. */
export interface Agreement {
  readonly serviceKey: Uint8Array
  readonly clientKey: Uint8Array
  readonly secret: Uint8Array
}

export type Direction = 'question' | 'answer'

export function seal(
  agreement: Agreement,
  direction: Direction,
  plaintext: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', keyOf(agreement, direction), NONCE)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** @throws {Error} where it is not what the other end sealed for this direction. */
export function open(agreement: Agreement, direction: Direction, sealed: Uint8Array): Uint8Array {
  if (sealed.length < TAG_LENGTH) throw new Error('it is too short to be sealed')
  const key = keyOf(agreement, direction)
  const decipher = createDecipheriv('aes-256-gcm', key, NONCE, { authTagLength: TAG_LENGTH })
  decipher.setAuthTag(sealed.subarray(-TAG_LENGTH))
  return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_LENGTH)), decipher.final()])
}

function keyOf({ secret, serviceKey, clientKey }: Agreement, direction: Direction): Uint8Array {
  const info = Buffer.concat([Buffer.from(`${PURPOSE}:${direction}\0`), serviceKey, clientKey])
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), info, 32))
}
