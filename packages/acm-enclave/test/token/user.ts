import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type Socket } from 'node:net'
import { duplexPair, type Duplex } from 'node:stream'
import { CKA, CryptokiError } from '../../src/token/cryptoki.ts'
import { readAttributes, writeAttributes } from '../../src/token/rpc-attribute.ts'
import { RpcClient } from '../../src/token/rpc-client.ts'
import { writeMechanism, type Mechanism } from '../../src/token/rpc-mechanism.ts'

/** A stream whose other end a token serves. */
export function streamTo(token: { serve(stream: Duplex): void }): Duplex {
  const [near, far] = duplexPair()
  // The halves of a pair do not tell each other of their end.
  far.once('close', () => near.destroy())
  near.once('close', () => far.destroy())
  token.serve(far)
  return near
}

/** The same as a socket of the system, whose buffers are the kernel's. */
export function socketTo(token: { serve(stream: Duplex): void }): Promise<Socket> {
  const server = createServer((socket) => {
    server.close()
    token.serve(socket)
  })
  return new Promise((resolve) => {
    const path = join(tmpdir(), `acm-token-${randomUUID()}.sock`)
    server.listen(path, () => {
      const socket = connect(path, () => resolve(socket))
      socket.on('error', () => {})
    })
  })
}

/** A client of a token, one method for each call of PKCS #11 that a test makes. */
export class User {
  readonly rpc: RpcClient
  session = 0

  constructor(rpc: RpcClient) {
    this.rpc = rpc
  }

  /** Initialized, with a session, and logged in if a PIN is given. */
  static async of(token: { serve(stream: Duplex): void }, pin?: string): Promise<User> {
    const user = new User(new RpcClient(streamTo(token)))
    await user.rpc.initialize()
    user.session = await user.openSession()
    if (pin !== undefined) await user.login(pin)
    return user
  }

  async openSession(flags = 4, slot = 1): Promise<number> {
    return (await this.rpc.call('OpenSession', (args) => args.u64(slot).u64(flags))).u64()
  }

  async login(pin: string, userType = 1): Promise<void> {
    const bytes = new TextEncoder().encode(pin)
    await this.rpc.call('Login', (args) => args.u64(this.session).u64(userType).present(bytes))
  }

  async find(attributes: Readonly<Record<number, number | Uint8Array>> = {}): Promise<number[]> {
    const template = Object.entries(attributes).map(([type, value]) => {
      const length = typeof value === 'number' ? 8 : value.length
      return { type: Number(type), value, length }
    })
    await this.rpc.call('FindObjectsInit', (args) => {
      writeAttributes(args.u64(this.session), template)
    })
    const found = await this.rpc.call('FindObjects', (args) => args.u64(this.session).u32(64))
    await this.rpc.call('FindObjectsFinal', (args) => args.u64(this.session))
    found.u8()
    return Array.from({ length: found.u32() }, () => found.u64())
  }

  /** The handle of the one private key with an id. */
  async key(id: number): Promise<number> {
    const [handle] = await this.find({ [CKA.CLASS]: 3, [CKA.ID]: Uint8Array.of(id) })
    if (handle === undefined) throw new Error(`no key ${id}`)
    return handle
  }

  async attribute(
    object: number,
    type: number,
    length = 4096,
  ): Promise<{ value: unknown; length: number; rv: number }> {
    const answer = await this.rpc.call('GetAttributeValue', (args) => {
      args.u64(this.session).u64(object).u32(1).u32(type).u32(length)
    })
    const [attribute] = readAttributes(answer)
    const rv = answer.u64()
    answer.end()
    const given = attribute?.value
    const value = given instanceof Uint8Array ? Uint8Array.from(given) : given
    return { value, length: attribute?.length ?? -1, rv }
  }

  async signInit(mechanism: Mechanism, key: number): Promise<void> {
    await this.rpc.call('SignInit', (args) => {
      writeMechanism(args.u64(this.session), 'new', mechanism)
      args.u64(key)
    })
  }

  async sign(data: Uint8Array, room = 4096): Promise<Uint8Array | undefined> {
    const write = (args: Parameters<NonNullable<Parameters<RpcClient['call']>[1]>>[0]) =>
      args.u64(this.session).present(data).u32(room)
    return (await this.rpc.call('Sign', write)).optionalBytes()
  }

  async signUpdate(data: Uint8Array): Promise<void> {
    await this.rpc.call('SignUpdate', (args) => args.u64(this.session).present(data))
  }

  async signFinal(): Promise<Uint8Array | undefined> {
    const answer = await this.rpc.call('SignFinal', (args) => args.u64(this.session).u32(4096))
    return answer.optionalBytes()
  }
}

/** The return value of a call; 0 when it succeeds. */
export async function rvOf(call: Promise<unknown>): Promise<number> {
  try {
    await call
    return 0
  } catch (error) {
    if (error instanceof CryptokiError) return error.rv
    throw error
  }
}
