/** Taking DER apart and putting it together wrongly. Nothing is checked: what comes in is the simulator's own. */

/** Where an element's contents begin. */
function contentsOffset(element: Uint8Array): number {
  const length = element[1] as number
  return length < 0x80 ? 2 : 2 + (length & 0x7f)
}

export function contents(element: Uint8Array): Uint8Array {
  return element.subarray(contentsOffset(element))
}

/** The elements inside of a constructed one. */
export function children(element: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = []
  let rest = contents(element)
  while (rest.length > 0) {
    const start = contentsOffset(rest)
    let length = rest[1] as number
    if (length >= 0x80) {
      length = rest.subarray(2, start).reduce((sum, octet) => sum * 256 + octet, 0)
    }
    found.push(rest.subarray(0, start + length))
    rest = rest.subarray(start + length)
  }
  return found
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]))
}

export function tlv(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const inside = concat(...parts)
  return concat(Uint8Array.of(tag, ...lengthOctets(inside.length)), inside)
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length]
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
}

/** The same element with its length in one octet more than is needed (X.690 §10.1 forbids it). */
export function longLength(element: Uint8Array): Uint8Array {
  const inside = contents(element)
  const [first, ...more] = lengthOctets(inside.length) as [number, ...number[]]
  const octets = more.length === 0 ? [0x81, first] : [first + 1, 0, ...more]
  return concat(Uint8Array.of(element[0] as number, ...octets), inside)
}

/** The same element with a length of indefinite form, which is BER (X.690 §8.1.3.6). */
export function indefiniteLength(element: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(element[0] as number, 0x80), contents(element), Uint8Array.of(0, 0))
}

/** A constructed element with the parts inside changed. */
export function rebuild(
  element: Uint8Array,
  change: (parts: Uint8Array[]) => readonly Uint8Array[],
): Uint8Array {
  return tlv(element[0] as number, ...change(children(element)))
}

/** A constructed element with the part at each index of `route` opened, and the last one replaced. */
export function replaceAt(
  element: Uint8Array,
  route: readonly number[],
  change: (part: Uint8Array) => Uint8Array,
): Uint8Array {
  const [index, ...rest] = route
  if (index === undefined) return change(element)
  return rebuild(element, (parts) =>
    parts.map((part, at) => (at === index ? replaceAt(part, rest, change) : part)),
  )
}

export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function hex(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits.replaceAll(' ', ''), 'hex'))
}

/** Where the parts of a TBSCertificate of version 3 stand (RFC 5280 §4.1). */
export const Tbs = {
  version: 0,
  serialNumber: 1,
  signature: 2,
  issuer: 3,
  validity: 4,
  subject: 5,
  subjectPublicKeyInfo: 6,
  extensions: 7,
} as const
