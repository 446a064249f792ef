import { createRequire } from 'node:module'
import { NsmError } from './error.ts'

/** A device as the addon holds it: an object without properties. */
export type NsmHandle = { readonly __handle: unique symbol }

/** The native addon (native/addon.c). Numbers instead of a result are errno. */
export interface NsmBinding {
  /** `onComplete` is called with the id and the result of each submitted call, once, until the handle is closed. */
  open(
    path: string,
    onComplete: (id: number, result: Uint8Array | number) => void,
  ): NsmHandle | number
  /** Copies the request and runs it on the device's own thread, unless `milliseconds` pass first. 0 when queued. */
  submit(handle: NsmHandle, id: number, request: Uint8Array, milliseconds: number): number
  /** Runs the request on this thread. */
  requestSync(handle: NsmHandle, request: Uint8Array): Uint8Array | number
  /** Closes the descriptor, now or when the last submitted call has returned. Any number of times. */
  close(handle: NsmHandle): void
  /** random(4), RNDADDENTROPY. 0 when credited. */
  addEntropy(path: string, bytes: Uint8Array): number
}

let loaded: NsmBinding | undefined

/**
 * Loads the prebuilt addon of this architecture. Not at import: the package imports everywhere, and only what needs the
 * device fails.
 *
 * @throws {NsmError} `ERR_NSM_BINDING`
 */
export function loadBinding(): NsmBinding {
  if (loaded !== undefined) return loaded
  if (process.platform !== 'linux') {
    const message = `The NSM is a Linux device and this is ${process.platform}. Run the application with the simulator: \`node --import @enclavejs/simulator/register app.js\`.`
    throw new NsmError('ERR_NSM_BINDING', message)
  }
  // The same path from src/ and from dist/.
  const file = `../prebuilds/linux-${process.arch}.node`
  try {
    loaded = createRequire(import.meta.url)(file) as NsmBinding
  } catch (cause) {
    const message = `The native addon ${file.slice(3)} of @enclavejs/nsm does not load. Prebuilt are linux-x64 and linux-arm64; in a clone of the repository \`npm run prepare\` builds it with cc.`
    throw new NsmError('ERR_NSM_BINDING', message, { cause })
  }
  return loaded
}
