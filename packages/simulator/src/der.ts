/** DER writing (X.690 §10): just what a certificate needs, each function giving one whole TLV. */

/** One TLV with `tag` over the concatenation of `parts`. */
export function tlv(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = lengthOf(parts)
  const octets = lengthOctets(length)
  const whole = new Uint8Array(octets + length)
  whole[0] = tag
  if (octets === 2) whole[1] = length
  else {
    whole[1] = 0x80 | (octets - 2)
    let rest = length
    for (let at = octets - 1; at > 1; at--) {
      whole[at] = rest % 256
      rest = Math.floor(rest / 256)
    }
  }
  return fill(whole, octets, parts)
}

/** Of a tag of one octet and a length. */
function lengthOctets(length: number): number {
  let octets = 2
  if (length >= 0x80) for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets++
  return octets
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return fill(new Uint8Array(lengthOf(parts)), 0, parts)
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0
  for (const part of parts) length += part.length
  return length
}

function fill(whole: Uint8Array, start: number, parts: readonly Uint8Array[]): Uint8Array {
  let offset = start
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => tlv(0x30, ...parts)

export const set = (...parts: readonly Uint8Array[]): Uint8Array => tlv(0x31, ...parts)

export const octetString = (...parts: readonly Uint8Array[]): Uint8Array => tlv(0x04, ...parts)

export const boolean = (value: boolean): Uint8Array => tlv(0x01, Uint8Array.of(value ? 0xff : 0))

export const utf8String = (text: string): Uint8Array => tlv(0x0c, new TextEncoder().encode(text))

export const printableString = (text: string): Uint8Array =>
  tlv(0x13, new TextEncoder().encode(text))

/** BIT STRING; `unused` counts the bits of the last octet that carry nothing. */
export const bitString = (octets: Uint8Array, unused = 0): Uint8Array =>
  tlv(0x03, Uint8Array.of(unused), octets)

/** INTEGER of a non-negative number given as big-endian octets; leading zeros are dropped. */
export function unsignedInteger(octets: Uint8Array): Uint8Array {
  let start = 0
  while (start < octets.length - 1 && octets[start] === 0) start += 1
  const magnitude = octets.subarray(start)
  const first = magnitude[0] ?? 0
  if (magnitude.length === 0) return tlv(0x02, Uint8Array.of(0))
  return first >= 0x80 ? tlv(0x02, Uint8Array.of(0), magnitude) : tlv(0x02, magnitude)
}

/** OBJECT IDENTIFIER from its dotted form. */
export function objectIdentifier(dotted: string): Uint8Array {
  const arcs = dotted.split('.').map(Number)
  if (arcs.length < 2 || arcs.some((arc) => !Number.isSafeInteger(arc) || arc < 0)) {
    throw new TypeError(`an object identifier in dotted form was expected, not ${dotted}`)
  }
  const [first = 0, second = 0, ...rest] = arcs
  const octets: number[] = []
  for (const arc of [first * 40 + second, ...rest]) {
    const base128 = [arc % 128]
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) {
      base128.unshift((high % 128) | 0x80)
    }
    octets.push(...base128)
  }
  return tlv(0x06, Uint8Array.from(octets))
}

/** UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5); whole seconds. */
export function time(date: Date): Uint8Array {
  if (Number.isNaN(date.getTime())) throw new TypeError('a valid Date was expected')
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  const year = date.getUTCFullYear()
  const utc = year >= 1950 && year < 2050
  return tlv(utc ? 0x17 : 0x18, new TextEncoder().encode(utc ? digits.slice(2) : digits))
}
