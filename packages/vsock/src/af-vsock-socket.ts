import type { SocketConstructorOpts } from 'node:net'
import { VMADDR_CID_ANY, VMADDR_CID_LOCAL, type VsockAddress } from './address.ts'
import { loadBinding, type Connector, type VsockBinding } from './binding.ts'
import {
  failLater,
  placeholderOptions,
  setAddresses,
  setConnecting,
  VsockSocket,
  writeAtOnce,
} from './socket.ts'
import { systemError } from './system-error.ts'

export interface AfVsockOptions extends VsockAddress {
  readonly toHost: boolean
  readonly bufferSize: number
  readonly connectTimeout: number
}

/**
 * A connection over the kernel's AF_VSOCK. node:net makes its handle for a placeholder, an AF_UNIX descriptor, and in
 * the same tick the addon puts the connecting socket under that number (decision 008). Until it is connected, `connecting`
 * keeps node:net from reading and writing, as it does for its own sockets.
 */
export class AfVsockSocket extends VsockSocket {
  #connector: Connector | undefined
  readonly #binding: VsockBinding
  readonly #fd: number
  readonly #to: VsockAddress

  constructor(options: AfVsockOptions, socketOptions: SocketConstructorOpts) {
    const binding = loadBinding()
    const fd = binding.placeholder(false)
    super(fd < 0 ? socketOptions : placeholderOptions(fd, socketOptions))
    this.#binding = binding
    this.#fd = fd
    this.#to = { cid: options.cid, port: options.port }
    setAddresses(this, { remote: this.#to })
    setConnecting(this, true)
    if (fd < 0) {
      failLater(this, systemError(fd, 'socket', this.#to))
      return
    }
    const result = binding.connect(
      fd,
      options.cid,
      options.port,
      options.toHost ? 1 : 0,
      options.bufferSize,
      options.connectTimeout,
      (outcome) => this.#settle(outcome),
    )
    writeAtOnce(this, binding)
    if (typeof result === 'number') process.nextTick(() => this.#settle(result))
    else this.#connector = result
  }

  #settle(result: number): void {
    this.#connector = undefined
    if (this.destroyed) return
    if (result !== 0) {
      this.destroy(systemError(result, 'connect', this.#to))
      return
    }
    const local = this.#local()
    setAddresses(this, { remote: this.#to, ...(local === undefined ? {} : { local }) })
    setConnecting(this, false)
    this.emit('connect')
    this.emit('ready')
    if (!this.destroyed && !this.isPaused()) this.read(0)
  }

  /** The kernel names the port only: a socket that nobody has bound stays at VMADDR_CID_ANY. */
  #local(): VsockAddress | undefined {
    const name = this.#binding.name(this.#fd, false)
    if (typeof name === 'number') return undefined
    const [cid, port] = name
    if (cid !== VMADDR_CID_ANY) return { cid, port }
    const own = this.#to.cid === VMADDR_CID_LOCAL ? VMADDR_CID_LOCAL : this.#binding.localCid()
    return { cid: own < 0 ? cid : own, port }
  }

  override ref(): this {
    if (this.#connector !== undefined) this.#binding.setRef(this.#connector, true)
    return super.ref()
  }

  override unref(): this {
    if (this.#connector !== undefined) this.#binding.setRef(this.#connector, false)
    return super.unref()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.#connector !== undefined) this.#binding.cancel(this.#connector)
    this.#connector = undefined
    super._destroy(error, callback)
  }
}
