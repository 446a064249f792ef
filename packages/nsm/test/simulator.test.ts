import { encode } from '@enclavejs/cbor'
import { afterEach, describe, expect, test } from 'vitest'
import { openNsm } from '../src/open.ts'

const SIMULATOR = Symbol.for('enclavejs.simulator')
const scope = globalThis as Record<symbol, unknown>
const absent = '/nonexistent/nsm'
const answer = encode('LockPCR')
const nsm = { request: async () => answer, requestSync: () => answer }

afterEach(() => {
  delete scope[SIMULATOR]
  delete (Object.prototype as Record<symbol, unknown>)[SIMULATOR]
})

test('a registered simulator answers where there is no device', async () => {
  const seen: Uint8Array[] = []
  const request = async (bytes: Uint8Array): Promise<Uint8Array> => {
    seen.push(bytes.slice())
    bytes.fill(0) // the caller's bytes are the caller's
    return answer
  }
  scope[SIMULATOR] = { version: 1, nsm: { ...nsm, request } }
  await using device = openNsm({ path: absent })
  expect(device.source).toBe('simulator')
  await device.lockPcr(16)
  await device.lockPcr(16)
  expect(seen[1]).toEqual(seen[0])
  expect(device.transport.requestSync?.(encode('DescribeNSM'))).toEqual(answer)
})

test('a device and a simulator together are refused', () => {
  scope[SIMULATOR] = { version: 1, nsm }
  expect(() => openNsm({ path: '/dev/null' })).toThrow(
    expect.objectContaining({ code: 'ERR_NSM_SIMULATOR_CONFLICT' }),
  )
})

test('without a device and without a simulator the error says what to do', () => {
  expect(() => openNsm({ path: absent })).toThrow(
    expect.objectContaining({
      code: 'ERR_NSM_NOT_FOUND',
      errno: 2,
      syscall: 'open',
      message: expect.stringMatching(
        /does not run in a Nitro Enclave.*--import @enclavejs\/simulator\/register/,
      ) as string,
    }),
  )
})

describe('nothing but an own property of globalThis registers a simulator', () => {
  const registration = { version: 1, nsm }

  test('not a polluted prototype', () => {
    ;(Object.prototype as Record<symbol, unknown>)[SIMULATOR] = registration
    expect(scope[SIMULATOR]).toBe(registration) // it is visible, and not honoured
    expect(() => openNsm({ path: absent })).toThrow(
      expect.objectContaining({ code: 'ERR_NSM_NOT_FOUND' }),
    )
  })

  test('not a string key, nor an environment variable', () => {
    const strings = globalThis as Record<string, unknown>
    strings['enclavejs.simulator'] = registration
    strings['Symbol(enclavejs.simulator)'] = registration
    process.env['ENCLAVEJS_SIMULATOR'] = '1'
    process.env['enclavejs.simulator'] = '1'
    try {
      expect(() => openNsm({ path: absent })).toThrow(
        expect.objectContaining({ code: 'ERR_NSM_NOT_FOUND' }),
      )
    } finally {
      delete strings['enclavejs.simulator']
      delete strings['Symbol(enclavejs.simulator)']
      delete process.env['ENCLAVEJS_SIMULATOR']
      delete process.env['enclavejs.simulator']
    }
  })

  test('not data that arrives and is parsed, merged and assigned', () => {
    const hostile =
      '{"__proto__":{"enclavejs.simulator":{"version":1}},"enclavejs.simulator":{"version":1}}'
    const parsed = JSON.parse(hostile) as Record<string, unknown>
    Object.assign({}, parsed)
    structuredClone(parsed)
    expect(() => openNsm({ path: absent })).toThrow(
      expect.objectContaining({ code: 'ERR_NSM_NOT_FOUND' }),
    )
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['another version', { version: 2, nsm }],
    ['no NSM', { version: 1 }],
    ['no requestSync', { version: 1, nsm: { request: nsm.request } }],
    ['no request', { version: 1, nsm: { requestSync: nsm.requestSync } }],
    ['an inherited NSM', Object.assign(Object.create({ nsm }) as object, { version: 1 })],
    ['inherited functions', { version: 1, nsm: Object.create(nsm) as object }],
  ])('and not %s', (_, value) => {
    scope[SIMULATOR] = value
    expect(() => openNsm({ path: absent })).toThrow(
      expect.objectContaining({ code: 'ERR_NSM_SIMULATOR_INVALID' }),
    )
  })
})
