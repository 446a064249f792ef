import { Socket, type SocketConstructorOpts } from 'node:net'
import { VMADDR_CID_HOST } from './address.ts'
import { loadBinding, type VsockBinding } from './binding.ts'
import {
  failLater,
  placeholderOptions,
  setAddresses,
  setConnecting,
  VsockSocket,
  writeAtOnce,
} from './socket.ts'
import { namedError, systemError } from './system-error.ts'

/** The longest answer to CONNECT, `OK 4294967295`, and room for what else the field writes. */
const ANSWER_MAX = 32

export interface HybridOptions {
  readonly path: string
  readonly port: number
  readonly connectTimeout: number
}

/**
 * A connection over hybrid vsock: a Unix socket, `CONNECT PORT`, `OK PORT` (Firecracker, Cloud Hypervisor,
 * vhost-device-vsock). Another socket asks and reads the answer byte by byte, so that not one byte behind it is lost to
 * whoever holds this one's handle (TLS does at once); then this one, a placeholder until then, takes its descriptor.
 */
export class HybridSocket extends VsockSocket {
  readonly #binding: VsockBinding
  readonly #placeholder: number
  readonly #options: HybridOptions
  readonly #door: Socket
  readonly #timer: NodeJS.Timeout
  #answer = ''

  constructor(options: HybridOptions, socketOptions: SocketConstructorOpts) {
    const binding = loadBinding()
    const fd = binding.placeholder(false)
    super(fd < 0 ? socketOptions : placeholderOptions(fd, socketOptions))
    this.#binding = binding
    this.#placeholder = fd
    this.#options = options
    setAddresses(this, { remote: { port: options.port } })
    setConnecting(this, true)
    const byte = new Uint8Array(1)
    this.#door = new Socket({
      onread: { buffer: byte, callback: () => this.#read(byte[0] as number) },
    })
    this.#door.once('error', (error) => this.destroy(error))
    this.#door.once('end', () => this.#fail('ECONNRESET'))
    this.#timer = setTimeout(() => this.#fail('ETIMEDOUT'), options.connectTimeout)
    if (fd < 0) {
      failLater(this, systemError(fd, 'socket', { port: options.port }))
      return
    }
    this.#door.connect({ path: options.path }, () => this.#door.write(`CONNECT ${options.port}\n`))
  }

  /** Returns whether more is wanted. */
  #read(byte: number): boolean {
    if (this.destroyed) return false
    if (byte !== 0x0a) {
      this.#answer += String.fromCharCode(byte)
      if (this.#answer.length <= ANSWER_MAX) return true
    }
    const [, port] = /^OK (\d{1,10})$/.exec(this.#answer) ?? []
    if (port === undefined || Number(port) > 0xffff_ffff) this.#fail('EPROTO')
    else this.#take(Number(port))
    return false
  }

  #take(port: number): void {
    clearTimeout(this.#timer)
    const fd = (this.#door as unknown as { _handle: { fd: number } })._handle.fd
    const result = this.#binding.become(this.#placeholder, fd)
    this.#door.destroy()
    if (result !== 0) {
      this.destroy(systemError(result, 'connect', { port: this.#options.port }))
      return
    }
    writeAtOnce(this, this.#binding)
    const local = { cid: VMADDR_CID_HOST, port }
    setAddresses(this, { remote: { port: this.#options.port }, local, hybrid: true })
    setConnecting(this, false)
    this.emit('connect')
    this.emit('ready')
    if (!this.destroyed && !this.isPaused()) this.read(0)
  }

  #fail(name: 'ECONNRESET' | 'ETIMEDOUT' | 'EPROTO'): void {
    this.destroy(namedError(name, 'connect', { port: this.#options.port }))
  }

  override ref(): this {
    if (this.connecting) {
      this.#door.ref()
      this.#timer.ref()
    }
    return super.ref()
  }

  override unref(): this {
    if (this.connecting) {
      this.#door.unref()
      this.#timer.unref()
    }
    return super.unref()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#timer)
    this.#door.destroy()
    super._destroy(error, callback)
  }
}
