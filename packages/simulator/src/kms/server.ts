import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { sendAnswer } from './answer.ts'
import { sealBlob } from './ciphertext-blob.ts'
import { FaultQueue, type KmsFault } from './fault.ts'
import { backingKeyHash, type KeyState, type KmsKey } from './key.ts'
import { KeyRing, readPolicy, textOf } from './key-ring.ts'
import { dial, listen, type ServerAddress, type SimulatedConnect } from './local-listener.ts'
import { kmsHostNames, type SimulatedKeyOptions, type SimulatedKmsOptions } from './options.ts'
import type { PolicyDocument } from './policy-document.ts'
import { RequestHandler, type Connection } from './request-handler.ts'
import { RequestLog, type KmsCounters, type RecordedRequest } from './request-log.ts'
import { RingDirectory } from './ring-directory.ts'
import { createTlsAuthority, issueServerCertificate, type TlsAuthority } from './tls-authority.ts'

interface Parts {
  readonly options: SimulatedKmsOptions
  readonly ring: KeyRing
  readonly tls: TlsAuthority
  readonly files: RingDirectory | undefined
  readonly hostNames: readonly string[]
}

/**
 * A KMS over HTTPS on this machine, with a CA of its own. It checks signatures, attestation
 * documents and key policies as KMS does and answers in KMS's bytes. Its keys protect nothing.
 */
export class SimulatedKms {
  readonly region: string
  /** The names that its certificate holds. */
  readonly hostNames: readonly string[]
  /** The CA of its TLS, in PEM: a client has to be given it, nothing else trusts it. */
  readonly ca: string
  /** Dials the server, whatever host and port are asked for. TLS is the caller's; `roots` holds `ca`. */
  readonly connect: SimulatedConnect
  readonly #options: SimulatedKmsOptions
  readonly #ring: KeyRing
  readonly #files: RingDirectory | undefined
  readonly #handler: RequestHandler
  readonly #server: Server
  readonly #streams = new Set<Duplex>()
  readonly #faults = new FaultQueue()
  readonly #log: RequestLog
  readonly #connections = new WeakMap<Duplex, number>()
  readonly #now: () => Date
  #address: ServerAddress | undefined

