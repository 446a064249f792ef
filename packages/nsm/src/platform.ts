import { readFile } from 'node:fs/promises'
import type { NsmDevice } from './device.ts'
import { NsmError } from './error.ts'
import type { NsmDescription } from './response.ts'
import { readTimestamp } from './timestamp.ts'

/** Options of {@link checkPlatform} and {@link assertPlatform}. */
export interface PlatformOptions {
  /**
   * The clock sources that are right on this platform. Default on x64 `kvm-clock`, which Nitro gives; on arm64
   * `arch_sys_counter`. QEMU's guests have `tsc`.
   */
  readonly clocksource?: string | readonly string[]
  /** How many milliseconds the clock may be away from the time that the NSM attests. Default 5000. */
  readonly maxClockOffset?: number
  /** Accept an enclave in debug mode, whose PCRs are zero and whose console the parent reads. Default false. */
  readonly allowDebugMode?: boolean
  /** Reads a file under /sys as text. Default the file system. */
  readonly readText?: (path: string) => Promise<string>
  /** The clock to check. Default the system's. */
  readonly now?: () => Date
}

/** One line of a {@link PlatformReport}. */
export interface PlatformCheck {
  readonly name: 'nsm' | 'pcrs' | 'debug-mode' | 'entropy' | 'clocksource' | 'clock'
  /** `skipped` only where a simulator answers and the check is about an enclave's kernel. */
  readonly status: 'passed' | 'failed' | 'skipped'
  readonly expected: string
  readonly actual: string
  /** What to do about a failure. */
  readonly fix: string
}

/** What {@link checkPlatform} found. */
export interface PlatformReport {
  /** Always six, in the same order. */
  readonly checks: readonly PlatformCheck[]
  /** Those that failed. */
  readonly failures: readonly PlatformCheck[]
  readonly nsm: NsmDescription
  /** Milliseconds by which the clock is ahead of the NSM's attested time; negative when behind. */
  readonly clockOffset: number
}

/** Thrown by {@link assertPlatform}, with code `ERR_NSM_PLATFORM`. */
export class NsmPlatformError extends NsmError {
  readonly report: PlatformReport

  constructor(report: PlatformReport) {
    const lines = report.failures.map(
      ({ name, expected, actual, fix }) => `${name}: expected ${expected}, found ${actual}. ${fix}`,
    )
    super('ERR_NSM_PLATFORM', `This enclave is not fit to run in: ${lines.join(' ')}`)
    this.name = 'NsmPlatformError'
    this.report = report
  }
}

type Device = Pick<NsmDevice, 'describeNsm' | 'describePcr' | 'attestation' | 'source'>

const RNG = [
  '/sys/devices/virtual/misc/hw_random/rng_current',
  '/sys/class/misc/hw_random/rng_current',
]
const CLOCKSOURCE = '/sys/devices/system/clocksource/clocksource0/current_clocksource'

/**
 * Checks what every enclave should check when it starts: that the NSM is one that this package knows, that the boot PCRs are locked,
 * that the enclave is not in debug mode, that the kernel's randomness comes from the NSM, that the clock source is the
 * one of the platform, and how far the clock is from the time that the NSM attests.
 *
 * The enclave examines itself: this finds misconfiguration and a tampering parent's effects on the clock. It proves nothing
 * to others; that is what attestation documents are for.
 *
 * @throws {NsmError} what the device throws; failed checks are in the report
 */
export async function checkPlatform(
  device: Device,
  options: PlatformOptions = {},
): Promise<PlatformReport> {
  const { maxClockOffset = 5000, allowDebugMode = false, now = () => new Date() } = options
  if (!(maxClockOffset >= 0)) throw new RangeError('maxClockOffset must be a number from 0')
  const nsm = await device.describeNsm()
  const pcr0 = await device.describePcr(0)
  const before = now().getTime()
  const attested = readTimestamp(await device.attestation())
  const after = now().getTime()
  const clockOffset =
    attested > after ? after - attested : attested < before ? before - attested : 0
  const checks = [
    checkNsm(nsm),
    checkPcrs(nsm),
    checkDebugMode(pcr0.data, allowDebugMode),
    await checkEntropy(device, options),
    await checkClocksource(device, options),
    check(
      'clock',
      Math.abs(clockOffset) <= maxClockOffset,
      `at most ${maxClockOffset} ms from the NSM's time`,
      `${clockOffset} ms`,
      'Set the clock from /dev/ptp0 or from the NSM; an enclave drifts and has no NTP.',
    ),
  ]
  return { checks, failures: checks.filter(({ status }) => status === 'failed'), nsm, clockOffset }
}

