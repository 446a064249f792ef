import type { PlatformCheck } from '@enclavejs/nsm'
import { loadNsmPackage, nsmErrorCode } from '../nsm-package.ts'
import { fail, ok, warn, type Check } from './check.ts'
import type { Machine } from './machine.ts'

/** What an enclave needs: its NSM, and what the NSM's package finds about the platform. */
export async function checkEnclave(machine: Machine, production: boolean): Promise<Check[]> {
  return [
    await checkDevice(machine),
    ...(await checkPlatform(production)),
    await checkLoopback(machine),
  ]
}

async function checkDevice(machine: Machine): Promise<Check> {
  switch (await machine.device('/dev/nsm')) {
    case 'usable':
      return ok('device', '/dev/nsm')
    case 'denied':
      return fail(
        'device',
        '/dev/nsm may not be opened by this user',
        'Run as root, or let the init chmod 0666 /dev/nsm.',
      )
    case 'absent':
      return machine.simulatorRegistered
        ? warn(
            'device',
            'no /dev/nsm; a simulator answers',
            'Nothing it attests proves anything: for development only.',
          )
        : fail(
            'device',
            'no /dev/nsm',
            'This is no enclave, or its kernel has no NSM driver (CONFIG_NSM, nsm.ko). To develop: enclavejs simulate -- COMMAND.',
          )
  }
}

async function checkPlatform(production: boolean): Promise<Check[]> {
  try {
    const nsm = await loadNsmPackage()
    await using device = nsm.openNsm()
    const { checks } = await nsm.checkPlatform(device)
    return checks.map((check) => fromPlatform(check, production))
  } catch (error) {
    const code = nsmErrorCode(error) ?? (error as { code?: string }).code
    const { message } = error as Error
    // What is missing without a device was said in the line of the device.
    if (code === 'ERR_NSM_NOT_FOUND' || code === 'ERR_NSM_ACCESS') return []
    return [
      fail(
        'nsm',
        `${code ?? 'error'}: ${message}`,
        'Mend this first; the checks behind it were not made.',
      ),
    ]
  }
}

/** Debug mode is what one wants while developing, and never in production. */
function fromPlatform(check: PlatformCheck, production: boolean): Check {
  const { name, status, actual, expected, fix } = check
  if (status === 'passed') return ok(name, actual)
  if (status === 'skipped')
    return warn(name, `not checked: ${actual}`, `In an enclave: ${expected}.`)
  if (name === 'debug-mode' && !production) return warn(name, actual, fix)
  return fail(name, actual, fix)
}

/** Nitro's init leaves the loopback interface down; programs that talk to themselves over 127.0.0.1 need it. */
async function checkLoopback(machine: Machine): Promise<Check> {
  const flags = await machine.text('/sys/class/net/lo/flags')
  if (flags !== undefined && (Number(flags) & 1) === 1) return ok('loopback', 'lo is up')
  return warn(
    'loopback',
    flags === undefined ? 'no interface lo' : 'lo is down',
    'ip link set lo up, in the init.',
  )
}
