import { encode, CborTag, type CborValue } from '@enclavejs/cbor'
import { describe, expect, test } from 'vitest'
import { NsmError } from '../src/error.ts'
import { assertPlatform, checkPlatform, type PlatformOptions } from '../src/platform.ts'

const noon = Date.UTC(2026, 2, 1, 12)
const files: Record<string, string> = {
  '/sys/devices/virtual/misc/hw_random/rng_current': 'nsm-hwrng\n',
  '/sys/devices/system/clocksource/clocksource0/current_clocksource': 'kvm-clock\n',
}

function document(timestamp: CborValue, tagged = false): Uint8Array {
  const payload = encode(
    new Map<string, CborValue>([
      ['digest', 'SHA384'],
      ['timestamp', timestamp],
    ]),
  )
  const sign1 = [Uint8Array.of(0xa0), new Map(), payload, new Uint8Array(96)]
  return encode(tagged ? new CborTag(18, sign1) : sign1)
}

interface Enclave {
  readonly lockedPcrs?: readonly number[]
  readonly digest?: string
  readonly maxPcrs?: number
  readonly pcr0?: Uint8Array
  readonly document?: Uint8Array
  readonly source?: 'device' | 'simulator' | 'transport'
}

/** An enclave in good order, but for what is given. */
function enclave(given: Enclave = {}) {
  return {
    source: given.source ?? ('device' as const),
    describeNsm: async () => ({
      versionMajor: 1,
      versionMinor: 0,
      versionPatch: 0,
      moduleId: 'i-0',
      maxPcrs: given.maxPcrs ?? 32,
      lockedPcrs: given.lockedPcrs ?? Array.from({ length: 16 }, (_, index) => index),
      digest: given.digest ?? 'SHA384',
    }),
    describePcr: async () => ({ locked: true, data: given.pcr0 ?? new Uint8Array(48).fill(1) }),
    attestation: async () => given.document ?? document(noon),
  }
}

function surroundings(changes: Record<string, string | undefined> = {}): PlatformOptions {
  const all: Record<string, string | undefined> = { ...files, ...changes }
  return {
    clocksource: 'kvm-clock',
    now: () => new Date(noon),
    readText: async (path) => {
      const text = all[path]
      if (text === undefined) throw new Error('ENOENT')
      return text
    },
  }
}

const [rng = '', clocksource = ''] = Object.keys(files)
const sixteen = Array.from({ length: 16 }, (_, index) => index)

test('an enclave in good order passes all six', async () => {
  const report = await assertPlatform(enclave(), surroundings())
  expect(report.checks.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'nsm passed',
    'pcrs passed',
    'debug-mode passed',
    'entropy passed',
    'clocksource passed',
    'clock passed',
  ])
  expect(report).toMatchObject({ failures: [], clockOffset: 0, nsm: { moduleId: 'i-0' } })
})

