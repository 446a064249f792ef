import { Encoder } from 'cbor-x'

const encoder = new Encoder({
  useRecords: false,
  mapsAsObjects: false,
  tagUint8Array: false,
  variableMapSize: true,
})

/** What the simulator writes: definite lengths, shortest integers; a bigint takes eight bytes. */
export type CborWritable =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly CborWritable[]
  | ReadonlyMap<number | string, CborWritable>

/** One CBOR item, in memory of its own. */
export function encodeCbor(value: CborWritable): Uint8Array {
  return new Uint8Array(encoder.encode(value))
}
