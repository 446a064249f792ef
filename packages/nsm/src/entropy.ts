import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { constants as os } from 'node:os'
import { loadBinding, type NsmBinding } from './binding.ts'
import type { NsmDevice } from './device.ts'
import { NsmError } from './error.ts'

/** Options of {@link seedEntropy}. */
export interface SeedEntropyOptions {
  /** How many bytes of the NSM to add, 32 to 4096. Default 256. */
  readonly bytes?: number
  /** The kernel's door for entropy. Default `/dev/random`. */
  readonly path?: string
}

/** What {@link seedEntropy} did. */
export interface SeededEntropy {
  readonly bytes: number
  /** Whether the kernel counts the bytes as entropy, beside mixing them in. Needs CAP_SYS_ADMIN and a real device. */
  readonly credited: boolean
}

/**
 * Mixes randomness of the NSM into the kernel's pool, from which `getrandom`, `/dev/urandom`, TLS and `node:crypto` draw.
 * A kernel whose `rng_current` is `nsm-hwrng` does this itself; this is for one that does not, and costs little where it
 * does. The bytes are credited as entropy with RNDADDENTROPY where the process may (random(4)); otherwise, and always
 * when a simulator answers, they are mixed in without credit, which cannot make the pool worse.
 *
 * It does not reseed generators that already drew: call it before anything makes keys.
 *
 * @throws {NsmError} `ERR_NSM_ENTROPY` when the pool takes nothing, and what {@link NsmDevice.getRandom} throws
 *
 * @example
 * ```ts
 * import { openNsm, seedEntropy } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * const { credited } = await seedEntropy(nsm)
 * ```
 */
export function seedEntropy(
  device: Pick<NsmDevice, 'getRandom' | 'source'>,
  options: SeedEntropyOptions = {},
): Promise<SeededEntropy> {
  return seedEntropyWith(loadBinding, device, options)
}

/** {@link seedEntropy} with another addon, for tests. */
export async function seedEntropyWith(
  load: () => Pick<NsmBinding, 'addEntropy'>,
  device: Pick<NsmDevice, 'getRandom' | 'source'>,
  options: SeedEntropyOptions,
): Promise<SeededEntropy> {
  const { bytes = 256, path = '/dev/random' } = options
  if (!Number.isInteger(bytes) || bytes < 32 || bytes > 4096) {
    throw new RangeError(`bytes must be an integer from 32 to 4096, and is ${bytes}`)
  }
  if (typeof path !== 'string' || path.includes('\0')) {
    throw new TypeError('path must be a string without NUL')
  }
  const seed = await device.getRandom(bytes)
  try {
    if (device.source === 'device') {
      const errno = load().addEntropy(path, seed)
      if (errno === 0) return { bytes, credited: true }
      if (errno !== os.errno.EPERM) throw failure(path, errno)
    }
    mix(path, seed)
    return { bytes, credited: false }
  } finally {
    seed.fill(0)
  }
}

/** random(4): what is written is mixed in and not counted. */
function mix(path: string, seed: Uint8Array): void {
  try {
    const fd = openSync(path, constants.O_WRONLY)
    try {
      writeSync(fd, seed)
    } finally {
      closeSync(fd)
    }
  } catch (cause) {
    throw failure(path, Math.abs((cause as NodeJS.ErrnoException).errno ?? 0), cause)
  }
}

function failure(path: string, errno: number, cause?: unknown): NsmError {
  const message = `${path} takes no entropy (errno ${errno}): it must be the kernel's random device, as devtmpfs makes it`
  return new NsmError('ERR_NSM_ENTROPY', message, { errno, cause })
}
