import { createHash, X509Certificate } from 'node:crypto'
import { Decoder } from 'cbor-x'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createCertificateAuthority,
  createSimulatedNsm,
  type CertificateAuthority,
  type SimulatedNsm,
} from '../src/index.ts'
import { takeApart } from './real-documents.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const sha384 = (...parts: Uint8Array[]): Buffer =>
  createHash('sha384').update(Buffer.concat(parts)).digest()
const ZERO = new Uint8Array(48)
const decoder = new Decoder({ mapsAsObjects: true, useRecords: false })

const DESCRIBE_NSM = '6b44657363726962654e534d'
const GET_RANDOM = '6947657452616e646f6d'
const ATTEST =
  'a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365f66a7075626c69635f6b6579f6'
const errors = {
  InvalidArgument: 'a1654572726f726f496e76616c6964417267756d656e74',
  InvalidIndex: 'a1654572726f726c496e76616c6964496e646578',
  ReadOnlyIndex: 'a1654572726f726d526561644f6e6c79496e646578',
  InvalidOperation: 'a1654572726f7270496e76616c69644f7065726174696f6e',
  BufferTooSmall: 'a1654572726f726e427566666572546f6f536d616c6c',
  InputTooLarge: 'a1654572726f726d496e707574546f6f4c61726765',
  InternalError: 'a1654572726f726d496e7465726e616c4572726f72',
}

const uint = (value: number): string =>
  value < 24
    ? value.toString(16).padStart(2, '0')
    : value < 256
      ? `18${value.toString(16).padStart(2, '0')}`
      : `19${value.toString(16).padStart(4, '0')}`
const bstr = (data: Uint8Array): string =>
  (data.length < 24
    ? (0x40 + data.length).toString(16)
    : data.length < 256
      ? `58${data.length.toString(16).padStart(2, '0')}`
      : `59${data.length.toString(16).padStart(4, '0')}`) + hex(data)
const describePcr = (index: number): string =>
  `a16b4465736372696265504352a165696e646578${uint(index)}`
const lockPcr = (index: number): string => `a1674c6f636b504352a165696e646578${uint(index)}`
const lockPcrs = (range: number): string => `a1684c6f636b50435273a16572616e6765${uint(range)}`
const extendPcr = (index: number, data: Uint8Array): string =>
  `a169457874656e64504352a265696e646578${uint(index)}6464617461${bstr(data)}`
const attest = (userData?: Uint8Array, nonce?: Uint8Array, publicKey?: Uint8Array): string => {
  const value = (data?: Uint8Array): string => (data === undefined ? 'f6' : bstr(data))
  return `a16b4174746573746174696f6ea369757365725f64617461${value(userData)}656e6f6e6365${value(nonce)}6a7075626c69635f6b6579${value(publicKey)}`
}

const names = { instanceId: 'i-1234567890abcdef0', enclaveId: '0123456789abcdef' }
let certificateAuthority: CertificateAuthority
beforeAll(async () => {
  certificateAuthority = await createCertificateAuthority(names)
})

const ask = (nsm: SimulatedNsm, request: string): string => hex(nsm.requestSync(bytes(request)))
const pcr = (nsm: SimulatedNsm, index: number): { lock: boolean; data: string } => {
  const answer = decoder.decode(nsm.requestSync(bytes(describePcr(index)))) as {
    DescribePCR: { lock: boolean; data: Uint8Array }
  }
  return { lock: answer.DescribePCR.lock, data: hex(answer.DescribePCR.data) }
}
const document = (nsm: SimulatedNsm, request = ATTEST) => {
  const answer = decoder.decode(nsm.requestSync(bytes(request))) as {
    Attestation: { document: Uint8Array }
  }
  return takeApart('', answer.Attestation.document)
}

