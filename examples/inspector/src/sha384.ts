import { sha384 } from '@noble/hashes/sha2.js'
import type { CreateHash, Sha384 } from '@enclavejs/eif'

type NobleSha384 = ReturnType<typeof sha384.create>

/** WebCrypto hashes whole buffers only; an image is fed in parts of 1 MiB, so that it is never in memory as a whole. */
class IncrementalSha384 implements Sha384 {
  readonly #state: NobleSha384

  constructor(state: NobleSha384) {
    this.#state = state
  }

  update(data: Uint8Array): this {
    this.#state.update(data)
    return this
  }

  digest(): Uint8Array {
    return this.#state.digest()
  }

  copy(): IncrementalSha384 {
    return new IncrementalSha384(this.#state.clone())
  }
}

export const createSha384: CreateHash = () => new IncrementalSha384(sha384.create())
