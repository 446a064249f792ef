import { readdirSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, test } from 'vitest'
import type { NsmBinding } from '../src/binding.ts'
import { NsmDevice } from '../src/device.ts'
import { openTransport } from '../src/transport.ts'
import { buildFake, loadAddon } from './native/build.ts'

const fake = buildFake()
const { errno } = constants
const random = Uint8Array.from(Buffer.from('6947657452616e646f6d', 'hex'))
const rejected = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'nothing was thrown',
    (error: unknown) => error,
  )

describe.skipIf(fake.file === undefined)(`the addon on a fake device (${fake.output})`, () => {
  const binding: NsmBinding = fake.file === undefined ? (undefined as never) : loadAddon(fake.file)
  const open = (behaviour: string, deadline = 5000): NsmDevice => {
    const transport = openTransport(binding, `fake:${behaviour}`, deadline)
    return new NsmDevice('device', transport, deadline, transport.close)
  }
  const descriptors = (): number => readdirSync('/proc/self/fd').length

  test('every command', async () => {
    await using nsm = open('instant')
    const pcr = new Uint8Array(48).fill(0x11)
    expect(await nsm.describeNsm()).toEqual({
      versionMajor: 1,
      versionMinor: 2,
      versionPatch: 3,
      moduleId: 'i-1234567890abcdef0-enc0123456789abcdef',
      maxPcrs: 32,
      lockedPcrs: [0, 1, 2],
      digest: 'SHA384',
    })
    expect(await nsm.describePcr(0)).toEqual({ locked: true, data: pcr })
    expect(await nsm.extendPcr(16, new Uint8Array(4069))).toEqual(pcr)
    expect(await nsm.lockPcr(16)).toBeUndefined()
    expect(await nsm.lockPcrs(32)).toBeUndefined()
    expect(await nsm.getRandom(1000)).toEqual(new Uint8Array(1000).fill(0x5a))
    expect(await nsm.attestation({ nonce: pcr })).toEqual(new Uint8Array(4500).fill(0x84))
    expect(nsm.transport.requestSync?.(random)).toHaveLength(278)
  })

  test.each([
    'InvalidArgument',
    'InvalidIndex',
    'InvalidResponse',
    'ReadOnlyIndex',
    'InvalidOperation',
    'BufferTooSmall',
    'InputTooLarge',
    'InternalError',
    'NotYetInvented',
  ])('the refusal %s', async (nsmCode) => {
    await using nsm = open(`error=${nsmCode}`)
    const calls = [
      nsm.describeNsm(),
      nsm.describePcr(0),
      nsm.extendPcr(16, random),
      nsm.lockPcr(16),
      nsm.lockPcrs(1),
      nsm.getRandom(1),
      nsm.attestation(),
    ]
    for (const call of calls)
      expect(await rejected(call)).toMatchObject({ name: 'NsmError', nsmCode })
  })

  test.each([
    ['truncated', 'ERR_NSM_TRUNCATED'],
    ['oversized', 'ERR_NSM_RESPONSE'],
    ['malformed', 'ERR_NSM_RESPONSE'],
    ['empty', 'ERR_NSM_RESPONSE'],
    ['trailing', 'ERR_NSM_RESPONSE'],
    ['wrong-type', 'ERR_NSM_RESPONSE'],
  ])('an answer that is %s', async (behaviour, code) => {
    await using nsm = open(behaviour)
    expect(await rejected(nsm.attestation())).toMatchObject({ code })
    expect(await rejected(nsm.describePcr(1))).toMatchObject({ code })
    if (behaviour === 'oversized') {
      expect(() => nsm.transport.requestSync?.(random)).toThrow(expect.objectContaining({ code }))
    }
  })

  test.each([
    'EMSGSIZE',
    'EINVAL',
    'EFAULT',
    'EIO',
    'ETIMEDOUT',
    'ENODATA',
    'ENOTTY',
    'ENOSPC',
  ] as const)('the driver fails with %s', async (name) => {
    await using nsm = open(`errno=${errno[name]}`)
    const expected = { code: 'ERR_NSM_IOCTL', errno: errno[name], syscall: 'ioctl' }
    const error = (await rejected(nsm.describeNsm())) as Error
    expect(error).toMatchObject(expected)
    expect(error.message).toContain(`(${name})`)
    expect(() => nsm.transport.requestSync?.(random)).toThrow(expect.objectContaining(expected))
  })

  test('an errno without a name is still an error', async () => {
    await using nsm = open('errno=4000')
    expect(await rejected(nsm.describeNsm())).toMatchObject({ code: 'ERR_NSM_IOCTL', errno: 4000 })
  })

  test('EINTR is retried', async () => {
    await using nsm = open('eintr=50')
    expect(await nsm.getRandom(1)).toEqual(Uint8Array.of(0x5a))
    await using again = open('eintr=50')
    expect(again.transport.requestSync?.(random)).toHaveLength(278)
  })

  test('randomness of any length, and none', async () => {
    for (const length of [1, 255, 256, 12000]) {
      await using nsm = open(`random=${length}`)
      expect(await nsm.getRandom(257)).toEqual(new Uint8Array(257).fill(0x5a))
    }
    await using nsm = open('random=0')
    expect(await rejected(nsm.getRandom(1))).toMatchObject({ code: 'ERR_NSM_RESPONSE' })
  })

  test('bounds of a raw request', async () => {
    await using nsm = open('instant')
    const lengths = [0, 1, 4096, 4097]
    const results = await Promise.all(
      lengths.map((length) => rejected(nsm.transport(new Uint8Array(length)))),
    )
    expect(results.map((result) => result instanceof RangeError)).toEqual([
      true,
      false,
      false,
      true,
    ])
    for (const length of [0, 4097]) {
      expect(() => nsm.transport.requestSync?.(new Uint8Array(length))).toThrow(RangeError)
    }
  })

  test.each<[string, string, number]>([
    ['fake:open=13', 'ERR_NSM_ACCESS', errno.EACCES],
    ['fake:unknown', 'ERR_NSM_OPEN', errno.EINVAL],
    ['/dev/nsm', 'ERR_NSM_NOT_FOUND', errno.ENOENT],
  ])('open of %s fails with %s', (path, code, number) => {
    expect(() => openTransport(binding, path, 1000)).toThrow(
      expect.objectContaining({ code, errno: number, syscall: 'open' }),
    )
  })

  test('the deadline rejects while the call goes on, and the event loop stays free', async () => {
    const before = descriptors()
    const nsm = open('slow=2000', 100)
    let ticks = 0
    const ticking = setInterval(() => ticks++, 5)
    const started = performance.now()
    expect(await rejected(nsm.getRandom(1))).toMatchObject({ code: 'ERR_NSM_DEADLINE' })
    const took = performance.now() - started
    expect(took).toBeLessThan(1900)
    clearInterval(ticking)
    expect(ticks).toBeGreaterThan(3)
    await nsm.close()
    expect(descriptors()).toBe(before + 1) // the running call still has it
    await expect.poll(descriptors, { timeout: 10_000 }).toBe(before)
  })

  test('a call that could not begin before the deadline is not sent', async () => {
    const nsm = open('slow=600', 300)
    const results = await Promise.all([rejected(nsm.getRandom(1)), rejected(nsm.getRandom(1))])
    for (const result of results) expect(result).toMatchObject({ code: 'ERR_NSM_DEADLINE' })
    const transport = openTransport(binding, 'fake:slow=600', 300)
    const raw = await Promise.allSettled([transport(random), transport(random)])
    expect(raw[0]).toMatchObject({ status: 'fulfilled' }) // below the deadline of the device
    expect(raw[1]).toMatchObject({ status: 'rejected', reason: { code: 'ERR_NSM_DEADLINE' } })
    expect(String((raw[1] as PromiseRejectedResult).reason)).toContain('was not sent')
    transport.close()
    await nsm.close()
  })

  test('close during a call lets it end and keeps its descriptor', async () => {
    const before = descriptors()
    const nsm = open('slow=100') // answers EBADF if the descriptor is closed under it
    const call = nsm.getRandom(4)
    const queued = nsm.getRandom(4)
    const closing = nsm.close()
    await expect(nsm.getRandom(4)).rejects.toMatchObject({ code: 'ERR_NSM_CLOSED' })
    expect(() => nsm.transport.requestSync?.(random)).toThrow(
      expect.objectContaining({ code: 'ERR_NSM_CLOSED' }),
    )
    expect(await call).toHaveLength(4)
    expect(await queued).toHaveLength(4)
    await closing
    await expect.poll(descriptors, { timeout: 10_000 }).toBe(before)
  })

  test('close frees the descriptor at once when nothing runs, and may be repeated', async () => {
    const before = descriptors()
    const nsm = open('instant')
    expect(descriptors()).toBe(before + 1)
    await nsm.getRandom(1)
    await nsm.close()
    expect(descriptors()).toBe(before)
    // A second close must not close what has the number now.
    const other = open('instant')
    await nsm.close()
    await nsm.close()
    expect(await other.getRandom(1)).toHaveLength(1)
    await other.close()
  })

  test('1024 calls may wait, the next is refused, and all are answered', async () => {
    await using nsm = open('slow-first=300')
    const first = Promise.all(Array.from({ length: 1024 }, () => nsm.transport(random)))
    const refused = await rejected(nsm.transport(random))
    expect(refused).toMatchObject({ code: 'ERR_NSM_BUSY', errno: errno.EBUSY })
    expect(await first).toHaveLength(1024)
  })

  test('answers come to those who asked, in order', async () => {
    await using nsm = open('instant')
    const sizes = [1, 300, 5, 0, 4000, 256]
    const given = await Promise.all(sizes.map((size) => nsm.getRandom(size)))
    expect(given.map((bytes) => bytes.length)).toEqual(sizes)
    const mixed = await Promise.all([nsm.describePcr(1), nsm.lockPcr(2), nsm.attestation()])
    expect(mixed.map((result) => typeof result)).toEqual(['object', 'undefined', 'object'])
  })

  test('the interface of the addon refuses what is not for it', () => {
    const untyped = binding as unknown as Record<string, (...values: unknown[]) => unknown>
    const handle = untyped['open']?.('fake:instant', () => {})
    const calls: [string, unknown[]][] = [
      ['open', []],
      ['open', [5, () => {}]],
      ['open', ['x'.repeat(5000), () => {}]],
      ['open', ['fake:instant', 5]],
      ['submit', [handle, 1, random]],
      ['submit', [{}, 1, random, 5]],
      ['submit', [null, 1, random, 5]],
      ['submit', [handle, 'x', random, 5]],
      ['submit', [handle, 1, 'x', 5]],
      ['submit', [handle, 1, new Uint16Array(4), 5]],
      ['submit', [handle, 1, new Uint8Array(0), 5]],
      ['submit', [handle, 1, new Uint8Array(4097), 5]],
      ['submit', [handle, 1, random, -1]],
      ['submit', [handle, 1, random, 2 ** 31]],
      ['requestSync', [handle]],
      ['requestSync', [handle, new Uint8Array(4097)]],
      ['requestSync', [process, random]],
      ['close', []],
      ['close', [5]],
      ['addEntropy', ['fake:errno=0', new Uint8Array(0)]],
      ['addEntropy', ['fake:errno=0', new Uint8Array(4097)]],
      ['addEntropy', [5, random]],
    ]
    for (const [name, values] of calls) {
      expect(() => untyped[name]?.(...values), `${name}(${values.length} values)`).toThrow()
    }
    binding.close(handle as never)
    binding.close(handle as never)
    expect(binding.requestSync(handle as never, random)).toBe(errno.EBADF)
    expect(binding.submit(handle as never, 1, random, 100)).toBe(errno.EBADF)
    expect(binding.addEntropy('fake:errno=1', random)).toBe(1)
    expect(binding.addEntropy('fake:errno=0', random)).toBe(0)
  })

  test('a request in shared memory is copied', async () => {
    await using nsm = open('instant')
    const shared = new Uint8Array(new SharedArrayBuffer(random.length))
    shared.set(random)
    const answer = nsm.transport(shared)
    shared.fill(0)
    expect(await answer).toHaveLength(278)
  })
})

test.skipIf(process.platform !== 'linux')('a file that is no NSM explains itself', async () => {
  const { openNsm } = await import('../src/open.ts')
  await using nsm = openNsm({ path: '/dev/null' })
  const error = (await rejected(nsm.describeNsm())) as Error
  expect(error).toMatchObject({ code: 'ERR_NSM_IOCTL', errno: errno.ENOTTY })
  expect(error.message).toContain('is not an NSM device')
})
