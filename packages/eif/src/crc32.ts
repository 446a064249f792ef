/** CRC-32/ISO-HDLC, as `crc32` of `node:zlib`: takes the checksum so far, gives the next one. */
export type Crc32 = (bytes: Uint8Array, value?: number) => number

const POLYNOMIAL = 0xedb88320

/** Eight tables, so that eight bytes go in one step. */
const TABLES: readonly Uint32Array[] = /* @__PURE__ */ makeTables()

function makeTables(): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256))
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0)
    ;(tables[0] as Uint32Array)[byte] = value
  }
  for (let index = 1; index < 8; index++) {
    const previous = tables[index - 1] as Uint32Array
    for (let byte = 0; byte < 256; byte++) {
      const value = previous[byte] as number
      ;(tables[index] as Uint32Array)[byte] =
        (value >>> 8) ^ ((tables[0] as Uint32Array)[value & 0xff] as number)
    }
  }
  return tables
}

/** The checksum without anything of the platform, for pages; `node:zlib` is several times as fast. */
export function crc32(bytes: Uint8Array, value = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ]
  const at = (table: Uint32Array, index: number): number => table[index & 0xff] as number
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let crc = ~value
  let offset = 0
  for (; offset + 8 <= bytes.length; offset += 8) {
    const low = crc ^ view.getUint32(offset, true)
    const high = view.getUint32(offset + 4, true)
    crc =
      at(t7, low) ^
      at(t6, low >>> 8) ^
      at(t5, low >>> 16) ^
      at(t4, low >>> 24) ^
      at(t3, high) ^
      at(t2, high >>> 8) ^
      at(t1, high >>> 16) ^
      at(t0, high >>> 24)
  }
  for (; offset < bytes.length; offset++) {
    crc = (crc >>> 8) ^ at(t0, crc ^ (bytes[offset] as number))
  }
  return ~crc >>> 0
}

/** a·b modulo the polynomial, both with x^0 in the highest bit. */
function multiply(a: number, b: number): number {
  let product = 0
  for (let mask = 0x8000_0000; mask !== 0; mask >>>= 1) {
    if (a & mask) product ^= b
    b = (b >>> 1) ^ (b & 1 ? POLYNOMIAL : 0)
  }
  return product >>> 0
}

/** The checksum of two byte strings in a row, from theirs and the length of the second. */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  // x^(8·length): square and multiply, from x^8.
  let factor = 0x8000_0000
  let square = 0x0080_0000
  for (let length = secondLength; length > 0; length = Math.floor(length / 2)) {
    if (length % 2 === 1) factor = multiply(square, factor)
    square = multiply(square, square)
  }
  return (multiply(factor, first) ^ second) >>> 0
}