/**
 * {@link checkPlatform}, and throws unless every check passes.
 *
 * @throws {NsmPlatformError} `ERR_NSM_PLATFORM`, with the report
 *
 * @example
 * ```ts
 * import { assertPlatform, openNsm } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * await assertPlatform(nsm)
 * ```
 */
export async function assertPlatform(
  device: Device,
  options: PlatformOptions = {},
): Promise<PlatformReport> {
  const report = await checkPlatform(device, options)
  if (report.failures.length > 0) throw new NsmPlatformError(report)
  return report
}

function check(
  name: PlatformCheck['name'],
  passed: boolean,
  expected: string,
  actual: string,
  fix: string,
): PlatformCheck {
  return { name, status: passed ? 'passed' : 'failed', expected, actual, fix }
}

function checkNsm(nsm: NsmDescription): PlatformCheck {
  const { digest, maxPcrs, versionMajor, versionMinor, versionPatch } = nsm
  const actual = `${digest}, ${maxPcrs} PCRs (version ${versionMajor}.${versionMinor}.${versionPatch})`
  const fix = 'Update @enclavejs/nsm: this NSM is newer than it.'
  return check('nsm', digest === 'SHA384' && maxPcrs === 32, 'SHA384, 32 PCRs', actual, fix)
}

function checkPcrs(nsm: NsmDescription): PlatformCheck {
  const boot = Array.from({ length: 16 }, (_, index) => index)
  const open = boot.filter((index) => !nsm.lockedPcrs.includes(index))
  const actual = open.length === 0 ? 'locked' : `unlocked: ${open.join(', ')}`
  const fix =
    'Nitro locks these at boot. This is no Nitro Enclave, or lockPcrs(16) is missing in a test guest.'
  return check('pcrs', open.length === 0, 'PCR0 to PCR15 locked', actual, fix)
}

function checkDebugMode(pcr0: Uint8Array, allowed: boolean): PlatformCheck {
  const debug = pcr0.every((byte) => byte === 0)
  const expected = allowed ? 'any mode' : 'no debug mode'
  const actual = debug ? 'debug mode (PCR0 is zero)' : 'no debug mode'
  const fix =
    'Start the enclave without --debug-mode: KMS and verifiers refuse it, and the parent reads its console.'
  return check('debug-mode', !debug || allowed, expected, actual, fix)
}

async function checkEntropy(device: Device, options: PlatformOptions): Promise<PlatformCheck> {
  const fix =
    'Boot a kernel with the NSM driver (CONFIG_NSM, or nsm.ko loaded), and call seedEntropy before making keys.'
  return checkFile('entropy', device, options, RNG, ['nsm-hwrng'], fix)
}

async function checkClocksource(device: Device, options: PlatformOptions): Promise<PlatformCheck> {
  const { clocksource = process.arch === 'arm64' ? 'arch_sys_counter' : 'kvm-clock' } = options
  const expected = typeof clocksource === 'string' ? [clocksource] : clocksource
  const fix =
    'Boot without clocksource= and tsc= on the command line, or name what is right here in the clocksource option.'
  return checkFile('clocksource', device, options, [CLOCKSOURCE], expected, fix)
}

async function checkFile(
  name: PlatformCheck['name'],
  device: Device,
  { readText = (path) => readFile(path, 'utf8') }: PlatformOptions,
  paths: readonly string[],
  expected: readonly string[],
  fix: string,
): Promise<PlatformCheck> {
  const wanted = expected.join(' or ')
  if (device.source === 'simulator') {
    return { name, status: 'skipped', expected: wanted, actual: 'a simulator, no enclave', fix }
  }
  for (const path of paths) {
    const text = await readText(path).catch(() => undefined)
    if (text === undefined) continue
    const actual = text.trim() // sysfs ends with a newline
    return check(name, expected.includes(actual), wanted, actual === '' ? 'none' : actual, fix)
  }
  return check(name, false, wanted, `no readable ${paths[0]}`, fix)
}
