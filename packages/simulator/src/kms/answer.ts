import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KmsFault } from './fault.ts'

/** A whole answer before it is sent. */
export interface Answer {
  readonly status: number
  readonly body: Uint8Array
  readonly contentType: string
  readonly requestId: string
  readonly now: Date
  /** Further headers. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
}

const PIECE = 64 * 1024

/** Sends an answer, or as much of it as the fault lets out; `reset` breaks the connection. */
export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  fault: KmsFault | undefined,
  reset: () => void,
): Promise<void> {
  const { socket } = response
  if (socket === null) return
  const headers = headersOf(answer, fault)
  switch (fault?.kind) {
    case 'refuse':
      socket.destroy()
      return
    case 'slow':
      await slowly(response, headers, answer, fault)
      return
    case 'reset':
    case 'truncate': {
      const { afterBytes = Math.floor(answer.body.length / 2) } = fault
      await write(socket, head(answer.status, headers))
      await write(socket, answer.body.subarray(0, afterBytes))
      if (fault.kind === 'reset') reset()
      else socket.end()
      return
    }
    case 'stall': {
      const start = head(answer.status, headers)
      if (fault.part === 'head') {
        await write(socket, start.subarray(0, start.length / 2))
        return
      }
      await write(socket, start)
      const { afterBytes = Math.floor(answer.body.length / 2) } = fault
      await write(socket, answer.body.subarray(0, afterBytes))
      return
    }
    case 'huge-body': {
      const long = headers.map(([name, value]): [string, string] =>
        name === 'Content-Length' ? [name, String(fault.bytes)] : [name, value],
      )
      await write(socket, head(200, long))
      await flood(socket, '{"Plaintext":"', fault.bytes)
      socket.end()
      return
    }
    case 'huge-headers': {
      await write(socket, Buffer.from(`HTTP/1.1 200 OK\r\nX-Padding: `))
      await flood(socket, '', fault.bytes)
      await write(socket, Buffer.from('\r\nContent-Length: 2\r\n\r\n{}'))
      return
    }
    default:
      response.sendDate = false
      response.writeHead(answer.status, headers.flat())
      response.end(answer.body)
  }
}

function headersOf(answer: Answer, fault: KmsFault | undefined): [string, string][] {
  const date = dateOf(answer.now, fault)
  return [
    ['x-amzn-RequestId', answer.requestId],
    ['Cache-Control', 'no-cache, no-store, must-revalidate, private'],
    ['Expires', '0'],
    ['Pragma', 'no-cache'],
    ...(date === null ? [] : [['Date', date] satisfies [string, string]]),
    ...(answer.headers ?? []).map(([name, value]): [string, string] => [name, value]),
    ['Content-Type', answer.contentType],
    ['Content-Length', String(answer.body.length)],
  ]
}

function dateOf(now: Date, fault: KmsFault | undefined): string | null {
  if (fault?.kind !== 'date') return now.toUTCString()
  if ('value' in fault) return fault.value
  return new Date(now.getTime() + fault.skewMs).toUTCString()
}

async function slowly(
  response: ServerResponse,
  headers: readonly (readonly [string, string])[],
  answer: Answer,
  fault: Extract<KmsFault, { kind: 'slow' }>,
): Promise<void> {
  const { delayMs = 0, chunkBytes = answer.body.length, chunkDelayMs = 0 } = fault
  await sleep(delayMs)
  if (response.destroyed) return
  response.sendDate = false
  response.writeHead(answer.status, headers.flat())
  response.flushHeaders()
  for (let offset = 0; offset < answer.body.length; offset += Math.max(1, chunkBytes)) {
    if (response.destroyed) return
    response.write(answer.body.subarray(offset, offset + Math.max(1, chunkBytes)))
    await sleep(chunkDelayMs)
  }
  response.end()
}

function head(status: number, headers: readonly (readonly [string, string])[]): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`)
}

/** So many octets, at the pace at which they are taken. */
async function flood(socket: Duplex, start: string, bytes: number): Promise<void> {
  const piece = Buffer.alloc(PIECE, 'A')
  await write(socket, Buffer.from(start))
  for (let left = bytes - start.length; left > 0 && !socket.destroyed; left -= PIECE) {
    await write(socket, piece.subarray(0, Math.min(left, PIECE)))
  }
}

/** Resolves when the octets are on their way, or nothing ever will be. */
async function write(socket: Duplex, octets: Uint8Array): Promise<void> {
  if (socket.destroyed) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('close', done)
      resolve()
    }
    socket.once('close', done)
    socket.write(octets, done)
  })
}
