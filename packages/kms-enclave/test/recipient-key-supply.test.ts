import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { RecipientKey } from '../src/recipient-key.ts'
import { RecipientKeySupply } from '../src/recipient-key-supply.ts'
import { watchKeys } from './recipient-keys.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('keys ahead of need', () => {
  test('one is ready before it is taken, and another is made at once', async () => {
    const generate = vi.spyOn(RecipientKey, 'generate')
    const supply = new RecipientKeySupply(2048, 1)
    expect(generate).toHaveBeenCalledTimes(1)
    await generate.mock.results[0]?.value
    const key = supply.take()
    expect(generate).toHaveBeenCalledTimes(2)
    // Ready means: without waiting for the other.
    const other = generate.mock.results[1]?.value as Promise<RecipientKey>
    expect(await Promise.race([key, other.then(() => undefined)])).toBeInstanceOf(RecipientKey)
    supply.close(new Error('closed'))
    await other
  })

  test('no more than two are made at a time, and everyone who waits gets one of his own', async () => {
    let running = 0
    let most = 0
    const generate = RecipientKey.generate.bind(RecipientKey)
    vi.spyOn(RecipientKey, 'generate').mockImplementation(async (length) => {
      most = Math.max(most, ++running)
      return generate(length).finally(() => running--)
    })
    const supply = new RecipientKeySupply(2048, 3)
    const keys = await Promise.all(Array.from({ length: 6 }, () => supply.take()))
    expect(new Set(keys).size).toBe(6)
    expect(most).toBe(2)
    supply.close(new Error('closed'))
  })

  test('a failure reaches one who waits, and is tried again for the next', async () => {
    const failure = new Error('no entropy')
    vi.spyOn(RecipientKey, 'generate').mockRejectedValueOnce(failure)
    const supply = new RecipientKeySupply(2048, 1)
    const [first, second] = await Promise.allSettled([supply.take(), supply.take()])
    expect(first).toMatchObject({ status: 'rejected', reason: failure })
    expect(second.status).toBe('fulfilled')
    supply.close(new Error('closed'))
  })

  test('a failure that nobody waits for does no harm', async () => {
    vi.spyOn(RecipientKey, 'generate').mockRejectedValueOnce(new Error('no entropy'))
    const supply = new RecipientKeySupply(2048, 1)
    await delay(5)
    expect(await supply.take()).toBeInstanceOf(RecipientKey)
    supply.close(new Error('closed'))
  })

  test('close refuses those who wait, and destroys what comes late', async () => {
    const destroyed = watchKeys()
    const supply = new RecipientKeySupply(2048, 1)
    const waiting = supply.take()
    const reason = new Error('closed')
    supply.close(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(supply.take()).rejects.toBe(reason)
    expect(await destroyed()).toEqual([true, true])
  })

  test('close destroys what is ready', async () => {
    const destroyed = watchKeys()
    const supply = new RecipientKeySupply(2048, 1)
    expect(await destroyed()).toEqual([false])
    supply.close(new Error('closed'))
    expect(await destroyed()).toEqual([true])
  })
})
