import { webcrypto } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { RecipientKey } from '../src/recipient-key.ts'
import { RecipientSource, type RecipientSourceOptions } from '../src/recipient.ts'
import { answer, MALFORMED, source } from './recipient-keys.ts'

describe('Evidence that does not come', () => {
  const failure = new Error('no device')
  test.each<[string, Partial<RecipientSourceOptions>, RegExp]>([
    ['a rejection', { getEvidence: () => Promise.reject(failure) }, /no Evidence for/],
    [
      'a throw',
      {
        getEvidence: () => {
          throw failure
        },
      },
      /no Evidence for/,
    ],
    ['no bytes', { getEvidence: () => Promise.resolve('text' as never) }, /Uint8Array/],
    ['an empty document', { getEvidence: () => Promise.resolve(new Uint8Array(0)) }, /0 bytes/],
    [
      'a document that KMS would refuse',
      { getEvidence: () => Promise.resolve(new Uint8Array(262_145)) },
      /262145 bytes/,
    ],
    [
      'one that comes too late',
      { getEvidence: () => new Promise(() => {}), evidenceDeadlineMs: 20 },
      /within 20 ms/,
    ],
    [
      'one that fails too late',
      {
        getEvidence: () => delay(40).then(() => Promise.reject(failure)),
        evidenceDeadlineMs: 20,
      },
      /within 20 ms/,
    ],
  ])('%s', async (_, options, words) => {
    const { recipients } = source(options)
    const acquired = Promise.allSettled([recipients.acquire(), recipients.acquire()])
    for (const outcome of await acquired) {
      const { reason } = outcome as PromiseRejectedResult
      expect(reason).toMatchObject({ code: 'ERR_KMS_EVIDENCE' })
      expect((reason as Error).message).toMatch(words)
    }
    await delay(50)
  })

  test('costs no key: the one that nobody has used serves the next call', async () => {
    const made = vi.spyOn(RecipientKey, 'generate')
    const given: Uint8Array[] = []
    const { recipients } = source({
      getEvidence: ({ publicKey }) => {
        given.push(publicKey)
        return given.length > 6 ? Promise.resolve(publicKey) : Promise.reject(failure)
      },
    })
    for (let call = 0; call < 6; call++) {
      await expect(recipients.acquire()).rejects.toMatchObject({ code: 'ERR_KMS_EVIDENCE' })
    }
    const lease = await recipients.acquire()
    expect(await lease.open(answer(lease, MALFORMED))).toHaveLength(64)
    expect(made.mock.calls.length).toBeLessThanOrEqual(2)
  })

  test('keeps its cause, and the next call asks again', async () => {
    let fail = true
    const { recipients } = source({
      getEvidence: ({ publicKey }) => (fail ? Promise.reject(failure) : Promise.resolve(publicKey)),
    })
    await expect(recipients.acquire()).rejects.toMatchObject({ cause: failure })
    fail = false
    const lease = await recipients.acquire()
    expect(await lease.open(answer(lease, MALFORMED))).toHaveLength(64)
  })
})

describe('options', () => {
  const getEvidence = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(1))
  test.each<[Partial<Record<keyof RecipientSourceOptions, unknown>>, RegExp]>([
    [{ getEvidence: undefined }, /^getEvidence must be/],
    [{ singleUse: 1 }, /^singleUse must be/],
    [{ now: 5 }, /^now must be/],
    [{ maxAgeMs: '5' }, /^maxAgeMs must be a number/],
    [{ maxAgeMs: 0 }, /^maxAgeMs must be an integer from 1 to 120000/],
    [{ maxAgeMs: 120_001 }, /^maxAgeMs must be an integer from 1 to 120000/],
    [{ maxAgeMs: 1.5 }, /^maxAgeMs must be an integer/],
    [{ maxAgeMs: Number.NaN }, /^maxAgeMs must be an integer/],
    [{ maxCalls: 0 }, /^maxCalls must be an integer/],
    [{ maxCalls: 1_000_001 }, /^maxCalls must be an integer/],
    [{ modulusLength: 1024 }, /^modulusLength must be/],
    [{ evidenceDeadlineMs: 0 }, /^evidenceDeadlineMs must be an integer/],
  ])('%j', (options, words) => {
    const make = (): RecipientSource =>
      new RecipientSource({ getEvidence, ...options } as RecipientSourceOptions)
    expect(make).toThrow(words)
    expect(make).toThrow(/must be/)
    try {
      make()
    } catch (error) {
      expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
    }
  })

  test.each<[string, () => Promise<webcrypto.CryptoKey>]>([
    ['can be exported', async () => (await rsa(true)).privateKey],
    ['is public', async () => (await rsa(false)).publicKey],
    [
      'is not for OAEP',
      async () =>
        (
          await webcrypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, [
            'deriveBits',
          ])
        ).privateKey,
    ],
  ])('a key that %s', async (_, generate) => {
    const key = await generate()
    expect(() => new RecipientKey(new Uint8Array(1), key)).toThrow(/^privateKey must be/)
  })
})

function rsa(extractable: boolean): Promise<webcrypto.CryptoKeyPair> {
  const publicExponent = Uint8Array.of(1, 0, 1)
  const algorithm = { name: 'RSA-OAEP', hash: 'SHA-256', modulusLength: 2048, publicExponent }
  return webcrypto.subtle.generateKey(algorithm, extractable, ['decrypt'])
}
