import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { FrameDecoder } from '../src/frame-decoder.ts'
import { encodeFrame } from '../src/frame.ts'
import type { MessageContext, MessageHandler } from '../src/message-handler.ts'
import {
  serveMessages,
  type MessageServer,
  type MessageServerOptions,
} from '../src/message-server.ts'

export const MEBIBYTE: number = 2 ** 20
/** Longer than any of these tests should take on a machine that does other things too. */
export const LONG = 60_000
export const echo: MessageHandler = (message) => message
export const text = (message: Uint8Array): string => Buffer.from(message).toString('latin1')
export const bytes = (value: string): Uint8Array => Buffer.from(value, 'latin1')
/** A response as text: its status, then the message or the code. */
export const ok = (value: string): string => `\0${value}`
export const code = (value: string): string => `\x01${value}`

export interface Stand extends AsyncDisposable {
  readonly server: Server
  readonly messages: MessageServer
  /** A peer that speaks bytes. */
  dial(): Promise<Peer>
}

/** A message server on a Unix socket. */
export async function stand(
  handler: MessageHandler,
  options?: MessageServerOptions,
): Promise<Stand> {
  const folder = mkdtempSync(join(tmpdir(), 'enclavejs-messages-'))
  // Also where the test hangs and never comes to its end.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'socket')
  const server = createServer()
  const messages = serveMessages(server, handler, options)
  server.listen(path)
  await once(server, 'listening')
  const peers: Peer[] = []
  return {
    server,
    messages,
    async dial() {
      const socket = connect({ path, allowHalfOpen: true })
      await once(socket, 'connect')
      const peer = new Peer(socket)
      peers.push(peer)
      return peer
    },
    async [Symbol.asyncDispose]() {
      for (const peer of peers) peer.socket.destroy()
      await messages.close({ deadline: 0 })
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The other side: it sends bytes, and reads responses. */
export class Peer {
  readonly socket: Socket
  #responses: AsyncIterator<unknown> | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
  }

  send(...requests: readonly string[]): void {
    this.socket.write(Buffer.concat(requests.map((request) => encodeFrame(bytes(request)))))
  }

  /** The next response as text, status first; undefined at the end. */
  async next(): Promise<string | undefined> {
    this.#responses ??= this.socket
      .pipe(new FrameDecoder({ maxMessageLength: 2 ** 30 }))
      [Symbol.asyncIterator]()
    const { value, done } = await this.#responses.next()
    return done === true ? undefined : text(value as Uint8Array)
  }

  async rest(): Promise<string[]> {
    const responses: string[] = []
    for (let one = await this.next(); one !== undefined; one = await this.next())
      responses.push(one)
    return responses
  }
}

/** A handler that waits until it is told. */
export function gate(): {
  handler: MessageHandler
  open: () => void
  contexts: MessageContext[]
  seen: string[]
} {
  const waiting: (() => void)[] = []
  const contexts: MessageContext[] = []
  const seen: string[] = []
  return {
    contexts,
    seen,
    open: () => waiting.splice(0).forEach((resolve) => resolve()),
    handler: async (message, context) => {
      contexts.push(context)
      seen.push(text(message))
      await new Promise<void>((resolve) => waiting.push(resolve))
      return message
    },
  }
}

export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + LONG
  while (!condition()) {
    if (performance.now() > end) throw new Error('it did not come about')
    await sleep(5)
  }
}
