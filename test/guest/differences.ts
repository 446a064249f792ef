import assert from 'node:assert/strict'
import { CborError, decode, type CborValue } from '@enclavejs/cbor'
import type { Results } from './results.ts'

/** One request to which QEMU's device and the simulator answer differently, and why that may stay so. */
export interface Difference {
  /** The name of the request in inside/script.ts. */
  readonly request: string
  readonly qemu: string
  readonly simulator: string
  /** Which of the two is like Nitro, as far as is known. */
  readonly likeNitro: 'simulator' | 'qemu' | 'unknown'
  readonly reason: string
}

const SERDE =
  "AWS's published types read requests with serde_cbor, which decides so; what the hardware does with it is not known"
const WIDTH = `QEMU reads integers of one byte only, and AWS's are u16. ${SERDE}`
const UNIT = `A command without fields may also be a map of null. ${SERDE}`
const TRAILING = `QEMU does not look beyond the first item. ${SERDE}`

/**
 * Every difference there is, all of them in requests that no library sends. The test fails on one that is not named here,
 * and on one that is named and no longer there.
 */
export const differences: readonly Difference[] = [
  {
    request: 'DescribeNSM as a map of null',
    qemu: 'Error InvalidOperation',
    simulator: 'DescribeNSM: ',
    likeNitro: 'simulator',
    reason: UNIT,
  },
  {
    request: 'GetRandom as a map of null',
    qemu: 'Error InvalidOperation',
    simulator: 'GetRandom: ',
    likeNitro: 'simulator',
    reason: UNIT,
  },
  {
    request: 'DescribePCR 256',
    qemu: 'Error InvalidOperation',
    simulator: 'Error InvalidIndex',
    likeNitro: 'simulator',
    reason: WIDTH,
  },
  {
    request: 'LockPCR 256',
    qemu: 'Error InvalidOperation',
    simulator: 'Error InvalidIndex',
    likeNitro: 'simulator',
    reason: WIDTH,
  },
  {
    request: 'LockPCRs 256',
    qemu: 'Error InvalidOperation',
    simulator: 'Error InvalidIndex',
    likeNitro: 'simulator',
    reason: WIDTH,
  },
  {
    request: 'DescribePCR 5 in three bytes',
    qemu: 'Error InvalidOperation',
    simulator: 'DescribePCR: ',
    likeNitro: 'simulator',
    reason: WIDTH,
  },
  {
    request: 'DescribePCR with index twice',
    qemu: 'DescribePCR: ',
    simulator: 'Error InvalidOperation',
    likeNitro: 'simulator',
    reason: `QEMU takes the last. ${SERDE}`,
  },
  {
    request: 'Attestation with a nonce twice',
    qemu: 'Attestation: ',
    simulator: 'Error InvalidOperation',
    likeNitro: 'simulator',
    reason: `QEMU takes the last. ${SERDE}`,
  },
  {
    request: 'DescribePCR of indefinite length',
    qemu: 'DescribePCR: ',
    simulator: 'Error InvalidOperation',
    likeNitro: 'simulator',
    reason: `serde_cbor takes an enum in a definite map only. ${SERDE}`,
  },
  {
    request: 'ExtendPCR with a list',
    qemu: 'Error InvalidOperation',
    simulator: 'ExtendPCR: ',
    likeNitro: 'simulator',
    reason: `Bytes may be a list of integers. ${SERDE}`,
  },
  {
    request: 'ExtendPCR with chunks',
    qemu: 'ExtendPCR: ',
    simulator: 'ExtendPCR: ',
    likeNitro: 'simulator',
    reason: `QEMU extends with no data at all. ${SERDE}`,
  },
  {
    request: 'a byte after the request',
    qemu: 'GetRandom: ',
    simulator: 'Error InvalidOperation',
    likeNitro: 'simulator',
    reason: TRAILING,
  },
  {
    request: 'a second request after it',
    qemu: 'GetRandom: ',
    simulator: 'Error InvalidOperation',
    likeNitro: 'simulator',
    reason: TRAILING,
  },
  {
    request: 'a tagged request',
    qemu: 'Error InvalidOperation',
    simulator: 'GetRandom: ',
    likeNitro: 'simulator',
    reason: `Tags are passed over. ${SERDE}`,
  },
]

