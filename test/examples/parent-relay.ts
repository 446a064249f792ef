import { once } from 'node:events'
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net'
import { connect, MessageClient, serveMessages, type MessageServer } from '@enclavejs/vsock'

/** What a hostile parent does with a message: it may ask the enclave, or answer itself. */
export type Mischief = (
  message: Uint8Array,
  ask: (message: Uint8Array) => Promise<Uint8Array>,
) => Promise<Uint8Array>

/** The parent between a client and the enclave at a CID, with every message in its hands. */
export class ParentRelay implements AsyncDisposable {
  readonly #client: MessageClient
  readonly #server: MessageServer
  readonly #port: number

  private constructor(client: MessageClient, server: MessageServer, port: number) {
    this.#client = client
    this.#server = server
    this.#port = port
  }

  static async start(cid: number, mischief: Mischief): Promise<ParentRelay> {
    const client = new MessageClient({
      connect: ({ signal }) => connect({ cid, port: 5000, signal }),
    })
    const listener = createServer()
    const server = serveMessages(listener, (message) =>
      mischief(message, (one) => client.request(one)),
    )
    await once(listener.listen(0, '127.0.0.1'), 'listening')
    return new ParentRelay(client, server, (listener.address() as AddressInfo).port)
  }

  readonly connect = async (): Promise<Socket> => {
    const socket = connectTcp({ host: '127.0.0.1', port: this.#port })
    await once(socket, 'connect')
    return socket
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close({ deadline: 0 })
    await this.#server.close({ deadline: 0 })
  }
}

/** The same bytes with one bit of the last but `back` changed. */
export function flipped(bytes: Uint8Array, back = 0): Uint8Array {
  const copy = bytes.slice()
  const at = copy.length - 1 - back
  copy[at] = (copy[at] as number) ^ 1
  return copy
}
