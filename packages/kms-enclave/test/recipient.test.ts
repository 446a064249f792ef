import { randomBytes } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { RecipientKey } from '../src/recipient-key.ts'
import type { RecipientLease } from '../src/recipient-term.ts'
import { encryptFor, writeEnvelopedData } from './cms-writer.ts'
import { answer, code, gateway, keyOf, MALFORMED, source, watchKeys } from './recipient-keys.ts'

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

describe('a lease', () => {
  test('opens the answer to its document, with a key of the size asked for', async () => {
    for (const modulusLength of [2048, 3072] as const) {
      const { recipients } = source({ modulusLength })
      const lease = await recipients.acquire()
      expect(keyOf(lease).asymmetricKeyDetails).toMatchObject({
        modulusLength,
        publicExponent: 65_537n,
      })
      const plaintext = randomBytes(32)
      expect(equal(await lease.open(answer(lease, plaintext)), plaintext)).toBe(true)
    }
  })

  test('opens once', async () => {
    const { recipients } = source()
    const lease = await recipients.acquire()
    const message = answer(lease, randomBytes(32))
    await lease.open(message)
    expect(await code(() => lease.open(message))).toBe('ERR_KMS_RECIPIENT_DESTROYED')
    // That is no failure of the key.
    const other = await recipients.acquire()
    expect(equal(other.document, lease.document)).toBe(true)
    expect(await other.open(answer(other, MALFORMED))).toHaveLength(64)
  })

  test('opens nothing after it was released, and may be released twice', async () => {
    const { recipients } = source()
    const lease = await recipients.acquire()
    const message = answer(lease, randomBytes(32))
    lease.release()
    lease.release()
    expect(await code(() => lease.open(message))).toBe('ERR_KMS_RECIPIENT_DESTROYED')
  })

  test('is released at the end of a block', async () => {
    const { recipients } = source({ maxCalls: 1 })
    let kept
    {
      using lease = await recipients.acquire()
      kept = lease
    }
    expect(await code(() => kept.open(answer(kept, MALFORMED)))).toBe('ERR_KMS_RECIPIENT_DESTROYED')
  })

  test('the document is a copy of what getEvidence gave, and its argument one of the key', async () => {
    const given: Uint8Array[] = []
    const { recipients } = source({
      getEvidence: ({ publicKey }) => {
        given.push(publicKey, publicKey.slice())
        return Promise.resolve(given[1] as Uint8Array)
      },
    })
    const lease = await recipients.acquire()
    const message = answer(lease, randomBytes(32))
    for (const bytes of given) bytes.fill(0)
    expect(await lease.open(message)).toHaveLength(32)
  })
})

describe('a key and its document serve together', () => {
  test('for calls that come at the same time, with one question to the Attester', async () => {
    const { recipients, asked } = source()
    const leases = await Promise.all(Array.from({ length: 50 }, () => recipients.acquire()))
    expect(asked).toHaveLength(1)
    expect(new Set(leases.map((lease) => lease.document)).size).toBe(1)
    for (const lease of leases) {
      const plaintext = randomBytes(32)
      expect(equal(await lease.open(answer(lease, plaintext)), plaintext)).toBe(true)
    }
  })

  test('for maxAgeMs, counted from before the Evidence was asked for', async () => {
    let time = 1_000_000
    const { recipients, asked } = source({
      now: () => new Date(time),
      getEvidence: ({ publicKey }) => {
        asked.push(publicKey)
        time += 20_000
        return Promise.resolve(publicKey)
      },
    })
    const first = await recipients.acquire()
    time += 39_999
    expect(equal((await recipients.acquire()).document, first.document)).toBe(true)
    time += 1
    const next = await recipients.acquire()
    expect(equal(next.document, first.document)).toBe(false)
    expect(asked).toHaveLength(2)
  })

  test('for maxCalls', async () => {
    const { recipients, asked } = source({ maxCalls: 3 })
    const leases = []
    for (let call = 0; call < 7; call++) leases.push(await recipients.acquire())
    expect(asked).toHaveLength(3)
    expect(new Set(leases.map((lease) => lease.document)).size).toBe(3)
    // Every answer under way still opens.
    for (const lease of leases) expect(await lease.open(answer(lease, MALFORMED))).toHaveLength(64)
  })

  test('not when the clock was set back', async () => {
    let time = 1_000_000
    const { recipients } = source({ now: () => new Date(time) })
    const first = await recipients.acquire()
    time -= 1
    expect(equal((await recipients.acquire()).document, first.document)).toBe(false)
    expect(await code(() => first.open(answer(first, MALFORMED)))).toBe(
      'ERR_KMS_RECIPIENT_DESTROYED',
    )
  })

  test('an answer under way opens after maxAgeMs, and not after as long again', async () => {
    let time = 0
    const { recipients } = source({ now: () => new Date(time), maxAgeMs: 1000 })
    const [early, late] = [await recipients.acquire(), await recipients.acquire()]
    time = 1999
    await recipients.acquire()
    expect(await early.open(answer(early, MALFORMED))).toHaveLength(64)
    time = 2000
    expect(await code(() => late.open(answer(late, MALFORMED)))).toBe('ERR_KMS_RECIPIENT_DESTROYED')
  })

  test('and are destroyed when nobody asks any more', async () => {
    const destroyed = watchKeys()
    const { recipients } = source({ maxAgeMs: 20 })
    const lease = await recipients.acquire()
    const message = answer(lease, MALFORMED)
    // Its answer is under way: retired after 20 ms, destroyed after as long again. The key kept ready is nobody's yet.
    await vi.waitFor(
      async () => expect((await destroyed()).filter(Boolean)).toHaveLength(1),
      10_000,
    )
    expect(await code(() => lease.open(message))).toBe('ERR_KMS_RECIPIENT_DESTROYED')
  })

  test('until one of them says that KMS no longer takes the document', async () => {
    const { recipients, asked } = source()
    const [one, two] = [await recipients.acquire(), await recipients.acquire()]
    one.retire()
    one.retire()
    const three = await recipients.acquire()
    expect(asked).toHaveLength(2)
    expect(equal(three.document, two.document)).toBe(false)
    // It is ended for the one who said so; the other's answer may still come.
    expect(await code(() => one.open(answer(one, MALFORMED)))).toBe('ERR_KMS_RECIPIENT_DESTROYED')
    expect(await two.open(answer(two, MALFORMED))).toHaveLength(64)
  })

  test('one use each with singleUse', async () => {
    const { recipients, asked } = source({ singleUse: true, maxCalls: 1000 })
    const leases = await Promise.all(Array.from({ length: 4 }, () => recipients.acquire()))
    expect(asked).toHaveLength(4)
    expect(new Set(leases.map((lease) => Buffer.from(lease.document).toString('hex'))).size).toBe(4)
    for (const lease of leases) expect(await lease.open(answer(lease, MALFORMED))).toHaveLength(64)
  })

  test('with singleUse the key is gone after its answer', async () => {
    const destroyed = watchKeys()
    const { recipients } = source({ singleUse: true })
    const lease = await recipients.acquire()
    expect((await destroyed()).filter(Boolean)).toHaveLength(0)
    await lease.open(answer(lease, MALFORMED))
    expect((await destroyed()).filter(Boolean)).toHaveLength(1)
  })
})

