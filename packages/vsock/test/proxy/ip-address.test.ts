import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseHost, parseHostPort } from '../../src/proxy/host-name.ts'
import { addressKind, parseIp } from '../../src/proxy/ip-address.ts'

const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 })
const v6 = fc.uint8Array({ minLength: 16, maxLength: 16 })
/** Addresses with runs of zeros, which have many ways to be written. */
const sparse6 = fc.array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 })

function groups(bytes: Uint8Array): string {
  const words = Array.from(
    { length: 8 },
    (_, index) => (bytes[2 * index]! << 8) | bytes[2 * index + 1]!,
  )
  return words.map((word) => word.toString(16)).join(':')
}

describe('parseIp', () => {
  it('reads every way of writing', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          v6,
          sparse6.map((bytes) => Uint8Array.from(bytes)),
        ),
        (bytes) => {
          const full = groups(bytes)
          // The platform's own shortest form, as an oracle of the abbreviation.
          const short = new URL(`http://[${full}]/`).hostname.slice(1, -1)
          const dotted = `${full.split(':').slice(0, 6).join(':')}:${bytes.subarray(12).join('.')}`
          for (const text of [full, full.toUpperCase(), short, dotted]) {
            expect(parseIp(text)).toEqual(bytes)
          }
        },
      ),
    )
    fc.assert(
      fc.property(v4, (bytes) => {
        expect(parseIp(bytes.join('.'))).toEqual(bytes)
      }),
    )
  })

  it.each([
    '',
    '1',
    '127.1',
    '0x7f.0.0.1',
    '127.0.0.01',
    '1.2.3.4.5',
    '256.1.1.1',
    ':::',
    '1::2::3',
    'fe80::1%lo',
    '[::1]',
    ' ::1',
    '::1 ',
    '::g',
  ])('does not read %j', (text) => expect(parseIp(text)).toBeUndefined())
})

describe('addressKind', () => {
  it('finds the same prefixes as node:net', () => {
    const inside = new BlockList()
    for (const [prefix, bits] of [
      ...[
        ['10.0.0.0', 8],
        ['172.16.0.0', 12],
        ['192.168.0.0', 16],
        ['100.64.0.0', 10],
      ],
    ] as [string, number][]) {
      inside.addSubnet(prefix, bits)
    }
    const near = fc
      .tuple(fc.constantFrom(10, 172, 192, 100), fc.nat(255), fc.nat(255), fc.nat(255))
      .map((bytes) => Uint8Array.from(bytes))
    fc.assert(
      fc.property(fc.oneof(v4, near), (bytes) => {
        expect(addressKind(bytes) === 'private').toBe(inside.check(bytes.join('.')))
      }),
      { numRuns: 2000 },
    )
  })

  it('calls only 2000::/3 public, and NAT64 what is inside', () => {
    const global = new BlockList()
    global.addSubnet('2000::', 3, 'ipv6')
    fc.assert(
      fc.property(v6, (bytes) => {
        if (addressKind(bytes) === 'public') expect(global.check(groups(bytes), 'ipv6')).toBe(true)
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(v4, (bytes) => {
        const nat64 = Uint8Array.of(0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, ...bytes)
        expect(addressKind(nat64)).toBe(addressKind(bytes))
      }),
    )
  })

  it.each([
    ['8.8.8.8', 'public'],
    ['9.255.255.255', 'public'],
    ['11.0.0.0', 'public'],
    ['172.32.0.0', 'public'],
    ['100.128.0.0', 'public'],
    ['169.254.169.254', 'link-local'],
    ['223.255.255.255', 'public'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['2600:1f18::1', 'public'],
    ['fd00:ec2::254', 'metadata'],
    ['fd00:ec3::254', 'private'],
    ['::ffff:8.8.8.8', 'mapped'],
    ['::8.8.8.8', 'reserved'],
    ['fec0::1', 'reserved'],
    ['febf::1', 'link-local'],
    ['2001:1::1', 'reserved'],
    ['2001:4860:4860::8888', 'public'],
    ['3fff::1', 'reserved'],
    ['4000::1', 'reserved'],
  ])('%s is %s', (address, kind) => expect(addressKind(parseIp(address)!)).toBe(kind))
})

describe('a host', () => {
  it.each([
    'a',
    'a-b.example',
    'xn--bcher-kva.example',
    '_x.example',
    'A.Example.',
    `${'a'.repeat(63)}.b`,
  ])('can be %s', (text) =>
    expect(parseHost(text)).toEqual({ name: text.toLowerCase().replace(/\.$/, ''), ip: undefined }),
  )

  it.each([
    '',
    '.',
    'a..b',
    '-a',
    'a-',
    'a b',
    'a/b',
    'a:1',
    '*.a',
    'bücher.example',
    'a.1',
    'a.0x1',
    '1',
    '0x1',
    `${'a'.repeat(64)}.b`,
    `${'a.'.repeat(127)}abc`,
    'a..',
    '::ffff:1.2.3.4',
  ])('cannot be %j', (text) => expect(parseHost(text)).toBeUndefined())

  it.each([
    ['a.example:443', 'a.example', 443],
    ['[::1]:65535', '::1', 65_535],
    ['127.0.0.1:1', '127.0.0.1', 1],
  ])('with a port is %s', (text, name, port) => {
    expect(parseHostPort(text)).toMatchObject({ host: { name }, port })
  })
})
