import { encode, type CborValue } from '@enclavejs/cbor'
import { describe, expect, test } from 'vitest'
import type { NsmErrorCode } from '../src/error.ts'
import { NsmError } from '../src/error.ts'
import { readBytes, readDescription, readEmpty, readPcr } from '../src/response.ts'

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
const record = (fields: Record<string, CborValue>): CborValue => new Map(Object.entries(fields))
const pcr = '1f'.repeat(48)

function failure(run: () => unknown): NsmError {
  try {
    run()
  } catch (error) {
    if (error instanceof NsmError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('the answers of aws-nitro-enclaves-nsm-api 0.5.1', () => {
  test('DescribeNSM', () => {
    const answer = bytes(
      'a16b44657363726962654e534da76d76657273696f6e5f6d616a6f72016d76657273696f6e5f6d696e6f72006d76657273696f6e5f706174636800696d6f64756c655f69647827692d31323334353637383930616263646566302d656e6330313233343536373839616263646566686d61785f7063727318206b6c6f636b65645f7063727390000102030405060708090a0b0c0d0e0f6664696765737466534841333834',
    )
    expect(readDescription(answer)).toEqual({
      versionMajor: 1,
      versionMinor: 0,
      versionPatch: 0,
      moduleId: 'i-1234567890abcdef0-enc0123456789abcdef',
      maxPcrs: 32,
      lockedPcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
      digest: 'SHA384',
    })
  })

  test('DescribePCR, in either order and with maps of indefinite length', () => {
    const expected = { locked: true, data: bytes(pcr) }
    const lock = '646c6f636bf5'
    const data = `64646174615830${pcr}`
    for (const fields of [`a2${lock}${data}`, `a2${data}${lock}`, `bf${lock}${data}ff`]) {
      expect(readPcr(bytes(`a16b4465736372696265504352${fields}`))).toEqual(expected)
      expect(readPcr(bytes(`bf6b4465736372696265504352${fields}ff`))).toEqual(expected)
    }
  })

  test('ExtendPCR, GetRandom and Attestation', () => {
    expect(
      readBytes('ExtendPCR', 'data', bytes(`a169457874656e64504352a164646174615830${pcr}`)),
    ).toEqual(bytes(pcr))
    const random = bytes(`a16947657452616e646f6da16672616e646f6d590100${'5a'.repeat(256)}`)
    expect(readBytes('GetRandom', 'random', random)).toEqual(new Uint8Array(256).fill(0x5a))
    const document = bytes('a16b4174746573746174696f6ea168646f63756d656e744484010203')
    expect(readBytes('Attestation', 'document', document)).toEqual(bytes('84010203'))
  })

  test('LockPCR and LockPCRs', () => {
    readEmpty('LockPCR', bytes('674c6f636b504352'))
    readEmpty('LockPCR', bytes('a1674c6f636b504352f6'))
    readEmpty('LockPCRs', bytes('684c6f636b50435273'))
  })

  test('what is returned does not share memory with the response', () => {
    const response = bytes(`a169457874656e64504352a164646174615830${pcr}`)
    const data = readBytes('ExtendPCR', 'data', response)
    response.fill(0)
    expect(data).toEqual(bytes(pcr))
    expect(data.buffer.byteLength).toBe(48)
  })
})

describe('refusals', () => {
  test.each<[string, NsmErrorCode, string]>([
    [
      'InvalidArgument',
      'ERR_NSM_INVALID_ARGUMENT',
      'a1654572726f726f496e76616c6964417267756d656e74',
    ],
    ['InvalidIndex', 'ERR_NSM_INVALID_INDEX', 'a1654572726f726c496e76616c6964496e646578'],
    [
      'InvalidResponse',
      'ERR_NSM_INVALID_RESPONSE',
      'a1654572726f726f496e76616c6964526573706f6e7365',
    ],
    ['ReadOnlyIndex', 'ERR_NSM_READ_ONLY_INDEX', 'a1654572726f726d526561644f6e6c79496e646578'],
    [
      'InvalidOperation',
      'ERR_NSM_INVALID_OPERATION',
      'a1654572726f7270496e76616c69644f7065726174696f6e',
    ],
    ['BufferTooSmall', 'ERR_NSM_BUFFER_TOO_SMALL', 'a1654572726f726e427566666572546f6f536d616c6c'],
    ['InputTooLarge', 'ERR_NSM_INPUT_TOO_LARGE', 'a1654572726f726d496e707574546f6f4c61726765'],
    ['InternalError', 'ERR_NSM_INTERNAL_ERROR', 'a1654572726f726d496e7465726e616c4572726f72'],
    ['Success', 'ERR_NSM_UNKNOWN_ERROR', 'a1654572726f726753756363657373'],
    ['toString', 'ERR_NSM_UNKNOWN_ERROR', 'a1654572726f7268746f537472696e67'],
  ])('%s', (name, code, hex) => {
    for (const read of [readPcr, readDescription]) {
      const error = failure(() => read(bytes(hex)))
      expect(error).toMatchObject({ code, nsmCode: name })
      expect(error.message).toContain(`(${name})`.slice(1, -1))
    }
  })

  test('a name with control characters does not reach the message', () => {
    const error = failure(() => readPcr(encode(record({ Error: '\u001b[2J' }))))
    expect(error).toMatchObject({ code: 'ERR_NSM_UNKNOWN_ERROR', nsmCode: '\u001b[2J' })
    expect(error.message).not.toContain('\u001b')
  })
})

describe('what is no answer', () => {
  const description = {
    version_major: 1,
    version_minor: 0,
    version_patch: 0,
    module_id: 'i-0',
    max_pcrs: 32,
    locked_pcrs: [0],
    digest: 'SHA384',
  }
  const without = (name: string): CborValue =>
    record(Object.fromEntries(Object.entries(description).filter(([key]) => key !== name)))

  test.each<[string, () => unknown]>([
    ['nothing', () => readPcr(bytes(''))],
    ['a byte after it', () => readEmpty('LockPCR', bytes('674c6f636b50435200'))],
    ['bytes that are no CBOR', () => readPcr(bytes('a1ffff'))],
    ['the answer to another command', () => readPcr(bytes('674c6f636b504352'))],
    [
      'the fields of another command',
      () => readPcr(encode(record({ ExtendPCR: record({ data: bytes(pcr) }) }))),
    ],
    [
      'two answers',
      () => readEmpty('LockPCR', encode(record({ LockPCR: null, Error: 'InternalError' }))),
    ],
    ['a key twice', () => readEmpty('LockPCR', bytes('a2674c6f636b504352f6674c6f636b504352f6'))],
    ['a number', () => readPcr(encode(5))],
    ['an error that is no text', () => readPcr(encode(record({ Error: 4 })))],
    [
      'fields where there are none',
      () => readEmpty('LockPCRs', encode(record({ LockPCRs: record({}) }))),
    ],
    ['no fields', () => readPcr(encode('DescribePCR'))],
    ['a list in the place of fields', () => readPcr(encode(record({ DescribePCR: [true] })))],
    ['no lock', () => readPcr(encode(record({ DescribePCR: record({ data: bytes(pcr) }) })))],
    [
      'a lock of 1',
      () => readPcr(encode(record({ DescribePCR: record({ lock: 1, data: bytes(pcr) }) }))),
    ],
    [
      'a PCR as text',
      () => readPcr(encode(record({ DescribePCR: record({ lock: true, data: pcr }) }))),
    ],
    [
      'a PCR of 47 bytes',
      () =>
        readPcr(encode(record({ DescribePCR: record({ lock: true, data: new Uint8Array(47) }) }))),
    ],
    [
      'a new value of 49 bytes',
      () =>
        readBytes(
          'ExtendPCR',
          'data',
          encode(record({ ExtendPCR: record({ data: new Uint8Array(49) }) })),
        ),
    ],
    [
      'an empty document',
      () =>
        readBytes(
          'Attestation',
          'document',
          encode(record({ Attestation: record({ document: bytes('') }) })),
        ),
    ],
    [
      'no randomness',
      () =>
        readBytes(
          'GetRandom',
          'random',
          encode(record({ GetRandom: record({ random: bytes('') }) })),
        ),
    ],
    ...Object.keys(description).map((name): [string, () => unknown] => [
      `a description without ${name}`,
      () => readDescription(encode(record({ DescribeNSM: without(name) }))),
    ]),
    [
      'locked PCRs that are no list',
      () =>
        readDescription(
          encode(record({ DescribeNSM: record({ ...description, locked_pcrs: 3 }) })),
        ),
    ],
    [
      'a locked PCR of -1',
      () =>
        readDescription(
          encode(record({ DescribeNSM: record({ ...description, locked_pcrs: [-1] }) })),
        ),
    ],
    [
      'a version of 65536',
      () =>
        readDescription(
          encode(record({ DescribeNSM: record({ ...description, version_major: 65536 }) })),
        ),
    ],
    [
      'a digest that is no text',
      () => readDescription(encode(record({ DescribeNSM: record({ ...description, digest: 1 }) }))),
    ],
  ])('%s', (_, run) => {
    expect(failure(run).code).toBe('ERR_NSM_RESPONSE')
  })

  test('the whole description is an answer', () => {
    expect(readDescription(encode(record({ DescribeNSM: record(description) }))).moduleId).toBe(
      'i-0',
    )
  })

  test('12288 bytes that end inside an item were cut by the driver', () => {
    const cut = new Uint8Array(0x3000)
    cut.set(bytes('a16b4174746573746174696f6ea168646f63756d656e74594000'))
    const read = (response: Uint8Array) =>
      failure(() => readBytes('Attestation', 'document', response)).code
    expect(read(cut)).toBe('ERR_NSM_TRUNCATED')
    expect(read(cut.subarray(1))).toBe('ERR_NSM_RESPONSE')
    expect(read(cut.subarray(0, 0x2fff))).toBe('ERR_NSM_RESPONSE')
  })

  test('an answer of exactly 12288 bytes is read', () => {
    const document = new Uint8Array(0x3000 - 26)
    const answer = encode(record({ Attestation: record({ document }) }))
    expect(answer).toHaveLength(0x3000)
    expect(readBytes('Attestation', 'document', answer)).toEqual(document)
  })
})
