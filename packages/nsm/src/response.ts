import { CborError, decode, type CborKey, type CborMap, type CborValue } from '@enclavejs/cbor'
import { NsmError } from './error.ts'
import { refusal } from './failure.ts'
import type { Command } from './request.ts'

/** The capacity of the response buffer; the driver cuts what does not fit and says nothing. */
const RESPONSE_MAX = 0x3000

/** The length of a PCR: SHA-384. */
export const PCR_LENGTH = 48

/** What the NSM says of itself. */
export interface NsmDescription {
  readonly versionMajor: number
  readonly versionMinor: number
  readonly versionPatch: number
  /** `i-<instance>-enc<enclave>` on Nitro. */
  readonly moduleId: string
  /** 32. */
  readonly maxPcrs: number
  /** The indices of the locked PCRs: 0 to 15 after boot. */
  readonly lockedPcrs: readonly number[]
  /** The digest of the PCRs: `SHA384`. */
  readonly digest: string
}

/** One platform configuration register. */
export interface PcrDescription {
  /** A locked PCR cannot be extended until the enclave ends, and is part of every attestation document. */
  readonly locked: boolean
  /** 48 bytes, SHA-384. */
  readonly data: Uint8Array
}

/**
 * Opens the envelope of a response to `command` and returns its fields; null where the success of this command has none.
 * Only the first two levels may be maps of indefinite length, as in the attestation documents since August 2025.
 */
function open(command: Command, bytes: Uint8Array): CborMap | null {
  let value: CborValue
  try {
    value = decode(bytes, { indefiniteMapLevels: 2, maxDepth: 4 })
  } catch (cause) {
    if (!(cause instanceof CborError)) throw cause
    if (bytes.length >= RESPONSE_MAX) {
      const message = `The answer to ${command} was cut at ${RESPONSE_MAX} bytes by the driver`
      throw new NsmError('ERR_NSM_TRUNCATED', message, { cause })
    }
    throw unexpected(command, `${bytes.length} bytes that are not CBOR as the NSM writes it`, cause)
  }
  if (value === command) return null
  if (!isMap(value)) throw unexpected(command, 'an answer to something else')
  const error = value.get('Error')
  if (value.size === 1 && typeof error === 'string') throw refusal(command, error)
  const fields = value.get(command)
  if (value.size !== 1 || fields === undefined)
    throw unexpected(command, 'an answer to something else')
  if (fields === null) return null
  if (!isMap(fields)) throw unexpected(command, 'an answer without fields')
  return fields
}

/** LockPCR and LockPCRs: success says nothing more. */
export function readEmpty(command: 'LockPCR' | 'LockPCRs', bytes: Uint8Array): void {
  if (open(command, bytes) !== null) throw unexpected(command, 'fields')
}

export function readBytes(
  command: 'Attestation' | 'ExtendPCR' | 'GetRandom',
  name: 'document' | 'data' | 'random',
  bytes: Uint8Array,
): Uint8Array {
  const value = byteString(command, open(command, bytes), name)
  if (command === 'ExtendPCR') checkLength(command, value)
  if (value.length === 0) throw unexpected(command, `an empty ${name}`)
  return value
}

export function readPcr(bytes: Uint8Array): PcrDescription {
  const fields = open('DescribePCR', bytes)
  const locked = field('DescribePCR', fields, 'lock')
  if (typeof locked !== 'boolean') throw unexpected('DescribePCR', 'no lock')
  const data = byteString('DescribePCR', fields, 'data')
  checkLength('DescribePCR', data)
  return { locked, data }
}

export function readDescription(bytes: Uint8Array): NsmDescription {
  const fields = open('DescribeNSM', bytes)
  const lockedPcrs = field('DescribeNSM', fields, 'locked_pcrs')
  if (!Array.isArray(lockedPcrs)) throw unexpected('DescribeNSM', 'no locked_pcrs')
  return {
    versionMajor: u16('version_major', field('DescribeNSM', fields, 'version_major')),
    versionMinor: u16('version_minor', field('DescribeNSM', fields, 'version_minor')),
    versionPatch: u16('version_patch', field('DescribeNSM', fields, 'version_patch')),
    moduleId: text('module_id', fields),
    maxPcrs: u16('max_pcrs', field('DescribeNSM', fields, 'max_pcrs')),
    lockedPcrs: (lockedPcrs as CborValue[]).map((index) => u16('locked_pcrs', index)),
    digest: text('digest', fields),
  }
}

function checkLength(command: Command, pcr: Uint8Array): void {
  if (pcr.length !== PCR_LENGTH) throw unexpected(command, `a PCR of ${pcr.length} bytes, not 48`)
}

function field(command: Command, fields: CborMap | null, name: CborKey): CborValue {
  const value = fields?.get(name)
  if (value === undefined) throw unexpected(command, `no ${String(name)}`)
  return value
}

/** A copy: what the reader gives is a view into the whole response. */
function byteString(command: Command, fields: CborMap | null, name: string): Uint8Array {
  const value = field(command, fields, name)
  if (!(value instanceof Uint8Array)) throw unexpected(command, `a ${name} that is no byte string`)
  return value.slice()
}

function text(name: string, fields: CborMap | null): string {
  const value = field('DescribeNSM', fields, name)
  if (typeof value !== 'string') throw unexpected('DescribeNSM', `a ${name} that is no text`)
  return value
}

function u16(name: string, value: CborValue): number {
  if (typeof value !== 'number' || value < 0 || value > 0xffff) {
    throw unexpected('DescribeNSM', `a ${name} that is no 16-bit integer`)
  }
  return value
}

function isMap(value: CborValue): value is CborMap {
  return value instanceof Map
}

export function unexpected(command: Command, seen: string, cause?: unknown): NsmError {
  return new NsmError('ERR_NSM_RESPONSE', `The NSM answered ${command} with ${seen}`, { cause })
}
