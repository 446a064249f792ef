import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readProxyHeader, type ProxyHeader } from '../../src/proxy-protocol.ts'
import { deferred, drained, World } from './world.ts'

const SIGNATURE = '0d0a0d0a000d0a515549540a'
const ADDRESSES4 = 'cb007107c0000201303901bb'
const VALID4 = `${SIGNATURE}2111000c${ADDRESSES4}`
const VALID6 = `${SIGNATURE}21210024${'20010db8'.padEnd(32, '0')}${'20010db8'.padEnd(31, '0')}1303901bb`

type Outcome = { header: ProxyHeader; rest: string } | { code: string; destroyed: boolean }

/** Sends bytes in pieces to a socket that reads a header, and what it then reads. */
async function send(
  pieces: readonly Uint8Array[],
  { timeout = 1000, end = true }: { timeout?: number; end?: boolean } = {},
): Promise<Outcome> {
  await using world = new World()
  const outcome = deferred<Outcome>()
  const port = await world.backend((socket) => {
    readProxyHeader(socket, { timeout }).then(
      async (header) => {
        const { bytes } = await drained(socket)
        outcome.resolve({ header, rest: bytes.toString() })
      },
      ({ code }: { code: string }) => outcome.resolve({ code, destroyed: socket.destroyed }),
    )
  })
  const client = world.dialTcp(port)
  for (const piece of pieces) {
    client.write(piece)
    if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve))
  }
  if (end) client.end()
  return await outcome.promise
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}

const CLAIMED4 = {
  command: 'PROXY',
  claimedAddress: { address: '203.0.113.7', family: 4, port: 12345 },
  claimedDestination: { address: '192.0.2.1', family: 4, port: 443 },
}
const REFUSED = { code: 'ERR_VSOCK_PROXY_HEADER', destroyed: true }