  private constructor(parts: Parts) {
    const { options, ring, tls, files, hostNames } = parts
    this.region = ring.region
    this.hostNames = hostNames
    this.ca = tls.ca
    const connect: SimulatedConnect = async (_host, _port, { signal } = {}) =>
      dial(this.address(), signal)
    this.connect = Object.assign(connect, { roots: [tls.ca] })
    this.#options = options
    this.#ring = ring
    this.#files = files
    this.#now = options.now ?? (() => new Date())
    const log = new RequestLog(options.recordLimit ?? 1000)
    this.#log = log
    this.#handler = new RequestHandler(options, { hostNames, ring, files, log })
    this.#server = createServer({
      ...issueServerCertificate(tls, hostNames),
      minVersion: options.minVersion ?? 'TLSv1.2',
      maxVersion: options.maxVersion ?? 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      keepAliveTimeout: 60_000,
    })
    this.#server.on('connection', (stream: Duplex) => this.#accepted(stream))
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.#log.handshakes += 1
      this.#connections.set(socket, this.#log.handshakes)
      socket.on('error', () => undefined)
    })
    this.#server.on('tlsClientError', (_error, socket) => void socket.destroy())
    this.#server.on('request', (request, response) => {
      this.#serve(request, response).catch(() => void request.socket.destroy())
    })
  }

  /** What `createSimulatedKms` is. */
  static async open(options: SimulatedKmsOptions): Promise<SimulatedKms> {
    const { accounts, region = 'eu-west-1', directory } = options
    if (accounts.length === 0) throw new TypeError('accounts: expected at least one')
    if (!/^[a-z0-9-]{1,32}$/.test(region)) {
      throw new TypeError('region: expected up to 32 lower-case letters, digits and hyphens')
    }
    const ring = new KeyRing(region)
    const opened = directory === undefined ? undefined : await RingDirectory.open(directory, ring)
    const tls = opened?.tls ?? createTlsAuthority()
    const hostNames = [...(options.hostNames ?? kmsHostNames(region))]
    const kms = new SimulatedKms({ options, ring, tls, files: opened?.files, hostNames })
    kms.#address = await listen(kms.#server, options.listen)
    return kms
  }

  /** Where it listens. */
  address(): ServerAddress {
    if (this.#address === undefined) throw new Error('the simulated KMS does not listen')
    return this.#address
  }

  /** Serves a stream that something else accepted: a vsock listener, a proxy. */
  serve(stream: Duplex): void {
    this.#server.emit('connection', stream)
  }

  /** Makes a key without a request, without authorization. */
  async createKey(
    options: SimulatedKeyOptions = {},
  ): Promise<{ readonly keyId: string; readonly arn: string }> {
    const [first] = this.#options.accounts
    const accountId = options.accountId ?? first?.accountId
    const account = this.#options.accounts.find((one) => one.accountId === accountId)
    if (account === undefined) throw new TypeError('accountId: expected one of the accounts')
    const { keySpec = 'SYMMETRIC_DEFAULT', alias } = options
    const createdAt = this.#now().getTime()
    const key = await this.#ring.create({ ...options, keySpec, account, createdAt })
    this.#ring.add(key)
    if (alias !== undefined) this.#ring.setAlias(account.accountId, alias, key)
    await this.#files?.save()
    return { keyId: key.keyId, arn: key.arn }
  }

  /** ARN of the key that an id, an ARN or an alias names; undefined where there is none. */
  keyOf(keyId: string, accountId: string): string | undefined {
    try {
      return this.#ring.resolve(keyId, accountId).arn
    } catch {
      return undefined
    }
  }

  /** Puts another policy on a key without a request, and without the check against lockout. */
  async setKeyPolicy(keyId: string, policy: PolicyDocument | string): Promise<void> {
    const key = this.#keyOf(keyId)
    const policyText = textOf(policy)
    key.policy = readPolicy(policyText)
    key.policyText = policyText
    await this.#files?.save()
  }

  /** Gives a symmetric key new material. */
  async rotateKey(keyId: string): Promise<void> {
    this.#ring.rotate(this.#keyOf(keyId))
    await this.#files?.save()
  }

  /** A ciphertext under a symmetric key, made without a request and without authorization. */
  encrypt(
    keyId: string,
    plaintext: Uint8Array,
    encryptionContext: Readonly<Record<string, string>> = {},
  ): Uint8Array {
    const material = this.#keyOf(keyId).materials.at(-1)
    if (material === undefined) throw new TypeError('keyId: expected a symmetric key')
    return sealBlob(material, backingKeyHash(material), plaintext, encryptionContext)
  }

  async setKeyState(keyId: string, state: KeyState): Promise<void> {
    this.#keyOf(keyId).state = state
    await this.#files?.save()
  }

  /** Arms a fault for requests to come. Several wait in the order in which they were armed. */
  fault(fault: KmsFault): void {
    this.#faults.arm(fault)
  }

  clearFaults(): void {
    this.#faults.clear()
  }

  /** The last requests, oldest first. */
  get requests(): readonly RecordedRequest[] {
    return this.#log.entries
  }

  clearRequests(): void {
    this.#log.clear()
  }

  get counters(): KmsCounters {
    return this.#log.counters
  }

  /** Ends every connection and stops to listen. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const stream of this.#streams) stream.destroy()
    this.#server.closeAllConnections()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #keyOf(keyId: string): KmsKey {
    const name = keyId.startsWith('arn:') ? (keyId.split('key/')[1] ?? '') : keyId
    const key = this.#ring.keys.find((one) => one.keyId === name)
    if (key === undefined) throw new TypeError('keyId: expected the id or ARN of a key made here')
    return key
  }

  #accepted(stream: Duplex): void {
    this.#log.connections += 1
    this.#streams.add(stream)
    stream.on('error', () => undefined)
    stream.once('close', () => this.#streams.delete(stream))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = request.socket as TLSSocket & { readonly servername?: string | false }
    const connection: Connection = {
      number: this.#connections.get(socket) ?? 0,
      protocol: socket.getProtocol() ?? '',
      servername: typeof socket.servername === 'string' ? socket.servername : undefined,
    }
    const { entry, body } = await this.#handler.receive(request, connection, this.#now())
    const fault = this.#faults.take(entry.operation)
    const answer = await this.#handler.answer(request, entry, body, fault)
    await sendAnswer(response, answer, fault, () => this.#reset(socket))
  }

  /** An RST where there is a TCP connection underneath, and its own end is not on the way: libuv resets none of those. */
  #reset(socket: TLSSocket): void {
    if (socket.writableEnded) return void socket.destroy()
    for (const stream of this.#streams) {
      const isUnder = stream instanceof Socket && stream.remotePort === socket.remotePort
      if (isUnder && socket.remotePort !== undefined) return void stream.resetAndDestroy()
    }
    socket.destroy()
  }
}

/**
 * Starts a simulated KMS. It accepts the access keys of the given accounts and the attestation
 * documents that end in the given roots, and is to be closed.
 *
 * @throws SimulatorError `ERR_SIMULATOR_DIRECTORY` where `directory` cannot be used.
 *
 * @example
 * ```ts
 * import { createCertificateAuthority } from '@enclavejs/simulator'
 * import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
 *
 * const authority = await createCertificateAuthority()
 * const account = createSimulatedAccount()
 * await using kms = await createSimulatedKms({
 *   accounts: [account],
 *   attestationRoots: [authority.trustAnchor],
 * })
 * const { arn } = await kms.createKey({ alias: 'alias/data' })
 * if (!arn.startsWith('arn:aws:kms:eu-west-1:123456789012:key/')) throw new Error(arn)
 * ```
 */
export function createSimulatedKms(options: SimulatedKmsOptions): Promise<SimulatedKms> {
  return SimulatedKms.open(options)
}