describe('one thing out of order fails its own check and no other', () => {
  test.each<[string, string, Enclave, PlatformOptions]>([
    ['another digest', 'nsm', { digest: 'SHA512' }, surroundings()],
    ['another number of PCRs', 'nsm', { maxPcrs: 64 }, surroundings()],
    ['PCR15 unlocked', 'pcrs', { lockedPcrs: sixteen.slice(0, 15) }, surroundings()],
    ['no PCR locked', 'pcrs', { lockedPcrs: [] }, surroundings()],
    ['PCR0 zero', 'debug-mode', { pcr0: new Uint8Array(48) }, surroundings()],
    ['another source of randomness', 'entropy', {}, surroundings({ [rng]: 'virtio_rng.0\n' })],
    ['no source of randomness', 'entropy', {}, surroundings({ [rng]: '\n' })],
    ['no such file', 'entropy', {}, surroundings({ [rng]: undefined })],
    ['a name that only begins right', 'entropy', {}, surroundings({ [rng]: 'nsm-hwrng2\n' })],
    ['another clock source', 'clocksource', {}, surroundings({ [clocksource]: 'tsc\n' })],
    ['no readable clock source', 'clocksource', {}, surroundings({ [clocksource]: undefined })],
    ['a clock 5001 ms ahead', 'clock', { document: document(noon - 5001) }, surroundings()],
    ['a clock 5001 ms behind', 'clock', { document: document(noon + 5001) }, surroundings()],
  ])('%s', async (_, name, given, options) => {
    const report = await checkPlatform(enclave(given), options)
    expect(report.failures.map((failure) => failure.name)).toEqual([name])
    const error: unknown = await assertPlatform(enclave(given), options).catch(
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(NsmError)
    expect(error).toMatchObject({ code: 'ERR_NSM_PLATFORM', name: 'NsmPlatformError', report })
    expect((error as Error).message).toContain(report.failures[0]?.fix)
  })
})

describe('options', () => {
  test.each([5000, -5000])('a clock %d ms away passes', async (offset) => {
    const report = await assertPlatform(
      enclave({ document: document(noon - offset) }),
      surroundings(),
    )
    expect(report.clockOffset).toBe(offset)
    const strict = await checkPlatform(enclave({ document: document(noon - offset) }), {
      ...surroundings(),
      maxClockOffset: 4999,
    })
    expect(strict.failures.map(({ name }) => name)).toEqual(['clock'])
  })

  test('the time that the exchange itself took counts as no offset', async () => {
    const times = [noon - 300, noon + 900]
    const report = await checkPlatform(enclave(), {
      ...surroundings(),
      now: () => new Date(times.shift() ?? noon),
    })
    expect(report.clockOffset).toBe(0)
  })

  test('debug mode passes where it is allowed', async () => {
    const debug = enclave({ pcr0: new Uint8Array(48) })
    const report = await assertPlatform(debug, { ...surroundings(), allowDebugMode: true })
    expect(report.checks[2]).toMatchObject({
      name: 'debug-mode',
      actual: 'debug mode (PCR0 is zero)',
    })
  })

  test('several clock sources may be right', async () => {
    const tsc = surroundings({ [clocksource]: 'tsc\n' })
    await assertPlatform(enclave(), { ...tsc, clocksource: ['kvm-clock', 'tsc'] })
  })

  test('the second place of rng_current is read where the first is absent', async () => {
    const moved = { [rng]: undefined, '/sys/class/misc/hw_random/rng_current': 'nsm-hwrng' }
    await assertPlatform(enclave(), surroundings(moved))
  })

  test('with a simulator the checks of the kernel are skipped, and say so', async () => {
    const simulated = enclave({ source: 'simulator' })
    const report = await assertPlatform(
      simulated,
      surroundings({ [rng]: 'tpm', [clocksource]: 'hpet' }),
    )
    expect(
      report.checks.filter(({ status }) => status === 'skipped').map(({ name }) => name),
    ).toEqual(['entropy', 'clocksource'])
    const debug = enclave({ source: 'simulator', pcr0: new Uint8Array(48) })
    await expect(assertPlatform(debug, surroundings())).rejects.toThrow('debug-mode')
  })

  test('maxClockOffset must be a number from 0', async () => {
    for (const maxClockOffset of [-1, NaN]) {
      await expect(checkPlatform(enclave(), { maxClockOffset })).rejects.toThrow(RangeError)
    }
  })

  test('by default the files of this machine are read', async () => {
    const report = await checkPlatform(enclave({ document: document(Date.now()) }))
    expect(report.checks.find(({ name }) => name === 'clock')?.status).toBe('passed')
    expect(report.failures.map(({ name }) => name)).toContain('entropy')
  })
})

describe('the document', () => {
  test('may carry tag 18 and a payload of indefinite length', async () => {
    await assertPlatform(enclave({ document: document(noon, true) }), surroundings())
    const payload = Uint8Array.of(0xbf, ...encode('timestamp'), ...encode(noon), 0xff)
    const sign1 = encode([Uint8Array.of(0xa0), new Map(), payload, new Uint8Array(96)])
    await assertPlatform(enclave({ document: sign1 }), surroundings())
  })

  test.each<[string, Uint8Array]>([
    ['without timestamp', encode([0, 0, encode(new Map([['a', 1]])), 0])],
    ['with a timestamp of 0', document(0)],
    ['with a timestamp as text', document('noon')],
    ['that is no CBOR', Uint8Array.of(0xff)],
    ['that is no array', encode('text')],
    ['with a payload that is no CBOR', encode([0, 0, Uint8Array.of(0xff), 0])],
    ['with a payload that is no map', encode([0, 0, encode([1]), 0])],
  ])('%s is an error', async (_, bytes) => {
    await expect(checkPlatform(enclave({ document: bytes }), surroundings())).rejects.toMatchObject(
      {
        code: 'ERR_NSM_RESPONSE',
      },
    )
  })
})
