import { RpcSyntaxError, type RpcReader } from './rpc-reader.ts'
import type { RpcWriter } from './rpc-writer.ts'

/** Attributes in one array. */
export const MAX_ATTRIBUTES = 128
/** Arrays in arrays: p11-kit itself once had no bound here (CVE-2026-13757). */
export const MAX_DEPTH = 8

/** Set in the types of attributes that are arrays. */
const CKF_ARRAY_ATTRIBUTE = 0x40000000

export type AttributeKind = 'byte' | 'ulong' | 'bytes' | 'attributes' | 'mechanisms'
export type AttributeValue = number | Uint8Array | readonly Attribute[] | readonly number[]

/** One CK_ATTRIBUTE. Without a value: ulValueLen is CK_UNAVAILABLE_INFORMATION. */
export interface Attribute {
  readonly type: number
  readonly value: AttributeValue | undefined
  /** ulValueLen, as the caller counts it. */
  readonly length: number
}

/** One element of the array that asks for attributes. */
export interface AttributeBuffer {
  readonly type: number
  /** 0: only the length is wanted. */
  readonly length: number
}

const BYTES = new Set<number>([
  ...[0x1, 0x2, 0x86, 0x103, 0x104, 0x105, 0x106, 0x107, 0x108, 0x109, 0x10a, 0x10b, 0x10c],
  ...[0x162, 0x163, 0x164, 0x165, 0x170, 0x171, 0x200, 0x202, 0x210, 0x301, 0x302, 0x405],
])
const ULONGS = new Set<number>([
  ...[0x0, 0x80, 0x87, 0x88, 0x100, 0x121, 0x133, 0x134, 0x160, 0x161, 0x166, 0x201, 0x300],
  ...[0x400, 0x401, 0x402, 0x403, 0x404, 0x406, 0x500],
])
const ATTRIBUTES = new Set<number>([0x40000211, 0x40000212, 0x40000213])
const MECHANISMS = 0x40000600

/** How p11-kit writes the value of an attribute: its own table, by the type alone. */
export function attributeKind(type: number): AttributeKind {
  if (BYTES.has(type)) return 'byte'
  if (ULONGS.has(type)) return 'ulong'
  if (ATTRIBUTES.has(type)) return 'attributes'
  return type === MECHANISMS ? 'mechanisms' : 'bytes'
}

/** `aA` of a request. */
export function readAttributes(reader: RpcReader, depth = 1): readonly Attribute[] {
  if (depth > MAX_DEPTH) throw new RpcSyntaxError(`attributes nested deeper than ${MAX_DEPTH}`)
  const count = reader.count(MAX_ATTRIBUTES, 5)
  return Array.from({ length: count }, () => readAttribute(reader, depth))
}

function readAttribute(reader: RpcReader, depth: number): Attribute {
  const type = reader.u32()
  if (!reader.flag()) return { type, value: undefined, length: -1 }
  const length = reader.u32()
  return { type, value: readValue(reader, type, depth), length }
}

function readValue(reader: RpcReader, type: number, depth: number): AttributeValue | undefined {
  switch (attributeKind(type)) {
    case 'byte':
      return reader.u8()
    case 'ulong':
      return reader.u64()
    case 'attributes':
      return readAttributes(reader, depth + 1)
    case 'mechanisms':
      return Array.from({ length: reader.count(MAX_ATTRIBUTES, 8) }, () => reader.u64())
    case 'bytes':
      // A view of the frame: who keeps it copies it.
      return reader.byteArray()
  }
}

/** `fA` of a request. */
export function readAttributeBuffers(reader: RpcReader, depth = 1): readonly AttributeBuffer[] {
  if (depth > MAX_DEPTH) throw new RpcSyntaxError(`buffers nested deeper than ${MAX_DEPTH}`)
  const count = reader.count(MAX_ATTRIBUTES, 8)
  return Array.from({ length: count }, () => {
    const type = reader.u32()
    const length = reader.u32()
    if (
      (type & CKF_ARRAY_ATTRIBUTE) !== 0 &&
      length !== 0 &&
      attributeKind(type) === 'attributes'
    ) {
      readAttributeBuffers(reader, depth + 1)
    }
    return { type, length }
  })
}

/** One attribute of an answer. A value that is undefined with a length answers a question for the length. */
function writeAttribute(writer: RpcWriter, attribute: Attribute): void {
  const { type, value, length } = attribute
  writer.u32(type)
  if (length < 0) {
    writer.u8(0)
    return
  }
  writer.u8(1).u32(length)
  switch (attributeKind(type)) {
    case 'byte':
      writer.u8(typeof value === 'number' ? value : 0)
      return
    case 'ulong':
      writer.u64(typeof value === 'number' ? value : 0)
      return
    case 'attributes': {
      const nested = (value ?? []) as readonly Attribute[]
      writer.u32(nested.length)
      for (const one of nested) writeAttribute(writer, one)
      return
    }
    case 'mechanisms': {
      const mechanisms = (value ?? []) as readonly number[]
      writer.u32(mechanisms.length)
      for (const mechanism of mechanisms) writer.u64(mechanism)
      return
    }
    case 'bytes':
      writer.byteArray(value as Uint8Array | undefined)
  }
}

/** `aA`. */
export function writeAttributes(writer: RpcWriter, attributes: readonly Attribute[]): void {
  writer.u32(attributes.length)
  for (const attribute of attributes) writeAttribute(writer, attribute)
}

/** ulValueLen of a value, in the ABI that p11-kit's clients have: CK_BBOOL is one byte, CK_ULONG eight. */
export function valueLength(value: AttributeValue, kind: AttributeKind): number {
  if (kind === 'byte') return 1
  if (kind === 'ulong') return 8
  if (kind === 'bytes') return (value as Uint8Array).length
  return (value as readonly unknown[]).length * (kind === 'mechanisms' ? 8 : 24)
}
