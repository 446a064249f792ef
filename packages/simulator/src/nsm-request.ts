import { readItem, type CborItem } from './cbor-item.ts'

/** A request as the device understands it; null stands for a field that is null or missing. */
export type NsmRequest =
  | { readonly command: 'DescribeNSM' }
  | { readonly command: 'GetRandom' }
  | { readonly command: 'DescribePCR'; readonly index: number }
  | { readonly command: 'ExtendPCR'; readonly index: number; readonly data: Uint8Array }
  | { readonly command: 'LockPCR'; readonly index: number }
  | { readonly command: 'LockPCRs'; readonly range: number }
  | {
      readonly command: 'Attestation'
      readonly userData: Uint8Array | null
      readonly nonce: Uint8Array | null
      readonly publicKey: Uint8Array | null
    }

/** The only head under which serde_cbor looks for a command with fields: a map of one pair. */
const MAP_OF_ONE = 0xa1

/**
 * Reads a request as AWS's own types do under serde_cbor 0.11, which accepts: a command without
 * fields as text or as {name: null}; fields in any order, unknown ones ignored, the three of
 * Attestation missing or null; integers of any width up to 65535; bytes as a byte string, as text,
 * in chunks, or as an array of numbers; tags, skipped. It refuses an outer map that is not written
 * as `a1`, a field given twice, bytes after the request.
 *
 * Not taken over: enums and structs as arrays, and names as numbers or byte strings.
 *
 * @returns undefined for whatever the device does not understand.
 */
export function decodeRequest(bytes: Uint8Array): NsmRequest | undefined {
  let item: CborItem
  try {
    item = readItem(bytes)
  } catch {
    return undefined
  }
  if (item.kind === 'text') return bare(item.value)
  if (item.kind !== 'map' || bytes[0] !== MAP_OF_ONE) return undefined
  const [name, content] = item.entries[0] ?? []
  if (name?.kind !== 'text' || content === undefined) return undefined
  if (content.kind === 'null' || content.kind === 'undefined') return bare(name.value)
  const fields = fieldsOf(content)
  return fields && withFields(name.value, fields)
}

function bare(command: string): NsmRequest | undefined {
  return command === 'DescribeNSM' || command === 'GetRandom' ? { command } : undefined
}

function withFields(
  command: string,
  fields: ReadonlyMap<string, CborItem>,
): NsmRequest | undefined {
  switch (command) {
    case 'DescribePCR':
    case 'LockPCR': {
      const index = uint16(fields.get('index'))
      return index === undefined ? undefined : { command, index }
    }
    case 'LockPCRs': {
      const range = uint16(fields.get('range'))
      return range === undefined ? undefined : { command, range }
    }
    case 'ExtendPCR': {
      const index = uint16(fields.get('index'))
      const data = bytesOf(fields.get('data'))
      return index === undefined || data === undefined ? undefined : { command, index, data }
    }
    case 'Attestation': {
      const userData = optional(fields.get('user_data'))
      const nonce = optional(fields.get('nonce'))
      const publicKey = optional(fields.get('public_key'))
      if (userData === undefined || nonce === undefined || publicKey === undefined) return undefined
      return { command, userData, nonce, publicKey }
    }
    default:
      return undefined
  }
}

const KNOWN_FIELDS = new Set(['index', 'data', 'range', 'user_data', 'nonce', 'public_key'])

function fieldsOf(item: CborItem): Map<string, CborItem> | undefined {
  if (item.kind !== 'map') return undefined
  const fields = new Map<string, CborItem>()
  for (const [key, value] of item.entries) {
    if (key.kind !== 'text') return undefined
    if (fields.has(key.value) && KNOWN_FIELDS.has(key.value)) return undefined
    fields.set(key.value, value)
  }
  return fields
}

function uint16(item: CborItem | undefined): number | undefined {
  return item?.kind === 'unsigned' && item.value <= 0xffffn ? Number(item.value) : undefined
}

function bytesOf(item: CborItem | undefined): Uint8Array | undefined {
  if (item?.kind === 'bytes') return item.value
  if (item?.kind === 'text') return item.bytes
  if (item?.kind !== 'array') return undefined
  const octets: number[] = []
  for (const one of item.items) {
    if (one.kind !== 'unsigned' || one.value > 0xffn) return undefined
    octets.push(Number(one.value))
  }
  return Uint8Array.from(octets)
}

function optional(item: CborItem | undefined): Uint8Array | null | undefined {
  return item === undefined || item.kind === 'null' ? null : bytesOf(item)
}