describe('answers, byte for byte', () => {
  it('DescribeNSM', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    expect(ask(nsm, DESCRIBE_NSM)).toBe(
      'a16b44657363726962654e534da76d76657273696f6e5f6d616a6f72016d76657273696f6e5f6d696e6f72006d76657273696f6e5f706174636800696d6f64756c655f69647827692d31323334353637383930616263646566302d656e6330313233343536373839616263646566686d61785f7063727318206b6c6f636b65645f7063727390000102030405060708090a0b0c0d0e0f6664696765737466534841333834',
    )
  })

  it('GetRandom: 256 bytes in 278, never the same', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    const [first, second] = [ask(nsm, GET_RANDOM), ask(nsm, GET_RANDOM)]
    expect(first).toMatch(/^a16947657452616e646f6da16672616e646f6d590100[0-9a-f]{512}$/)
    expect(first).not.toBe(second)
  })

  it('DescribePCR, ExtendPCR, LockPCR, LockPCRs', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    const zero = '00'.repeat(48)
    expect(ask(nsm, describePcr(5))).toBe(
      `a16b4465736372696265504352a2646c6f636bf564646174615830${zero}`,
    )
    expect(ask(nsm, describePcr(31))).toBe(
      `a16b4465736372696265504352a2646c6f636bf464646174615830${zero}`,
    )
    const once = sha384(ZERO, Uint8Array.of(1, 2, 3))
    expect(ask(nsm, extendPcr(16, Uint8Array.of(1, 2, 3)))).toBe(
      `a169457874656e64504352a164646174615830${hex(once)}`,
    )
    const twice = sha384(once, new Uint8Array())
    expect(ask(nsm, extendPcr(16, new Uint8Array()))).toBe(
      `a169457874656e64504352a164646174615830${hex(twice)}`,
    )
    expect(pcr(nsm, 16)).toEqual({ lock: false, data: hex(twice) })
    expect(ask(nsm, lockPcr(16))).toBe('674c6f636b504352')
    expect(pcr(nsm, 16)).toEqual({ lock: true, data: hex(twice) })
    expect(ask(nsm, lockPcrs(32))).toBe('684c6f636b50435273')
  })

  it('Attestation: the document in its envelope', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    expect(ask(nsm, ATTEST)).toMatch(
      /^a16b4174746573746174696f6ea168646f63756d656e7459[0-9a-f]{4}8444a1013822a059/,
    )
  })
})

describe('the state', () => {
  it('boots with PCR0 to 15 locked; 0, 1, 2 and 4 measured; the others zero', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    for (let index = 0; index < 32; index += 1) {
      const { lock, data } = pcr(nsm, index)
      expect(lock).toBe(index < 16)
      expect(data === '00'.repeat(48)).toBe(![0, 1, 2, 4].includes(index))
    }
    expect(pcr(nsm, 4).data).toBe(hex(sha384(ZERO, Buffer.from('i-1234567890abcdef0'))))
  })

  it('measures role and instance, and an image by its name', () => {
    const roleArn = 'arn:aws:iam::123456789012:role/enclave'
    const boot = (imageName: string) =>
      createSimulatedNsm({
        certificateAuthority,
        imageName,
        roleArn,
        instanceId: 'i-0fedcba9876543210',
      })
    const [one, same, other] = [boot('one'), boot('one'), boot('other')]
    expect(pcr(one, 3).data).toBe(hex(sha384(ZERO, Buffer.from(roleArn))))
    expect(pcr(one, 4).data).toBe(hex(sha384(ZERO, Buffer.from('i-0fedcba9876543210'))))
    for (const index of [0, 1, 2]) {
      expect(pcr(one, index)).toEqual(pcr(same, index))
      expect(pcr(one, index).data).not.toBe(pcr(other, index).data)
    }
    expect(new Set([0, 1, 2].map((index) => pcr(one, index).data)).size).toBe(3)
    expect(document(one).fields.get('module_id')).toBe('i-0fedcba9876543210-enc0123456789abcdef')
    expect(one.moduleId).toBe('i-0fedcba9876543210-enc0123456789abcdef')
  })

  it('zeroes PCR0, 1, 2 and 8 in debug mode, given ones too, and no others', () => {
    const pcrs = Object.fromEntries(
      Array.from({ length: 32 }, (_, index) => [index, new Uint8Array(48).fill(index + 1)]),
    )
    const nsm = createSimulatedNsm({ certificateAuthority, pcrs, debugMode: true })
    for (let index = 0; index < 32; index += 1) {
      const zero = [0, 1, 2, 8].includes(index)
      expect(pcr(nsm, index).data).toBe(hex(new Uint8Array(48).fill(zero ? 0 : index + 1)))
    }
  })

  it('is all zero and unlocked when blank, as QEMU boots it outside its enclave machine', () => {
    const nsm = createSimulatedNsm({ certificateAuthority, blank: true })
    for (let index = 0; index < 32; index += 1) {
      expect(pcr(nsm, index)).toEqual({ lock: false, data: '00'.repeat(48) })
    }
    expect(document(nsm).fields.get('pcrs')).toEqual(new Map())
    expect(ask(nsm, lockPcrs(16))).toBe('684c6f636b50435273')
    expect(document(nsm).fields.get('pcrs')).toHaveProperty('size', 16)
  })

  it('locks a range, again and again, and never unlocks', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    expect(ask(nsm, lockPcrs(0))).toBe('684c6f636b50435273')
    expect(pcr(nsm, 16).lock).toBe(false)
    for (let round = 0; round < 2; round += 1) {
      expect(ask(nsm, lockPcrs(18))).toBe('684c6f636b50435273')
    }
    expect([16, 17, 18].map((index) => pcr(nsm, index).lock)).toEqual([true, true, false])
    expect(ask(nsm, lockPcrs(3))).toBe('684c6f636b50435273')
    expect(pcr(nsm, 17).lock).toBe(true)
    const described = decoder.decode(nsm.requestSync(bytes(DESCRIBE_NSM))) as {
      DescribeNSM: { locked_pcrs: number[] }
    }
    expect(described.DescribeNSM.locked_pcrs).toEqual(Array.from({ length: 18 }, (_, i) => i))
  })

  it('belongs to one device', () => {
    const [one, other] = [0, 1].map(() => createSimulatedNsm({ certificateAuthority }))
    if (one === undefined || other === undefined) throw new Error('two were made')
    ask(one, extendPcr(20, Uint8Array.of(1)))
    expect(pcr(other, 20).data).toBe('00'.repeat(48))
    const shared = createSimulatedNsm({ certificateAuthority, sharedPcrs: one.sharedPcrs })
    expect(pcr(shared, 20)).toEqual(pcr(one, 20))
    ask(shared, lockPcr(20))
    expect(ask(one, lockPcr(20))).toBe(errors.ReadOnlyIndex)
  })
})