describe('what does not open destroys the key', () => {
  test.each([
    ['malformed bytes', () => MALFORMED],
    [
      'a key for another',
      (lease: RecipientLease) => {
        const fields = encryptFor(keyOf(lease), MALFORMED)
        return writeEnvelopedData({ ...fields, encryptedKey: Buffer.alloc(256, 1) })
      },
    ],
    [
      'padding',
      (lease: RecipientLease) =>
        writeEnvelopedData(
          encryptFor(keyOf(lease), Buffer.alloc(31), { padding: Buffer.from([0x22]) }),
        ),
    ],
  ])('%s: for all who use it, and the next call gets another', async (_, forge) => {
    const { recipients, asked } = source()
    const [one, two] = [await recipients.acquire(), await recipients.acquire()]
    const genuine = answer(two, randomBytes(32))
    expect(await code(() => one.open(forge(one)))).toBe('ERR_KMS_CMS')
    expect(await code(() => two.open(genuine))).toBe('ERR_KMS_RECIPIENT_DESTROYED')
    const three = await recipients.acquire()
    expect(asked).toHaveLength(2)
    expect(equal(three.document, two.document)).toBe(false)
    expect(await three.open(answer(three, MALFORMED))).toHaveLength(64)
  })

  test('and nothing of it is kept', async () => {
    const made = vi.spyOn(RecipientKey, 'generate')
    const { recipients } = source()
    const lease = await recipients.acquire()
    expect(await code(() => lease.open(MALFORMED))).toBe('ERR_KMS_CMS')
    const keys = await Promise.all(
      made.mock.results.map((result) => result.value as Promise<RecipientKey>),
    )
    const gone = keys.find((key) => key.destroyed) as RecipientKey
    const again = vi.spyOn(gone, 'destroy')
    recipients.close()
    expect(again).not.toHaveBeenCalled()
  })

  test('an answer to another document is one of them', async () => {
    const { recipients } = source({ singleUse: true })
    const [one, two] = [await recipients.acquire(), await recipients.acquire()]
    expect(await code(() => one.open(answer(two, MALFORMED)))).toBe('ERR_KMS_CMS')
    expect(await two.open(answer(two, MALFORMED))).toHaveLength(64)
  })
})

