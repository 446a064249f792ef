import { createPublicKey, type KeyObject } from 'node:crypto'
import { afterEach, expect, vi } from 'vitest'
import { KmsError, type KmsErrorCode } from '../src/error.ts'
import { RecipientKey } from '../src/recipient-key.ts'
import { RecipientSource, type RecipientSourceOptions } from '../src/recipient.ts'
import type { RecipientLease } from '../src/recipient-term.ts'
import { encryptFor, writeEnvelopedData } from './cms-writer.ts'

const open: RecipientSource[] = []
afterEach(() => {
  for (const source of open.splice(0)) source.close()
  vi.restoreAllMocks()
})

/** A source whose document is the public key that it was asked for, and what was asked. */
export function source(options: Partial<RecipientSourceOptions> = {}): {
  recipients: RecipientSource
  asked: Uint8Array[]
} {
  const asked: Uint8Array[] = []
  const recipients = new RecipientSource({
    getEvidence: ({ publicKey }) => {
      asked.push(publicKey)
      return Promise.resolve(publicKey)
    },
    ...options,
  })
  open.push(recipients)
  return { recipients, asked }
}

export function keyOf(lease: RecipientLease): KeyObject {
  return createPublicKey({ key: Buffer.from(lease.document), format: 'der', type: 'spki' })
}

/** The answer that KMS would give. */
export function answer(lease: RecipientLease, plaintext: Uint8Array): Uint8Array {
  return writeEnvelopedData(encryptFor(keyOf(lease), plaintext))
}

export async function code(call: () => unknown): Promise<KmsErrorCode> {
  try {
    await call()
  } catch (error) {
    expect(error).toBeInstanceOf(KmsError)
    return (error as KmsError).code
  }
  throw new Error('was not refused')
}

/** A promise that the test fulfils. */
export function gateway(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((fulfil) => (resolve = fulfil))
  return { promise, resolve }
}

export const MALFORMED: Uint8Array = new Uint8Array(64)

/** The keys that are made from now on: which of them stand, which are destroyed. */
export function watchKeys(): () => Promise<boolean[]> {
  const generate = vi.spyOn(RecipientKey, 'generate')
  return async () => {
    const keys = await Promise.all(
      generate.mock.results.map((result) => result.value as Promise<RecipientKey>),
    )
    return keys.map((key) => key.destroyed)
  }
}
