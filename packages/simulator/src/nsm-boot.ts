import { instanceIdOf } from './nitro-profile.ts'
import type { SimulatedNsmOptions } from './nsm-options.ts'
import { PCR_BYTES, PCR_COUNT, sha384, type PcrBank } from './pcr-bank.ts'

const LOCKED_AT_BOOT = 16
const ZERO = new Uint8Array(PCR_BYTES)

/** What a PCR holds that was zero and has been extended once. */
const extended = (data: Uint8Array): Uint8Array => sha384(ZERO, data)

/** Puts into the PCRs what the hypervisor measures before an enclave starts, and locks PCR0 to 15. */
export function bootPcrs(bank: PcrBank, options: SimulatedNsmOptions, moduleId: string): void {
  const { imageName = 'enclavejs', roleArn, debugMode = false, blank = false } = options
  const text = new TextEncoder()
  if (!blank) {
    for (const index of [0, 1, 2]) {
      bank.set(index, extended(sha384(text.encode(`${imageName}/PCR${index}`))))
    }
    if (roleArn !== undefined) bank.set(3, extended(text.encode(roleArn)))
    bank.set(4, extended(text.encode(instanceIdOf(moduleId))))
  }
  for (const [key, value] of Object.entries(options.pcrs ?? {})) {
    const index = Number(key)
    if (!Number.isInteger(index) || index < 0 || index >= PCR_COUNT) {
      throw new RangeError(`pcrs: expected indices 0 to 31, not ${key}`)
    }
    if (!(value instanceof Uint8Array) || value.length !== PCR_BYTES) {
      throw new TypeError(`pcrs: expected 48 bytes for PCR${index}`)
    }
    bank.set(index, value)
  }
  if (debugMode) for (const index of [0, 1, 2, 8]) bank.set(index, ZERO)
  if (!blank) for (let index = 0; index < LOCKED_AT_BOOT; index += 1) bank.lock(index)
}

/** The module id that the options name, one way or another. */
export function moduleIdOf(options: SimulatedNsmOptions): string {
  const { instanceId, certificateAuthority } = options
  const moduleId = options.moduleId ?? certificateAuthority.moduleId
  const own = instanceIdOf(moduleId)
  if (instanceId === undefined || instanceId === own) return moduleId
  if (options.moduleId !== undefined) {
    throw new TypeError(`instanceId: expected ${own}, the instance of moduleId`)
  }
  const renamed = moduleId.replace(own, instanceId)
  instanceIdOf(renamed)
  return renamed
}