/**
 * What an answer says, as text: the same for two devices that answer alike. What is random or changes with the time is
 * left out of it, and so is the order of fields, in which AWS's library does not read them either.
 */
export function describeAnswer(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return 'no answer'
  try {
    const value = decode(bytes, { indefiniteMapLevels: 1 })
    if (typeof value === 'string') return value
    const [entry] = value instanceof Map ? [...value] : []
    if (entry === undefined) return 'something else'
    const [command, fields] = entry as [string, CborValue]
    if (typeof fields === 'string') return `${command} ${fields}`
    const parts = [...(fields as Map<string, CborValue>)].map(([name, field]) => {
      if (name === 'random') return `random ${(field as Uint8Array).length} bytes`
      if (name === 'document') return describeDocument(field as Uint8Array)
      return `${name} ${plain(field)}`
    })
    return `${command}: ${parts.sort().join(', ')}`
  } catch (error) {
    if (!(error instanceof CborError)) throw error
    return `${bytes.length} bytes that are not strict CBOR (${error.code})`
  }
}

/** The structure of an attestation document, without what every document has of its own. */
function describeDocument(document: Uint8Array): string {
  const [header, unprotected, payload, signature] = decode(document) as [
    Uint8Array,
    CborValue,
    Uint8Array,
    Uint8Array,
  ]
  const form = payload[0] === 0xbf ? 'indefinite' : 'definite'
  const claims = decode(payload, { indefiniteMapLevels: 1 }) as Map<string, CborValue>
  const parts = [...claims].map(([name, claim]) => {
    if (name === 'timestamp') return 'timestamp'
    if (name === 'certificate') return 'certificate'
    if (name === 'cabundle') return `cabundle of ${(claim as CborValue[]).length}`
    return `${name} ${plain(claim)}`
  })
  const head = `protected ${plain(header)}, unprotected ${plain(unprotected)}`
  return `document (${head}, signature of ${signature.length}): ${form} ${parts.join(', ')}`
}

function plain(value: CborValue): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex') || "''"
  if (value instanceof Map)
    return `{${[...value].map(([key, item]) => `${String(key)}: ${plain(item as CborValue)}`).join(', ')}}`
  return Array.isArray(value)
    ? `[${(value as CborValue[]).map(plain).join(', ')}]`
    : JSON.stringify(value)
}

/** Compares answer by answer; each difference must be named in the table, and as it is there. */
export async function compareAnswers(
  results: Results,
  script: readonly (readonly [name: string, hex: string])[],
  qemu: ReadonlyMap<string, Uint8Array>,
  simulator: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const short = (answer: string): string =>
    answer.length > 200 ? `${answer.slice(0, 200)}…` : answer
  const alike: string[] = []
  for (const [name] of script) {
    const theirs = describeAnswer(qemu.get(name))
    const ours = describeAnswer(simulator.get(name))
    const named = differences.find(({ request }) => request === name)
    if (theirs === ours && named === undefined) {
      alike.push(name)
      continue
    }
    await results.check(`difference: ${name}`, () => {
      assert.ok(named, `not in the table: QEMU ${short(theirs)}; simulator ${short(ours)}`)
      assert.notEqual(theirs, ours, 'in the table, and the answers are alike')
      assert.ok(theirs.includes(named.qemu), `QEMU answered ${short(theirs)}`)
      assert.ok(ours.includes(named.simulator), `the simulator answered ${short(ours)}`)
      return `like Nitro: ${named.likeNitro}`
    })
  }
  await results.check('QEMU and the simulator answer alike otherwise', () => {
    assert.equal(qemu.size, script.length)
    assert.ok(alike.length > script.length / 2)
    for (const { request } of differences)
      assert.ok(
        script.some(([name]) => name === request),
        request,
      )
    return `${alike.length} of ${script.length} requests`
  })
}
