import { encode, type CborValue } from '@enclavejs/cbor'

/** The most bytes that a request may have (Linux drivers/misc/nsm.c, `NSM_REQUEST_MAX_SIZE`). */
export const REQUEST_MAX = 0x1000

/** How many PCRs an NSM has. */
const PCR_COUNT = 32

/** What {@link NsmDevice.attestation} puts into a document. */
export interface AttestationRequest {
  /** Any bytes the application wants signed. Absent and empty differ: the document says `null` or an empty string. */
  readonly userData?: Uint8Array
  /** The verifier's challenge, for freshness. */
  readonly nonce?: Uint8Array
  /** A public key whose private half never leaves the enclave, DER SubjectPublicKeyInfo for KMS. */
  readonly publicKey?: Uint8Array
}

/** A request as bytes, with the name by which its response is recognised. */
export interface Request {
  readonly command: Command
  readonly bytes: Uint8Array
}

export type Command =
  'Attestation' | 'DescribeNSM' | 'DescribePCR' | 'ExtendPCR' | 'GetRandom' | 'LockPCR' | 'LockPCRs'

const UNITS = {
  DescribeNSM: encode('DescribeNSM'),
  GetRandom: encode('GetRandom'),
} as const

export function describeNsmRequest(): Request {
  return { command: 'DescribeNSM', bytes: UNITS.DescribeNSM }
}

export function getRandomRequest(): Request {
  return { command: 'GetRandom', bytes: UNITS.GetRandom }
}

export function describePcrRequest(index: number): Request {
  return request('DescribePCR', [['index', integer('index', index, PCR_COUNT - 1)]])
}

export function lockPcrRequest(index: number): Request {
  return request('LockPCR', [['index', integer('index', index, PCR_COUNT - 1)]])
}

export function lockPcrsRequest(range: number): Request {
  return request('LockPCRs', [['range', integer('range', range, PCR_COUNT)]])
}

export function extendPcrRequest(index: number, data: Uint8Array): Request {
  integer('index', index, PCR_COUNT - 1)
  bytes('data', data)
  const fields = [
    ['index', index],
    ['data', data],
  ] as const
  return fitting(['data'], data.length, () => request('ExtendPCR', fields))
}

export function attestationRequest(input: AttestationRequest): Request {
  if (typeof input !== 'object' || input === null) {
    throw new TypeError('The argument of attestation must be an object')
  }
  for (const name of Object.keys(input)) {
    if (name !== 'userData' && name !== 'nonce' && name !== 'publicKey') {
      throw new TypeError(`attestation takes userData, nonce and publicKey, not ${name}`)
    }
  }
  const given = Object.entries(input).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) bytes(name, value)
  const { userData = null, nonce = null, publicKey = null } = input
  const fields = [
    ['user_data', userData],
    ['nonce', nonce],
    ['public_key', publicKey],
  ] as const
  const names = given.filter(([, value]) => value.length > 0).map(([name]) => name)
  const total = given.reduce((sum, [, value]) => sum + value.length, 0)
  return fitting(names, total, () => request('Attestation', fields))
}

function request(command: Command, fields: Iterable<readonly [string, CborValue]>): Request {
  return { command, bytes: encode(new Map([[command, new Map(fields)]])) }
}

/** Encodes unless it is clear or turns out that the request would be too long. */
function fitting(names: readonly string[], payload: number, make: () => Request): Request {
  const made = payload > REQUEST_MAX ? undefined : make()
  if (made !== undefined && made.bytes.length <= REQUEST_MAX) return made
  const room = REQUEST_MAX - ((made?.bytes.length ?? payload) - payload)
  const what = names.length === 1 ? `${names[0]} has` : `${names.join(', ')} together have`
  throw new RangeError(
    `${what} ${payload} bytes and the request does not fit the ${REQUEST_MAX} bytes that the NSM takes` +
      (made === undefined ? '' : `; ${room} fit`),
  )
}

function integer(name: string, value: unknown, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new RangeError(`${name} must be an integer from 0 to ${most}, and is ${value}`)
  }
  return value
}

function bytes(name: string, value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${name} must be a Uint8Array`)
}
