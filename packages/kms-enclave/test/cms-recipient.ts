import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { expect } from 'vitest'
import { nodeCrypto, type EnvelopeCrypto, type EnvelopeRecipient } from '../src/cms/open.ts'
import { KmsError } from '../src/error.ts'

/** Whoever holds a private key. */
export function recipient(privateKey: KeyObject): EnvelopeRecipient {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return {
    privateKey: privateKey.toCryptoKey({ name: 'RSA-OAEP', hash: 'SHA-256' }, false, ['decrypt']),
    subjectKeyIdentifier: createHash('sha256').update(spki).digest(),
    modulusBytes: (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8,
  }
}

/** The error that a call throws or rejects with, which must be of this package. */
export async function refusal(call: () => unknown): Promise<KmsError> {
  try {
    await call()
  } catch (error) {
    expect(error).toBeInstanceOf(KmsError)
    expect((error as KmsError).code).toBe('ERR_KMS_CMS')
    return error as KmsError
  }
  throw new Error('was not refused')
}

export function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}

/** Operations, and how often each was called. */
export function counting(): {
  crypto: EnvelopeCrypto
  counts: Record<keyof EnvelopeCrypto, number>
  given: Uint8Array[]
} {
  const counts = { decryptKey: 0, decryptContent: 0, randomKey: 0 }
  const given: Uint8Array[] = []
  const keep = <T extends Uint8Array>(bytes: T): T => {
    given.push(bytes)
    return bytes
  }
  const crypto: EnvelopeCrypto = {
    async decryptKey(...all) {
      counts.decryptKey++
      return keep(await nodeCrypto.decryptKey(...all))
    },
    decryptContent(...all) {
      counts.decryptContent++
      return keep(nodeCrypto.decryptContent(...all))
    },
    randomKey(...all) {
      counts.randomKey++
      return keep(nodeCrypto.randomKey(...all))
    },
  }
  return { crypto, counts, given }
}
