import { createHash } from 'node:crypto'

/** PCRs of a Nitro Secure Module. */
export const PCR_COUNT = 32
/** Bytes of a PCR: SHA-384. */
export const PCR_BYTES = 48

const LOCKED = 1
const SECOND_SLOT = 2
/** A holder needs microseconds; one that holds this long was a worker thread that is no more. */
const ABANDONED_MS = 1000
const HEADER_BYTES = 4 * (1 + PCR_COUNT)

/** SHA-384 over the parts: what a PCR holds after `extend` is `sha384(old, data)`. */
export function sha384(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha384')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/**
 * The PCRs and their locks in shared memory, so that all threads of a process see one device. Each
 * PCR has two slots: a new value is written beside the old one and then put in force by one store,
 * so that a thread that is ended half-way leaves the old value.
 */
export class PcrBank {
  /** To be given to another thread's `PcrBank`. */
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array<SharedArrayBuffer>
  readonly #slots: Uint8Array<SharedArrayBuffer>

  /** @param memory of another bank; left out, a bank of its own with all PCRs zero and unlocked. */
  constructor(
    memory: SharedArrayBuffer = new SharedArrayBuffer(HEADER_BYTES + 2 * PCR_COUNT * PCR_BYTES),
  ) {
    this.memory = memory
    this.#words = new Int32Array(memory, 0, 1 + PCR_COUNT)
    this.#slots = new Uint8Array(memory, HEADER_BYTES)
  }

  /** Runs `work` while no other thread is at the PCRs. Not reentrant. */
  exclusive<T>(work: () => T): T {
    while (Atomics.compareExchange(this.#words, 0, 0, 1) !== 0) {
      if (Atomics.wait(this.#words, 0, 1, ABANDONED_MS) === 'timed-out') break
    }
    try {
      return work()
    } finally {
      Atomics.store(this.#words, 0, 0)
      Atomics.notify(this.#words, 0, 1)
    }
  }

  value(index: number): Uint8Array {
    return Uint8Array.from(this.#slot(index, this.#state(index)))
  }

  isLocked(index: number): boolean {
    return (this.#state(index) & LOCKED) !== 0
  }

  /** The indices of all locked PCRs, ascending. */
  locked(): number[] {
    return Array.from({ length: PCR_COUNT }, (_, index) => index).filter((i) => this.isLocked(i))
  }

  lock(index: number): void {
    Atomics.store(this.#words, 1 + index, this.#state(index) | LOCKED)
  }

  /** `new = SHA384(old || data)`; returns the new value. Whether it is locked is the caller's to ask. */
  extend(index: number, data: Uint8Array): Uint8Array {
    const value = sha384(this.value(index), data)
    this.set(index, value)
    return value
  }

  set(index: number, value: Uint8Array): void {
    const next = this.#state(index) ^ SECOND_SLOT
    this.#slot(index, next).set(value)
    Atomics.store(this.#words, 1 + index, next)
  }

  #state(index: number): number {
    return Atomics.load(this.#words, 1 + index)
  }

  #slot(index: number, state: number): Uint8Array {
    const offset = (2 * index + (state & SECOND_SLOT ? 1 : 0)) * PCR_BYTES
    return this.#slots.subarray(offset, offset + PCR_BYTES)
  }
}
