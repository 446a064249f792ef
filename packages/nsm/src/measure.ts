import { createHash } from 'node:crypto'
import type { NsmDevice } from './device.ts'
import { NsmError } from './error.ts'
import { PCR_LENGTH } from './response.ts'

/** Options of {@link measure}. */
export interface MeasureOptions {
  /** The PCR to measure into, 16 to 31: those an enclave may extend. */
  readonly pcr: number
}

/** What {@link measure} did. */
export interface Measurement {
  readonly pcr: number
  /** SHA-384 of the data, with which the PCR was extended. */
  readonly digest: Uint8Array
  /** The value of the PCR from now on, equal to {@link measuredPcr} of the data. */
  readonly value: Uint8Array
}

/**
 * Measures data that is known only at run time, such as configuration the parent sends, into a PCR and locks it. From
 * then on every attestation document shows the PCR, and a verifier can require the value that {@link measuredPcr} gives.
 * The PCR must be zero and unlocked, so that the value depends on this data and nothing else.
 *
 * What is proven is that the enclave read these bytes before it locked the PCR, not that it acts on them. Whoever can open
 * the device can measure: do it before anything else runs.
 *
 * @throws {NsmError} `ERR_NSM_PCR_NOT_ZERO`, `ERR_NSM_READ_ONLY_INDEX` when the PCR is locked, `ERR_NSM_RESPONSE` when
 * the NSM reports another value than the data gives (somebody else extended the PCR meanwhile)
 *
 * @example
 * ```ts
 * import { measure, openNsm } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * await measure(nsm, new TextEncoder().encode('{"tenant":"a"}'), { pcr: 16 })
 * ```
 */
export async function measure(
  device: Pick<NsmDevice, 'describePcr' | 'extendPcr' | 'lockPcr'>,
  data: Uint8Array,
  options: MeasureOptions,
): Promise<Measurement> {
  const { pcr } = options
  if (typeof pcr !== 'number') throw new TypeError('pcr must be a number')
  if (!Number.isInteger(pcr) || pcr < 16 || pcr > 31) {
    throw new RangeError(`pcr must be an integer from 16 to 31, and is ${pcr}`)
  }
  const digest = sha384(data)
  const expected = extended(digest)
  const before = await device.describePcr(pcr)
  if (!before.locked && before.data.some((byte) => byte !== 0)) {
    const message = `PCR${pcr} holds a measurement already; choose another, or measure everything at once`
    throw new NsmError('ERR_NSM_PCR_NOT_ZERO', message)
  }
  const value = await device.extendPcr(pcr, digest)
  await device.lockPcr(pcr)
  const after = await device.describePcr(pcr)
  if (!equal(value, expected) || !equal(after.data, expected) || !after.locked) {
    const message = `PCR${pcr} does not have the value that the data gives: something else extended it meanwhile`
    throw new NsmError('ERR_NSM_RESPONSE', message)
  }
  return { pcr, digest, value }
}

/**
 * The value that {@link measure} gives a PCR: SHA-384 of 48 zero bytes followed by SHA-384 of the data. For whoever
 * writes down what a verifier shall require.
 *
 * @example
 * ```ts
 * import { measuredPcr } from '@enclavejs/nsm'
 *
 * const pcr16 = measuredPcr(new TextEncoder().encode('{"tenant":"a"}'))
 * ```
 */
export function measuredPcr(data: Uint8Array): Uint8Array {
  return extended(sha384(data))
}

function sha384(data: Uint8Array): Uint8Array {
  if (!(data instanceof Uint8Array)) throw new TypeError('data must be a Uint8Array')
  return Uint8Array.from(createHash('sha384').update(data).digest())
}

/** From zero. */
function extended(data: Uint8Array): Uint8Array {
  const hash = createHash('sha384').update(new Uint8Array(PCR_LENGTH)).update(data)
  return Uint8Array.from(hash.digest())
}

/** PCRs are public: the time of this comparison tells nothing. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