describe('while an answer is being opened', () => {
  test('its lease opens no other, and its bytes may be overwritten', async () => {
    const { recipients } = source()
    const lease = await recipients.acquire()
    const plaintext = randomBytes(1500)
    const message = answer(lease, plaintext)
    const given = new Uint8Array(message)
    const opening = lease.open(given)
    given.fill(0)
    expect(await code(() => lease.open(message))).toBe('ERR_KMS_RECIPIENT_DESTROYED')
    expect(equal(await opening, plaintext)).toBe(true)
  })

  test('the key may be destroyed: by close', async () => {
    const { recipients } = source()
    const lease = await recipients.acquire()
    const opening = lease.open(answer(lease, randomBytes(32)))
    recipients.close()
    expect(await code(() => opening)).toBe('ERR_KMS_RECIPIENT_DESTROYED')
  })

  test.each([
    ['malformed', 'ERR_KMS_CMS', (message: Uint8Array) => message.subarray(1)],
    [
      'for no key',
      'ERR_KMS_RECIPIENT_DESTROYED',
      (message: Uint8Array) => {
        const forged = Buffer.from(message)
        const at = forged.indexOf('04820100', 'hex') + 4
        return forged.fill(1, at, at + 256)
      },
    ],
  ])('the key may be destroyed: by another answer, %s', async (_, second, forge) => {
    const { recipients } = source()
    const [one, two, three] = [
      await recipients.acquire(),
      await recipients.acquire(),
      await recipients.acquire(),
    ]
    const message = answer(one, randomBytes(32))
    const genuine = one.open(message)
    const outcomes = [code(() => genuine), code(() => two.open(forge(message)))]
    three.open(message.subarray(1)).catch(() => undefined)
    expect(await Promise.all(outcomes)).toEqual(['ERR_KMS_RECIPIENT_DESTROYED', second])
  })

  test('the event loop goes on', async () => {
    const { recipients } = source({ modulusLength: 4096 })
    const leases = await Promise.all(Array.from({ length: 30 }, () => recipients.acquire()))
    const answers = leases.map((lease) => answer(lease, MALFORMED))
    const [thread, all] = [process.threadCpuUsage(), process.cpuUsage()]
    await Promise.all(leases.map((lease, index) => lease.open(answers[index] as Uint8Array)))
    expect(process.threadCpuUsage(thread).user).toBeLessThan(process.cpuUsage(all).user / 2)
  })
})

describe('waiting', () => {
  test('with singleUse, can be given up; what comes late is destroyed', async () => {
    const gate = gateway()
    const asked = gateway()
    const destroyed = watchKeys()
    const { recipients } = source({
      singleUse: true,
      getEvidence: async ({ publicKey }) => {
        asked.resolve()
        await gate.promise
        return publicKey
      },
    })
    const controller = new AbortController()
    const given = recipients.acquire({ signal: controller.signal })
    await asked.promise
    controller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    expect((await destroyed()).filter(Boolean)).toHaveLength(0)
    gate.resolve()
    await vi.waitFor(async () => expect((await destroyed()).filter(Boolean)).toHaveLength(1))
  })

  test('can be given up; what was being made serves the next', async () => {
    const gate = gateway()
    const { recipients, asked } = source({
      getEvidence: async ({ publicKey }) => {
        asked.push(publicKey)
        await gate.promise
        return publicKey
      },
    })
    const controller = new AbortController()
    const given = recipients.acquire({ signal: controller.signal })
    const patient = recipients.acquire({ signal: new AbortController().signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(given).rejects.toBe(reason)
    gate.resolve()
    const lease = await patient
    expect(asked).toHaveLength(1)
    expect(await lease.open(answer(lease, MALFORMED))).toHaveLength(64)
    await expect(recipients.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('does not hold up the event loop', async () => {
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const { recipients } = source({ modulusLength: 4096 })
    await recipients.acquire()
    clearInterval(timer)
    expect(turns).toBeGreaterThan(5)
  })
})

describe('close', () => {
  test('refuses what comes after, what waits and what is under way', async () => {
    const gate = gateway()
    const { recipients } = source({
      maxCalls: 1,
      getEvidence: ({ publicKey }) => gate.promise.then(() => publicKey),
    })
    const first = recipients.acquire()
    gate.resolve()
    const lease = await first
    const waiting = recipients.acquire()
    recipients.close()
    recipients.close()
    expect(await code(() => waiting)).toBe('ERR_KMS_CLOSED')
    expect(await code(() => recipients.acquire())).toBe('ERR_KMS_CLOSED')
    expect(await code(() => lease.open(answer(lease, MALFORMED)))).toBe(
      'ERR_KMS_RECIPIENT_DESTROYED',
    )
  })

  test('while Evidence is asked for: the key is destroyed when it comes', async () => {
    const gate = gateway()
    const asked = gateway()
    const destroyed = watchKeys()
    const { recipients } = source({
      getEvidence: async ({ publicKey }) => {
        asked.resolve()
        await gate.promise
        return publicKey
      },
    })
    const waiting = recipients.acquire()
    await asked.promise
    recipients.close()
    gate.resolve()
    expect(await code(() => waiting)).toBe('ERR_KMS_CLOSED')
    expect(await destroyed()).toEqual([true, true])
  })

  test('happens at the end of a block', async () => {
    let kept
    {
      using recipients = source().recipients
      kept = recipients
    }
    expect(await code(() => kept.acquire())).toBe('ERR_KMS_CLOSED')
  })
})