describe('error codes', () => {
  const device = (): SimulatedNsm => createSimulatedNsm({ certificateAuthority })

  it.each([32, 33, 255, 256, 65535])('InvalidIndex for PCR%i', (index) => {
    expect(ask(device(), describePcr(index))).toBe(errors.InvalidIndex)
    expect(ask(device(), extendPcr(index, Uint8Array.of(1)))).toBe(errors.InvalidIndex)
    expect(ask(device(), lockPcr(index))).toBe(errors.InvalidIndex)
  })

  it('InvalidIndex for a range above 32, and nothing is locked', () => {
    const nsm = device()
    expect(ask(nsm, lockPcrs(33))).toBe(errors.InvalidIndex)
    expect(ask(nsm, lockPcrs(65535))).toBe(errors.InvalidIndex)
    expect(pcr(nsm, 31).lock).toBe(false)
  })

  it('ReadOnlyIndex to extend or lock what is locked, and the value stays', () => {
    const nsm = device()
    const before = pcr(nsm, 0)
    for (let index = 0; index < 16; index += 1) {
      expect(ask(nsm, extendPcr(index, Uint8Array.of(1)))).toBe(errors.ReadOnlyIndex)
      expect(ask(nsm, lockPcr(index))).toBe(errors.ReadOnlyIndex)
    }
    expect(pcr(nsm, 0)).toEqual(before)
    ask(nsm, lockPcr(31))
    expect(ask(nsm, lockPcr(31))).toBe(errors.ReadOnlyIndex)
    expect(ask(nsm, extendPcr(31, Uint8Array.of(1)))).toBe(errors.ReadOnlyIndex)
  })

  it.each([
    ['nothing', ''],
    ['an unknown command', '6455706461'],
    ['a known command with a wrong letter', '6b44657363726962656e534d'],
    ['bytes after the request', `${DESCRIBE_NSM}00`],
    ['a command with fields as text', '674c6f636b504352'],
    ['an index that is missing', 'a1674c6f636b504352a0'],
    ['data that is missing', 'a169457874656e64504352a165696e64657810'],
    ['an index above 65535', 'a1674c6f636b504352a165696e6465781a00010000'],
    ['a negative index', 'a1674c6f636b504352a165696e64657820'],
    ['a float as index', 'a1674c6f636b504352a165696e646578f94c00'],
  ])('InvalidOperation for %s', (_name, request) => {
    expect(ask(device(), request)).toBe(errors.InvalidOperation)
  })

  it('InputTooLarge above 4096 bytes, whatever they are', () => {
    const nsm = device()
    const head = extendPcr(16, new Uint8Array(4096)).length / 2 - 4096
    expect(ask(nsm, extendPcr(16, new Uint8Array(4096 - head)))).toMatch(/^a169457874656e64504352/)
    expect(ask(nsm, extendPcr(16, new Uint8Array(4097 - head)))).toBe(errors.InputTooLarge)
    expect(ask(nsm, '00'.repeat(4097))).toBe(errors.InputTooLarge)
    expect(ask(nsm, '00'.repeat(4096))).toBe(errors.InvalidOperation)
  })

  it('BufferTooSmall when the answer is above 12288 bytes', () => {
    const nsm = createSimulatedNsm({
      certificateAuthority: {
        moduleId: certificateAuthority.moduleId,
        now: () => new Date(),
        issueLeaf: () => ({
          ...certificateAuthority.issueLeaf(),
          certificate: new Uint8Array(9000),
        }),
      },
    })
    expect(ask(nsm, attest())).toBe(errors.BufferTooSmall)
    expect(ask(nsm, DESCRIBE_NSM)).toMatch(/^a16b44/)
  })

  it('InternalError when the authority or the clock fails, and the device goes on', () => {
    const now = () => new Date(Number.NaN)
    const nsm = createSimulatedNsm({ certificateAuthority, now })
    expect(ask(nsm, ATTEST)).toBe(errors.InternalError)
    expect(ask(nsm, DESCRIBE_NSM)).toMatch(/^a16b44/)
  })

  it('InvalidArgument and InputTooLarge by the bounds of the text, only when strict', () => {
    const strict = createSimulatedNsm({ certificateAuthority, strictSizes: true })
    const [lax, of] = [device(), (length: number) => new Uint8Array(length)]
    const refused: [string, string][] = [
      [attest(of(513)), errors.InputTooLarge],
      [attest(undefined, of(513)), errors.InputTooLarge],
      [attest(undefined, undefined, of(1025)), errors.InputTooLarge],
      [attest(undefined, undefined, of(0)), errors.InvalidArgument],
    ]
    for (const [request, code] of refused) {
      expect(ask(strict, request)).toBe(code)
      expect(ask(lax, request)).toMatch(/^a16b4174746573746174696f6e/)
    }
    expect(ask(strict, attest(of(512), of(512), of(1024)))).toMatch(/^a16b4174/)
    expect(ask(strict, attest(of(0), of(0), of(1)))).toMatch(/^a16b4174/)
  })
})