describe('readProxyHeader', () => {
  it('reads TCP over IPv4 and leaves the rest', async () => {
    const outcome = await send([hex(VALID4), Buffer.from('rest')])
    expect(outcome).toEqual({ header: CLAIMED4, rest: 'rest' })
    const together = await send([Buffer.concat([hex(VALID4), Buffer.from('rest')])])
    expect(together).toEqual({ header: CLAIMED4, rest: 'rest' })
  })

  it('reads one byte at a time', async () => {
    const bytes = Buffer.concat([hex(VALID4), Buffer.from('rest')])
    expect(await send(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual({
      header: CLAIMED4,
      rest: 'rest',
    })
  })

  it('leaves the end where nothing follows', async () => {
    expect(await send([hex(VALID4)])).toEqual({ header: CLAIMED4, rest: '' })
  })

  it('reads TCP over IPv6', async () => {
    expect(await send([hex(VALID6)])).toMatchObject({
      header: {
        claimedAddress: { address: '2001:db8:0:0:0:0:0:0', family: 6, port: 12345 },
        claimedDestination: { address: '2001:db8:0:0:0:0:0:1', family: 6, port: 443 },
      },
    })
  })

  it.each([
    ['LOCAL without a family', `${SIGNATURE}20000000`, 'LOCAL'],
    ['LOCAL with addresses, which mean nothing', `${SIGNATURE}2011000c${ADDRESSES4}`, 'LOCAL'],
    ['PROXY without a family', `${SIGNATURE}21000000`, 'PROXY'],
  ])('claims no address for %s', async (_what, bytes, command) => {
    expect(await send([hex(bytes)])).toMatchObject({
      header: { command, claimedAddress: undefined, claimedDestination: undefined },
    })
  })

  it.each([
    ['a NOOP of no bytes', `${SIGNATURE}2111000f${ADDRESSES4}040000`],
    ['one of a type that nobody knows', `${SIGNATURE}21110011${ADDRESSES4}ee00020102`],
    [
      'a right CRC-32C',
      // As HAProxy's reader computes it, over the header with the sum as zero.
      `${SIGNATURE}21110013${ADDRESSES4}030004${crc(`${SIGNATURE}21110013${ADDRESSES4}03000400000000`)}`,
    ],
  ])('accepts TLVs: %s', async (_what, bytes) => {
    expect(await send([hex(bytes)])).toMatchObject({ header: CLAIMED4 })
  })

  it.each([
    ['another signature', VALID4.replace('51', '50')],
    ['version 1', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n').toString('hex')],
    ['TLS in its place', '16030100'],
    ['version 3 of the binary form', VALID4.replace('2111', '3111')],
    ['an unknown command', VALID4.replace('2111', '2211')],
    ['UDP', VALID4.replace('2111', '2112')],
    ['an unknown family', VALID4.replace('2111', '2141')],
    ['a Unix socket', `${SIGNATURE}213100d8${'00'.repeat(216)}`],
    ['a protocol without a family', VALID4.replace('2111', '2101')],
    ['addresses one byte short', `${SIGNATURE}2111000b${ADDRESSES4.slice(2)}`],
    ['IPv6 with the length of IPv4', VALID4.replace('2111', '2121')],
    ['537 bytes', `${SIGNATURE}21110209${ADDRESSES4}0401fa${'00'.repeat(506)}`],
    ['64 KiB announced', VALID4.replace('000c', 'ffff')],
    ['a TLV of two bytes', `${SIGNATURE}2111000e${ADDRESSES4}0400`],
    ['a TLV beyond the end', `${SIGNATURE}2111000f${ADDRESSES4}040001`],
    ['a wrong CRC-32C', `${SIGNATURE}21110013${ADDRESSES4}03000400000000`],
    ['a CRC-32C of three bytes', `${SIGNATURE}21110012${ADDRESSES4}030003000000`],
    ['an end in the signature', SIGNATURE.slice(0, 10)],
    ['an end in the addresses', VALID4.slice(0, -2)],
    ['nothing', ''],
  ])('refuses %s', async (_what, bytes) => {
    expect(await send([hex(bytes)])).toEqual(REFUSED)
  })

  it('accepts 536 bytes', async () => {
    const bytes = `${SIGNATURE}21110208${ADDRESSES4}0401f9${'00'.repeat(505)}`
    expect(hex(bytes)).toHaveLength(536)
    expect(await send([hex(bytes)])).toMatchObject({ header: CLAIMED4 })
  })

  it('refuses one that does not come in time', async () => {
    const began = performance.now()
    expect(await send([hex(VALID4.slice(0, 20))], { timeout: 100, end: false })).toEqual(REFUSED)
    expect(performance.now() - began).toBeLessThan(1000)
  })

  it('refuses a timeout out of bounds', async () => {
    const socket = {} as Socket
    await expect(readProxyHeader(socket, { timeout: 0 })).rejects.toThrow(RangeError)
    await expect(readProxyHeader(socket, { timeout: Number.NaN })).rejects.toThrow(RangeError)
    for (const timeout of ['5', [5], true] as unknown as number[]) {
      await expect(readProxyHeader(socket, { timeout })).rejects.toThrow(TypeError)
    }
    await expect(readProxyHeader(socket, { timeout: 1.5 })).rejects.toThrow(RangeError)
    const misspelt = { timeuot: 1 } as object
    await expect(readProxyHeader(socket, misspelt)).rejects.toThrow(/^timeuot is not an option/)
  })

  it('refuses or reads whatever follows the signature, and nothing else happens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        const outcome = await send([hex(SIGNATURE), bytes])
        if ('code' in outcome) expect(outcome).toEqual(REFUSED)
        else expect(['PROXY', 'LOCAL']).toContain(outcome.header.command)
      }),
      { numRuns: 100 },
    )
  })

  it('hands the connection to an HTTP server', async () => {
    const http = createHttpServer((request, response) => response.end(`you asked ${request.url}`))
    const server = createServer((socket) => {
      void readProxyHeader(socket).then(() => http.emit('connection', socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await using world = new World()
    world.keepServer(server)
    const client = world.dialTcp((server.address() as AddressInfo).port)
    client.write(Buffer.concat([hex(VALID4), Buffer.from('GET /a HTTP/1.1\r\nHost: x\r\n')]))
    await sleep(50)
    client.write('\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const text = (await drained(client)).bytes.toString()
    expect(text).toContain('you asked /a')
    expect(text).toContain('you asked /b')
  })
})

/** CRC-32C by its table, written down here again so that the reader is not asked about itself. */
function crc(text: string): string {
  const table = Array.from({ length: 256 }, (_, start) => {
    let value = start
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
    return value >>> 0
  })
  let sum = 0xffffffff
  for (const byte of hex(text)) sum = (table[(sum ^ byte) & 0xff]! ^ (sum >>> 8)) >>> 0
  return ((sum ^ 0xffffffff) >>> 0).toString(16).padStart(8, '0')
}
