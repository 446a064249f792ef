import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { issueAttestationDocument } from './attestation-document.ts'
import { encodeCbor, type CborWritable } from './cbor.ts'
import { decodeRequest, type NsmRequest } from './nsm-request.ts'
import { bootPcrs, moduleIdOf } from './nsm-boot.ts'
import type { SimulatedNsmOptions } from './nsm-options.ts'
import { PCR_COUNT, PcrBank } from './pcr-bank.ts'

/** Names of AWS's error codes that this device gives. */
export type NsmErrorName =
  | 'InvalidArgument'
  | 'InvalidIndex'
  | 'ReadOnlyIndex'
  | 'InvalidOperation'
  | 'BufferTooSmall'
  | 'InputTooLarge'
  | 'InternalError'

const MAX_REQUEST = 0x1000
const MAX_RESPONSE = 0x3000
const RANDOM_BYTES = 256

/**
 * A Nitro Secure Module in this process: CBOR bytes in, CBOR bytes out, nothing of our types. It
 * has the whole state of one (32 PCRs, their locks) and answers like one, with documents that its
 * authority signs. It protects nothing and proves nothing: it is for development and tests.
 */
export class SimulatedNsm {
  readonly #bank: PcrBank
  readonly #options: SimulatedNsmOptions
  readonly #moduleId: string
  #last: Promise<unknown> = Promise.resolve()

  /** Use `createSimulatedNsm`. */
  constructor(options: SimulatedNsmOptions) {
    this.#options = { ...options }
    this.#moduleId = moduleIdOf(options)
    const { delayMs = 0 } = options
    if (!Number.isSafeInteger(delayMs) || delayMs < 0 || delayMs > 120_000) {
      throw new RangeError('delayMs: expected 0 to 120000 milliseconds')
    }
    this.#bank = new PcrBank(options.sharedPcrs)
    if (options.sharedPcrs === undefined) bootPcrs(this.#bank, options, this.#moduleId)
  }

  /** `i-…-enc…`, as in the documents. */
  get moduleId(): string {
    return this.#moduleId
  }

  /** The memory of the PCRs, for `sharedPcrs` of another thread's device. */
  get sharedPcrs(): SharedArrayBuffer {
    return this.#bank.memory
  }

  /**
   * One exchange. Exchanges are answered one after another in the order of the calls. Never
   * rejects for what is in `request`: errors are responses too. Anything but bytes is a `TypeError`.
   */
  async request(request: Uint8Array): Promise<Uint8Array> {
    const bytes = copyOf(request)
    const { delayMs = 0 } = this.#options
    const answer = this.#last.then(async () => {
      if (delayMs > 0) await sleep(delayMs)
      return this.#exchange(bytes)
    })
    this.#last = answer
    return answer
  }

  /**
   * One exchange that blocks the thread, before all that `request` has still waiting on it. Never
   * throws for what is in `request`; anything but bytes is a `TypeError`.
   */
  requestSync(request: Uint8Array): Uint8Array {
    const bytes = copyOf(request)
    const { delayMs = 0 } = this.#options
    if (delayMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs)
    return this.#exchange(bytes)
  }

  #exchange(bytes: Uint8Array): Uint8Array {
    // Through the kernel's driver this never arrives: the ioctl fails with EMSGSIZE.
    if (bytes.length > MAX_REQUEST) return error('InputTooLarge')
    const request = decodeRequest(bytes)
    if (request === undefined) return error('InvalidOperation')
    let response: Uint8Array
    try {
      response =
        request.command === 'Attestation'
          ? this.#attest(request)
          : this.#bank.exclusive(() => this.#answer(request))
    } catch {
      return error('InternalError')
    }
    return response.length > MAX_RESPONSE ? error('BufferTooSmall') : response
  }

  #answer(request: Exclude<NsmRequest, { command: 'Attestation' }>): Uint8Array {
    const bank = this.#bank
    switch (request.command) {
      case 'DescribeNSM':
        return success('DescribeNSM', {
          version_major: 1,
          version_minor: 0,
          version_patch: 0,
          module_id: this.#moduleId,
          max_pcrs: PCR_COUNT,
          locked_pcrs: bank.locked(),
          digest: 'SHA384',
        })
      case 'GetRandom':
        return success('GetRandom', { random: randomBytes(RANDOM_BYTES) })
      case 'DescribePCR': {
        const { index } = request
        if (index >= PCR_COUNT) return error('InvalidIndex')
        return success('DescribePCR', { lock: bank.isLocked(index), data: bank.value(index) })
      }
      case 'ExtendPCR': {
        const { index, data } = request
        if (index >= PCR_COUNT) return error('InvalidIndex')
        if (bank.isLocked(index)) return error('ReadOnlyIndex')
        return success('ExtendPCR', { data: bank.extend(index, data) })
      }
      case 'LockPCR': {
        const { index } = request
        if (index >= PCR_COUNT) return error('InvalidIndex')
        if (bank.isLocked(index)) return error('ReadOnlyIndex')
        bank.lock(index)
        return encodeCbor('LockPCR')
      }
      case 'LockPCRs': {
        const { range } = request
        if (range > PCR_COUNT) return error('InvalidIndex')
        for (let index = 0; index < range; index += 1) bank.lock(index)
        return encodeCbor('LockPCRs')
      }
    }
  }

  #attest(request: Extract<NsmRequest, { command: 'Attestation' }>): Uint8Array {
    const { certificateAuthority, strictSizes = false, definitePayload = false } = this.#options
    const { publicKey, userData, nonce } = request
    if (strictSizes) {
      if (publicKey?.length === 0) return error('InvalidArgument')
      if ((publicKey?.length ?? 0) > 1024) return error('InputTooLarge')
      if ((userData?.length ?? 0) > 512) return error('InputTooLarge')
      if ((nonce?.length ?? 0) > 512) return error('InputTooLarge')
    }
    const bank = this.#bank
    const pcrs = bank.exclusive(
      () => new Map(bank.locked().map((index) => [index, bank.value(index)])),
    )
    const leaf = certificateAuthority.issueLeaf(this.#moduleId)
    const document = issueAttestationDocument(
      {
        moduleId: this.#moduleId,
        timestamp: (this.#options.now?.() ?? certificateAuthority.now()).getTime(),
        pcrs,
        publicKey,
        userData,
        nonce,
      },
      leaf,
      { definite: definitePayload },
    )
    return success('Attestation', { document })
  }
}

/** Boots a simulated NSM. */
export function createSimulatedNsm(options: SimulatedNsmOptions): SimulatedNsm {
  return new SimulatedNsm(options)
}

function copyOf(request: Uint8Array): Uint8Array {
  if (!(request instanceof Uint8Array)) throw new TypeError('request: expected a Uint8Array')
  return Uint8Array.from(request)
}

function success(command: string, fields: Readonly<Record<string, CborWritable>>): Uint8Array {
  return encodeCbor(new Map([[command, new Map(Object.entries(fields))]]))
}

function error(name: NsmErrorName): Uint8Array {
  return encodeCbor(new Map([['Error', name]]))
}