describe('any bytes', () => {
  const valid = [DESCRIBE_NSM, attest(ZERO), describePcr(3), lockPcrs(16), extendPcr(20, ZERO)]

  it('get a response that is CBOR, and never an exception', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    const mutated = fc
      .tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
      .map(([request, changes]) => {
        const changed = bytes(request)
        for (const [at, value] of changes) changed[at % changed.length] = value
        return changed
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (request) => {
        const response = nsm.requestSync(request)
        expect(response.length).toBeLessThanOrEqual(0x3000)
        expect(['object', 'string']).toContain(typeof decoder.decode(response))
        expect(hex(response)).not.toBe(errors.InternalError)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('documents', () => {
  it('say what the device knows, signed by a leaf for its module id', async () => {
    const at = new Date('2026-03-01T12:00:00.123Z')
    const authority = await createCertificateAuthority({ ...names, now: () => at })
    const nsm = createSimulatedNsm({ certificateAuthority: authority })
    const fields = [Uint8Array.of(1), new Uint8Array(), new Uint8Array(1024).fill(3)] as const
    const { fields: said, path } = document(nsm, attest(...fields))
    expect(said.get('module_id')).toBe(authority.moduleId)
    expect(said.get('digest')).toBe('SHA384')
    expect(Number(said.get('timestamp'))).toBe(at.getTime())
    const saidBytes = (name: string): string => hex(said.get(name) as Uint8Array)
    expect(saidBytes('user_data')).toBe(hex(fields[0]))
    expect(said.get('nonce')).toHaveLength(0)
    expect(saidBytes('public_key')).toBe(hex(fields[2]))
    expect(hex(path[0] ?? new Uint8Array())).toBe(hex(authority.trustAnchor))
    expect(new X509Certificate(path[4] ?? '').subject).toContain(`CN=${authority.moduleId}.`)
  })

  it('contain the locked PCRs alone, in order', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    ask(nsm, extendPcr(20, Uint8Array.of(1)))
    const before = document(nsm).fields.get('pcrs') as Map<number, Uint8Array>
    expect([...before.keys()]).toEqual(Array.from({ length: 16 }, (_, index) => index))
    ask(nsm, lockPcr(20))
    const after = document(nsm).fields.get('pcrs') as Map<number, Uint8Array>
    expect([...after.keys()]).toEqual([...before.keys(), 20])
    for (const [index, value] of after) expect(hex(value)).toBe(pcr(nsm, index).data)
    ask(nsm, lockPcrs(32))
    const all = document(nsm, attest(...[0, 1, 2].map(() => new Uint8Array(1024))))
    expect(all.fields.get('pcrs')).toHaveProperty('size', 32)
  })

  it('reuse the leaf, and take either form of the map', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    const former = createSimulatedNsm({ certificateAuthority, definitePayload: true })
    const [one, two, old] = [document(nsm), document(nsm), document(former)]
    expect(one.path).toEqual(two.path)
    expect([one.payload[0], old.payload[0]]).toEqual([0xbf, 0xa9])
  })
})

describe('exchanges', () => {
  it('happen one at a time, in the order of the calls', async () => {
    const nsm = createSimulatedNsm({ certificateAuthority, delayMs: 30 })
    const order: number[] = []
    const start = performance.now()
    await Promise.all(
      [0, 1, 2, 3].map(async (index) => {
        await nsm.request(bytes(extendPcr(16, Uint8Array.of(index))))
        order.push(index)
      }),
    )
    expect(order).toEqual([0, 1, 2, 3])
    expect(performance.now() - start).toBeGreaterThanOrEqual(4 * 30 - 5)
    let expected: Uint8Array = ZERO
    for (const index of order) expected = sha384(expected, Uint8Array.of(index))
    expect(pcr(nsm, 16).data).toBe(hex(expected))
  })

  it('block the thread when synchronous, and do not wait for those that wait', async () => {
    const nsm = createSimulatedNsm({ certificateAuthority, delayMs: 40 })
    const waiting = nsm.request(bytes(DESCRIBE_NSM))
    const start = performance.now()
    expect(ask(nsm, DESCRIBE_NSM)).toMatch(/^a16b44/)
    expect(performance.now() - start).toBeGreaterThanOrEqual(35)
    expect(hex(await waiting)).toMatch(/^a16b44/)
  })

  it('see the request as it was at the call', async () => {
    const nsm = createSimulatedNsm({ certificateAuthority, delayMs: 5 })
    const request = bytes(extendPcr(16, Uint8Array.of(1)))
    const answer = nsm.request(request)
    request.fill(0)
    await answer
    expect(pcr(nsm, 16).data).toBe(hex(sha384(ZERO, Uint8Array.of(1))))
  })

  it('take a view into a larger buffer, and give memory of their own', () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    const pooled = Buffer.concat([Buffer.alloc(5), bytes(DESCRIBE_NSM), Buffer.alloc(5)])
    const answer = nsm.requestSync(pooled.subarray(5, -5))
    expect(hex(answer)).toBe(ask(nsm, DESCRIBE_NSM))
    expect(answer).not.toBeInstanceOf(Buffer)
    expect(answer.buffer.byteLength).toBe(answer.length)
  })

  it('refuse what is not bytes', async () => {
    const nsm = createSimulatedNsm({ certificateAuthority })
    expect(() => nsm.requestSync('DescribeNSM' as never)).toThrow(TypeError)
    await expect(nsm.request(undefined as never)).rejects.toThrow(TypeError)
    expect(hex(await nsm.request(bytes(DESCRIBE_NSM)))).toMatch(/^a16b44/)
  })
})

describe('options', () => {
  it.each([
    ['an index above 31', { pcrs: { 32: ZERO } }, RangeError],
    ['a PCR that is not 48 bytes', { pcrs: { 0: new Uint8Array(47) } }, TypeError],
    ['a module id of another form', { moduleId: 'i-1-enc2' }, TypeError],
    ['an instance of another form', { instanceId: 'instance' }, TypeError],
    [
      'an instance that is not that of the module',
      { instanceId: 'i-0fedcba9876543210', moduleId: 'i-1234567890abcdef0-enc0000000000000000' },
      TypeError,
    ],
    ['a delay below zero', { delayMs: -1 }, RangeError],
  ])('refuses %s', (_name, options, error) => {
    expect(() => createSimulatedNsm({ certificateAuthority, ...options })).toThrow(error)
  })
})
