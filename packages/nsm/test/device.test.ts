import { encode, type CborValue } from '@enclavejs/cbor'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import type { NsmRequestEvent } from '../src/device.ts'
import { openNsm } from '../src/open.ts'
import type { NsmTransport } from '../src/transport.ts'

const record = (fields: Record<string, CborValue>): CborValue => new Map(Object.entries(fields))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const wait = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A transport that gives these answers one after the other and keeps the requests. */
function answering(...answers: CborValue[]): { transport: NsmTransport; requests: string[] } {
  const requests: string[] = []
  const transport = async (request: Uint8Array): Promise<Uint8Array> => {
    requests.push(hex(request))
    return encode(answers[Math.min(requests.length, answers.length) - 1])
  }
  return { transport, requests }
}

const random = (length: number, fill = 7): CborValue =>
  record({ GetRandom: record({ random: new Uint8Array(length).fill(fill) }) })

describe('commands', () => {
  test('each sends its request and reads its answer', async () => {
    const data = new Uint8Array(48).fill(9)
    const { transport, requests } = answering(
      record({ DescribePCR: record({ lock: false, data }) }),
      record({ ExtendPCR: record({ data }) }),
      'LockPCR',
      'LockPCRs',
      record({ Attestation: record({ document: Uint8Array.of(1) }) }),
      random(3),
    )
    await using nsm = openNsm({ transport })
    expect(nsm.source).toBe('transport')
    expect(await nsm.describePcr(3)).toEqual({ locked: false, data })
    expect(await nsm.extendPcr(16, Uint8Array.of(1, 2, 3))).toEqual(data)
    expect(await nsm.lockPcr(16)).toBeUndefined()
    expect(await nsm.lockPcrs(32)).toBeUndefined()
    expect(await nsm.attestation()).toEqual(Uint8Array.of(1))
    expect(await nsm.getRandom(2)).toEqual(Uint8Array.of(7, 7))
    expect(requests).toEqual([
      'a16b4465736372696265504352a165696e64657803',
      'a169457874656e64504352a265696e64657810646461746143010203',
      'a1674c6f636b504352a165696e64657810',
      'a1684c6f636b50435273a16572616e67651820',
      'a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365f66a7075626c69635f6b6579f6',
      '6947657452616e646f6d',
    ])
  })

  test('arguments are copied before the first await', async () => {
    const { transport, requests } = answering(
      record({ ExtendPCR: record({ data: new Uint8Array(48) }) }),
    )
    await using nsm = openNsm({ transport })
    const data = Uint8Array.of(1, 2, 3)
    const extended = nsm.extendPcr(16, data)
    data.fill(0)
    await extended
    expect(requests[0]).toMatch(/010203$/)
  })

  test('arguments out of bounds reject before anything is sent', async () => {
    const { transport, requests } = answering('LockPCR')
    await using nsm = openNsm({ transport })
    await expect(nsm.lockPcr(32)).rejects.toThrow(RangeError)
    await expect(nsm.lockPcrs(33)).rejects.toThrow(RangeError)
    await expect(nsm.extendPcr(16, new Uint8Array(4070))).rejects.toThrow(RangeError)
    await expect(nsm.attestation({ nonce: 'x' as never })).rejects.toThrow(TypeError)
    await expect(nsm.transport(new Uint8Array(4097))).rejects.toThrow(RangeError)
    await expect(nsm.transport(new Uint8Array(0))).rejects.toThrow(RangeError)
    await expect(nsm.transport('x' as never)).rejects.toThrow(TypeError)
    expect(requests).toEqual([])
    await expect(nsm.transport(new Uint8Array(4096))).resolves.toBeInstanceOf(Uint8Array)
  })
})

describe('getRandom', () => {
  test('takes as many exchanges as the answers make necessary', async () => {
    const { transport, requests } = answering(
      random(1, 1),
      random(256, 2),
      random(7, 3),
      random(256, 4),
    )
    await using nsm = openNsm({ transport })
    const bytes = await nsm.getRandom(300)
    expect([
      bytes[0],
      bytes[1],
      bytes[256],
      bytes[257],
      bytes[263],
      bytes[264],
      bytes[299],
    ]).toEqual([1, 2, 2, 3, 3, 4, 4])
    expect(requests).toHaveLength(4)
  })

  test('0 bytes take no exchange, 1 MiB takes 4096', async () => {
    const { transport, requests } = answering(random(256))
    await using nsm = openNsm({ transport })
    expect(await nsm.getRandom(0)).toHaveLength(0)
    expect(requests).toHaveLength(0)
    expect((await nsm.getRandom(0x10_0000)).every((byte) => byte === 7)).toBe(true)
    expect(requests).toHaveLength(4096)
  })

  test.each([-1, 0x10_0001, 1.5, NaN])('%d bytes are a RangeError', async (count) => {
    await using nsm = openNsm({ transport: answering(random(256)).transport })
    await expect(nsm.getRandom(count)).rejects.toThrow(
      /^count must be an integer from 0 to 1048576/,
    )
  })

  test('an answer without randomness ends the loop', async () => {
    await using nsm = openNsm({ transport: answering(random(0)).transport })
    await expect(nsm.getRandom(10)).rejects.toMatchObject({ code: 'ERR_NSM_RESPONSE' })
    await expect(nsm.getRandom('1' as never)).rejects.toThrow(
      new TypeError('count must be a number'),
    )
  })
})

