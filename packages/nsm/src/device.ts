import { channel } from 'node:diagnostics_channel'
import {
  attestationRequest,
  describeNsmRequest,
  describePcrRequest,
  extendPcrRequest,
  getRandomRequest,
  lockPcrRequest,
  lockPcrsRequest,
  type AttestationRequest,
  type Request,
} from './request.ts'
import {
  readBytes,
  readDescription,
  readEmpty,
  readPcr,
  unexpected,
  type NsmDescription,
  type PcrDescription,
} from './response.ts'
import { checkRequest, closedError, withDeadline, type NsmTransport } from './transport.ts'

/** A message on the diagnostics channel `enclavejs:nsm:request`, after each exchange. Never holds payload. */
export interface NsmRequestEvent {
  /** AWS's name of the command: `Attestation`, `GetRandom`… */
  readonly command: string
  readonly requestBytes: number
  /** Absent when there was no answer. */
  readonly responseBytes?: number
  /** Milliseconds from the call to the answer, waiting for other calls included. */
  readonly duration: number
}

/** The most bytes that one {@link NsmDevice.getRandom} gives: 1 MiB, 4096 exchanges on Nitro. */
const RANDOM_MAX = 0x10_0000
const requests = channel('enclavejs:nsm:request')

/**
 * An open NSM. Every method copies its arguments before it returns, runs on a thread of the device's own, and may be
 * called from several places at once; the NSM answers one after the other, whoever asks.
 *
 * All methods throw {@link NsmError}: `ERR_NSM_CLOSED`, `ERR_NSM_DEADLINE`, `ERR_NSM_BUSY`, `ERR_NSM_IOCTL`,
 * `ERR_NSM_RESPONSE`, `ERR_NSM_TRUNCATED`, and the refusals of the NSM, which carry AWS's name in `nsmCode`. Arguments
 * out of bounds throw `TypeError` or `RangeError` before anything is sent.
 */
export class NsmDevice implements AsyncDisposable {
  /**
   * The exchange below the codec, with the deadline and the bounds of this device: CBOR bytes in and out. Its
   * `requestSync` blocks the thread until the NSM answers, without deadline; it is for start-up code that cannot wait.
   */
  readonly transport: NsmTransport
  /** What answers: the device, a registered simulator, or the `transport` that {@link openNsm} was given. */
  readonly source: 'device' | 'simulator' | 'transport'
  readonly #release: () => void
  #closed = false
  #running = 0
  #idle: (() => void) | undefined
  #closing: Promise<void> | undefined

