import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectNet, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { MessageClient, type MessageClientOptions } from '../src/message-client.ts'
import type { MessageHandler } from '../src/message-handler.ts'
import {
  serveMessages,
  type MessageServer,
  type MessageServerOptions,
} from '../src/message-server.ts'

export const bytes = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, 'latin1'))

export interface ClientStand extends AsyncDisposable {
  readonly client: MessageClient
  readonly server: Server
  /** The client's side of each connection. */
  readonly streams: Socket[]
  readonly messages: MessageServer
}

type ClientOptions = Partial<MessageClientOptions>

/** A client of a server of another kind, on a Unix socket. */
export async function open(
  server: Server,
  options: ClientOptions = {},
): Promise<Omit<ClientStand, 'messages'>> {
  const folder = mkdtempSync(join(tmpdir(), 'enclavejs-message-client-'))
  // Also where the test hangs and never comes to its end.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'socket')
  server.listen(path)
  await once(server, 'listening')
  const streams: Socket[] = []
  const client = new MessageClient({
    async connect() {
      const socket = connectNet(path)
      await once(socket, 'connect')
      streams.push(socket)
      return socket
    },
    ...options,
  })
  return {
    client,
    server,
    streams,
    async [Symbol.asyncDispose]() {
      await client.close({ deadline: 0 })
      server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A client of a message server. */
export async function standClient(
  handler: MessageHandler,
  options: ClientOptions = {},
  serverOptions: MessageServerOptions = {},
): Promise<ClientStand> {
  const server = createServer()
  const messages = serveMessages(server, handler, serverOptions)
  const at = await open(server, options)
  return {
    ...at,
    messages,
    async [Symbol.asyncDispose]() {
      await at[Symbol.asyncDispose]()
      await messages.close({ deadline: 0 })
    },
  }
}

/** A server that says what it is told to, with the first bytes that arrive. */
export function says(...answers: readonly Uint8Array[]): Server {
  return createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      for (const answer of answers) socket.write(answer)
    })
  })
}

/** What a promise is rejected with. */
export const failure = async (
  promise: Promise<unknown>,
): Promise<{ code: unknown; cause: unknown }> => {
  const error: unknown = await promise.then(
    () => ({ code: 'nothing was thrown' }),
    (reason: unknown) => reason,
  )
  return error as { code: unknown; cause: unknown }
}
export const codes = (promises: readonly Promise<unknown>[]): Promise<unknown[]> =>
  Promise.all(promises.map(async (promise) => (await failure(promise)).code))
