/** A map key. Other types are well-formed CBOR and appear in no protocol spoken here. */
export type CborKey = string | number | bigint

/** A map, in the order of the bytes. */
export type CborMap = ReadonlyMap<CborKey, CborValue>

/** A tagged item (major type 6). */
export class CborTag {
  readonly tag: number | bigint
  readonly value: CborValue

  constructor(tag: number | bigint, value: CborValue) {
    this.tag = tag
    this.value = value
  }
}

/** A simple value other than false, true, null and undefined. */
export class CborSimple {
  readonly simple: number

  constructor(simple: number) {
    this.simple = simple
  }
}

/** What the reader gives and the writer takes. Integers are `number` while they are safe, `bigint` beyond. */
export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly CborValue[]
  | CborMap
  | CborTag
  | CborSimple
