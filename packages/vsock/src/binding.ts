import { createRequire } from 'node:module'
import { VsockError } from './error.ts'

/** A connect(2) in progress, as the addon holds it: an object without properties. */
export type Connector = { readonly __connector: unique symbol }

/** The native addon (native/addon.c). Negative numbers instead of a result are errno. */
export interface VsockBinding {
  /** A descriptor that node:net accepts, for a socket or for a listener. */
  placeholder(listener: boolean): number
  /** Puts a connecting AF_VSOCK socket under the placeholder's number. The callback is called once, later. */
  connect(
    placeholder: number,
    cid: number,
    port: number,
    toHost: number,
    bufferSize: number,
    connectTimeout: number,
    onResult: (result: number) => void,
  ): Connector | number
  cancel(connector: Connector): void
  setRef(connector: Connector, ref: boolean): void
  /** A bound and listening AF_VSOCK descriptor. */
  listen(cid: number, port: number, bufferSize: number, backlog: number): number
  /** Puts the socket `fd` under the placeholder's number too. */
  become(placeholder: number, fd: number): number
  close(fd: number): number
  /** Offers bytes to the kernel without waiting. Returns how many it took. */
  send(fd: number, bytes: Uint8Array): number
  /** Ends a Unix socket that is about to be closed and takes what it holds unread, so that its peer sees an end. */
  empty(fd: number): number
  name(fd: number, peer: boolean): readonly [cid: number, port: number] | number
  localCid(): number
}

let loaded: VsockBinding | undefined
let absent = false

/**
 * Loads the prebuilt addon of this architecture. Not at import: the package imports everywhere, and only what needs
 * AF_VSOCK fails.
 *
 * @throws {VsockError} `ERR_VSOCK_BINDING`
 */
export function loadBinding(): VsockBinding {
  if (loaded !== undefined) return loaded
  if (process.platform !== 'linux') {
    const message = `AF_VSOCK is Linux's and this is ${process.platform}. Run the application with the simulator: \`node --import @enclavejs/simulator/register app.js\`.`
    throw new VsockError('ERR_VSOCK_BINDING', message)
  }
  // The same path from src/ and from dist/.
  const file = `../prebuilds/linux-${process.arch}.node`
  try {
    loaded = createRequire(import.meta.url)(file) as VsockBinding
  } catch (cause) {
    const message = `The native addon ${file.slice(3)} of @enclavejs/vsock does not load. Prebuilt are linux-x64 and linux-arm64; in a clone of the repository \`npm run prepare\` builds it with cc.`
    throw new VsockError('ERR_VSOCK_BINDING', message, { cause })
  }
  return loaded
}

/** The addon for what goes better with it, and goes without. */
export function findBinding(): VsockBinding | undefined {
  if (loaded !== undefined || absent) return loaded
  try {
    return loadBinding()
  } catch {
    absent = true
    return undefined
  }
}
