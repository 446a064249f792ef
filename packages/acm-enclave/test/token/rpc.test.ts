import { expect, test } from 'vitest'
import {
  MAX_ATTRIBUTES,
  MAX_DEPTH,
  readAttributeBuffers,
  readAttributes,
  writeAttributes,
  type Attribute,
} from '../../src/token/rpc-attribute.ts'
import { mechanismEncoding, readMechanism, writeMechanism } from '../../src/token/rpc-mechanism.ts'
import { RpcReader, RpcSyntaxError } from '../../src/token/rpc-reader.ts'
import { RpcWriter } from '../../src/token/rpc-writer.ts'

const WRAP_TEMPLATE = 0x40000211
const nested = (depth: number): readonly Attribute[] => {
  const value = depth === 1 ? [] : nested(depth - 1)
  return [{ type: WRAP_TEMPLATE, value, length: 24 }]
}
const written = (write: (writer: RpcWriter) => unknown): RpcReader => {
  const writer = new RpcWriter()
  write(writer)
  return new RpcReader(Uint8Array.from(writer.finish()))
}

test('attributes are nested eight deep, and no deeper', () => {
  const read = (depth: number) => readAttributes(written((w) => writeAttributes(w, nested(depth))))
  // The innermost array is one more.
  expect(read(MAX_DEPTH - 1)).toEqual(nested(MAX_DEPTH - 1))
  expect(() => read(MAX_DEPTH)).toThrow(RpcSyntaxError)
  expect(() => read(1000)).toThrow(RpcSyntaxError)
})

test('so are the buffers for them', () => {
  const buffers = (depth: number): RpcReader =>
    written((writer) => {
      for (let level = 0; level < depth; level++) writer.u32(1).u32(WRAP_TEMPLATE).u32(24)
      writer.u32(0)
    })
  expect(readAttributeBuffers(buffers(MAX_DEPTH - 1))).toHaveLength(1)
  expect(() => readAttributeBuffers(buffers(MAX_DEPTH))).toThrow(RpcSyntaxError)
})

test('a count is bounded, and by what is there', () => {
  const counts = (count: number, there: number): RpcReader =>
    written((writer) => {
      writer.u32(count)
      for (let index = 0; index < there; index++) writer.u32(0).u8(0)
    })
  expect(readAttributes(counts(MAX_ATTRIBUTES, MAX_ATTRIBUTES))).toHaveLength(MAX_ATTRIBUTES)
  expect(() => readAttributes(counts(MAX_ATTRIBUTES + 1, 200))).toThrow(RpcSyntaxError)
  expect(() => readAttributes(counts(3, 2))).toThrow(RpcSyntaxError)
})

test.each([
  ['old', 0, { type: 0x1041, pss: undefined }],
  ['old', 1, { type: 0xd, pss: { hash: 0x250, mgf: 2, saltLength: 32 } }],
  ['new', 2, { type: 0x1041, pss: undefined }],
  ['new', 2, { type: 0xd, pss: undefined }],
  ['new', 3, { type: 0x43, pss: { hash: 0x250, mgf: 2, saltLength: 32 } }],
] as const)('a mechanism in the %s encoding, client byte %d', (encoding, byte, mechanism) => {
  expect(mechanismEncoding(byte)).toBe(encoding)
  const make = (): RpcReader =>
    written((writer) => {
      writeMechanism(writer, encoding, mechanism)
      writer.u64(7)
    })
  expect(readMechanism(make(), encoding, 8)).toEqual(mechanism)
  // A new client that an old server sent back to byte 0 still writes the new encoding.
  expect(readMechanism(make(), encoding === 'old' ? 'new' : 'old', 8)).toEqual(mechanism)
})

test.each([
  ['parameters of another length', (writer: RpcWriter) => writer.u32(0xd).u64(0x250).u64(2)],
  ['a mechanism without parameters that has some', (writer: RpcWriter) => writer.u32(1).u64(0)],
  ['no NULL where one belongs', (writer: RpcWriter) => writer.u32(0x1041).u32(0)],
  [
    'a flag that says no parameters, and parameters',
    (writer: RpcWriter) => writer.u32(0xd).u8(0).u64(0x250).u64(2).u64(32),
  ],
])('refuses %s', (_name, write) => {
  const reader = written((writer) => write(writer).u64(7))
  expect(() => readMechanism(reader, 'old', 8)).toThrow(RpcSyntaxError)
})