describe('deadline and close', () => {
  const never: NsmTransport = () => new Promise(() => {})

  test('a call without an answer is rejected at the deadline', async () => {
    await using nsm = openNsm({ transport: never, deadline: 30 })
    const started = performance.now()
    await expect(nsm.describeNsm()).rejects.toMatchObject({ code: 'ERR_NSM_DEADLINE' })
    expect(performance.now() - started).toBeGreaterThan(28)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('an answer after the deadline, or a failure, goes nowhere', async () => {
    const answers = [
      () => encode('LockPCR'),
      () => {
        throw new Error('late')
      },
    ]
    for (const late of answers) {
      await using nsm = openNsm({ transport: () => wait(40).then(late), deadline: 10 })
      await expect(nsm.lockPcr(16)).rejects.toMatchObject({ code: 'ERR_NSM_DEADLINE' })
      await wait(50)
    }
  })

  test('close waits for calls under way, refuses others, and may be repeated', async () => {
    const nsm = openNsm({ transport: () => wait(30).then(() => encode('LockPCR')) })
    let locked = false
    const call = nsm.lockPcr(16).then(() => (locked = true))
    const closing = nsm.close()
    expect(nsm.close()).toBe(closing)
    await expect(nsm.lockPcr(17)).rejects.toMatchObject({ code: 'ERR_NSM_CLOSED' })
    await closing
    expect(locked).toBe(true)
    await call
    await nsm.close()
    await nsm[Symbol.asyncDispose]()
  })

  test('close after a stuck call resolves at its deadline', async () => {
    const nsm = openNsm({ transport: never, deadline: 30 })
    const call = nsm.describeNsm()
    const [result] = await Promise.allSettled([call, nsm.close()])
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_NSM_DEADLINE' } })
  })

  test.each([0, -1, 1.5, NaN, Infinity, 2 ** 31])(
    'a deadline of %d is a RangeError',
    (deadline) => {
      expect(() => openNsm({ transport: never, deadline })).toThrow(
        /^deadline must be an integer from 1/,
      )
    },
  )

  test('options are checked', () => {
    expect(() => openNsm({ timeout: 5 } as never)).toThrow(
      'openNsm takes path, deadline and transport, not timeout',
    )
    expect(() => openNsm({ transport: {} as never })).toThrow(
      new TypeError('transport must be a function'),
    )
    expect(() => openNsm({ path: 5 as never })).toThrow(TypeError)
    expect(() => openNsm({ path: '/dev/nsm\0' })).toThrow('path must be a string without NUL')
    expect(() => openNsm({ transport: never, deadline: '5' as never })).toThrow(TypeError)
    expect(openNsm({ transport: never, deadline: 1 }).source).toBe('transport')
    expect(openNsm({ transport: never, deadline: 2 ** 31 - 1 }).source).toBe('transport')
  })
})

describe('transport', () => {
  test('has requestSync exactly where the one below has', async () => {
    const asynchronous = openNsm({ transport: answering('LockPCR').transport })
    expect(asynchronous.transport.requestSync).toBeUndefined()
    const requestSync = (bytes: Uint8Array): Uint8Array => encode(hex(bytes))
    const { transport } = answering('LockPCR')
    const nsm = openNsm({ transport: Object.assign(transport, { requestSync }) })
    expect(nsm.transport.requestSync?.(Uint8Array.of(1))).toEqual(encode('01'))
    expect(() => nsm.transport.requestSync?.(new Uint8Array(4097))).toThrow(RangeError)
    await nsm.close()
    expect(() => nsm.transport.requestSync?.(Uint8Array.of(1))).toThrow(
      expect.objectContaining({ code: 'ERR_NSM_CLOSED' }),
    )
  })

  test('that gives no bytes is an error with a code', async () => {
    await using nsm = openNsm({ transport: async () => 'text' as never })
    await expect(nsm.describeNsm()).rejects.toMatchObject({ code: 'ERR_NSM_RESPONSE' })
  })

  test('that throws is passed on', async () => {
    const failure = new Error('no device')
    await using nsm = openNsm({
      transport: () => {
        throw failure
      },
    })
    await expect(nsm.describeNsm()).rejects.toBe(failure)
  })
})

test('the diagnostics channel tells names, sizes and durations', async () => {
  const events: NsmRequestEvent[] = []
  const listener = (message: unknown): void => void events.push(message as NsmRequestEvent)
  subscribe('enclavejs:nsm:request', listener)
  try {
    await using nsm = openNsm({ transport: answering(record({ Error: 'InvalidIndex' })).transport })
    await expect(nsm.describePcr(5)).rejects.toThrow()
    await using stuck = openNsm({ transport: () => new Promise(() => {}), deadline: 5 })
    await expect(stuck.getRandom(5)).rejects.toThrow()
  } finally {
    unsubscribe('enclavejs:nsm:request', listener)
  }
  expect(events).toEqual([
    {
      command: 'DescribePCR',
      requestBytes: 21,
      responseBytes: 20,
      duration: expect.any(Number) as number,
    },
    { command: 'GetRandom', requestBytes: 10, duration: expect.any(Number) as number },
  ])
})