  /** Devices come from {@link openNsm}. */
  constructor(
    source: NsmDevice['source'],
    transport: NsmTransport,
    deadline: number,
    release: () => void = () => {},
  ) {
    this.source = source
    this.#release = release
    const request = async (bytes: Uint8Array): Promise<Uint8Array> => {
      this.#check(bytes)
      this.#running++
      try {
        return await withDeadline(transport(bytes), deadline)
      } finally {
        this.#running--
        if (this.#running === 0) this.#idle?.()
      }
    }
    const requestSync = transport.requestSync
    this.transport =
      requestSync === undefined
        ? request
        : Object.assign(request, {
            requestSync: (bytes: Uint8Array): Uint8Array => {
              this.#check(bytes)
              return requestSync(bytes)
            },
          })
  }

  /** The NSM's version, module id and locked PCRs. */
  async describeNsm(): Promise<NsmDescription> {
    return readDescription(await this.#exchange(describeNsmRequest()))
  }

  /**
   * One PCR.
   *
   * @param index - 0 to 31
   */
  async describePcr(index: number): Promise<PcrDescription> {
    return readPcr(await this.#exchange(describePcrRequest(index)))
  }

  /**
   * Extends a PCR: its new value is SHA-384 of the old value followed by `data`. Returns the new value, 48 bytes.
   * PCRs 0 to 15 are locked in an enclave; `ERR_NSM_READ_ONLY_INDEX` says so.
   *
   * @param index - 0 to 31
   * @param data - any bytes that fit a request of 4096 bytes: 4069 up to index 23, 4068 above
   */
  async extendPcr(index: number, data: Uint8Array): Promise<Uint8Array> {
    return readBytes('ExtendPCR', 'data', await this.#exchange(extendPcrRequest(index, data)))
  }

  /**
   * Locks a PCR until the enclave ends. From then on it is part of every attestation document. A PCR that is locked
   * already is `ERR_NSM_READ_ONLY_INDEX`.
   *
   * @param index - 0 to 31
   */
  async lockPcr(index: number): Promise<void> {
    readEmpty('LockPCR', await this.#exchange(lockPcrRequest(index)))
  }

  /**
   * Locks the PCRs from 0 to `range` - 1. Those that are locked stay so; this is no error.
   *
   * @param range - 0 to 32
   */
  async lockPcrs(range: number): Promise<void> {
    readEmpty('LockPCRs', await this.#exchange(lockPcrsRequest(range)))
  }

  /**
   * Random bytes from the NSM, in as many exchanges as it takes (256 bytes each on Nitro). The kernel feeds from the
   * same source, so `node:crypto` is as good once the platform is checked; this is for seeding and for the cautious.
   *
   * @param count - 0 to 1048576 bytes; the deadline is that of each exchange
   */
  async getRandom(count: number): Promise<Uint8Array> {
    if (typeof count !== 'number') throw new TypeError('count must be a number')
    if (!Number.isInteger(count) || count < 0 || count > RANDOM_MAX) {
      throw new RangeError(`count must be an integer from 0 to ${RANDOM_MAX}, and is ${count}`)
    }
    const random = new Uint8Array(count)
    for (let filled = 0; filled < count;) {
      const bytes = readBytes('GetRandom', 'random', await this.#exchange(getRandomRequest()))
      random.set(bytes.subarray(0, count - filled), filled)
      filled += bytes.length
      bytes.fill(0)
    }
    return random
  }

  /**
   * An attestation document: COSE_Sign1 signed by the NSM over the locked PCRs, the module id, the time, and the three
   * inputs. It proves what runs to whoever verifies it (`@enclavejs/attestation`), not to the enclave itself.
   *
   * The three together must fit a request of 4096 bytes, with 44 to 53 of overhead. AWS's documentation says 1024 each
   * (in one place 512 for `userData` and `nonce`), and verifiers hold to that; the NSM does not.
   */
  async attestation(input: AttestationRequest = {}): Promise<Uint8Array> {
    return readBytes('Attestation', 'document', await this.#exchange(attestationRequest(input)))
  }

  /**
   * Refuses further calls and resolves when those under way have ended, or have met their deadline. A call that is
   * stuck in the kernel keeps the descriptor until it returns. May be called any number of times.
   */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closed = true
      this.#release()
      this.#closing =
        this.#running === 0
          ? Promise.resolve()
          : new Promise((resolve) => {
              this.#idle = () => setImmediate(resolve) // after whoever waits for the calls themselves
            })
    }
    return this.#closing
  }

  /** {@link NsmDevice.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(bytes: Uint8Array): void {
    checkRequest(bytes)
    if (this.#closed) throw closedError()
  }

  async #exchange({ command, bytes }: Request): Promise<Uint8Array> {
    const started = requests.hasSubscribers ? performance.now() : undefined
    let response: Uint8Array | undefined
    try {
      response = await this.transport(bytes)
      if (!(response instanceof Uint8Array)) throw unexpected(command, 'no bytes')
      return response
    } finally {
      if (started !== undefined) {
        requests.publish({
          command,
          requestBytes: bytes.length,
          ...(response instanceof Uint8Array && { responseBytes: response.length }),
          duration: performance.now() - started,
        } satisfies NsmRequestEvent)
      }
    }
  }
}
