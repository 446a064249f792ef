import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** Types of records (RFC 1035 §3.2.2, RFC 3596 §2.1). */
export const A = 1
export const AAAA = 28

/** By type: records, or the code of a failure (RCODE). What is changed holds for the next question. */
export type Answers = Record<
  number,
  readonly { readonly ttl: number; readonly data: readonly number[] }[] | number
>

/** A name server on loopback (RFC 1035 §4.1), of one name whatever it is called. */
export async function serveNames(
  answers: Answers,
): Promise<{ readonly address: string; readonly close: () => void }> {
  const server = createSocket('udp4', (query, { port, address }) => {
    const end = query.indexOf(0, 12) + 5
    const type = query.readUInt16BE(end - 4)
    const answer = answers[type] ?? []
    const records = typeof answer === 'number' ? [] : answer
    const header = Buffer.from(query.subarray(0, 12))
    header.writeUInt16BE(0x8180 | (typeof answer === 'number' ? answer : 0), 2)
    header.writeUInt16BE(records.length, 6)
    header.writeUInt32BE(0, 8)
    const body = records.map(({ ttl, data }) => {
      const record = Buffer.alloc(12)
      record.writeUInt16BE(0xc00c)
      record.writeUInt16BE(type, 2)
      record.writeUInt16BE(1, 4)
      record.writeUInt32BE(ttl, 6)
      record.writeUInt16BE(data.length, 10)
      return Buffer.concat([record, Uint8Array.from(data)])
    })
    server.send(Buffer.concat([header, query.subarray(12, end), ...body]), port, address)
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  return { address: `127.0.0.1:${server.address().port}`, close: () => void server.close() }
}
