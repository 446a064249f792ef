import { SimulatorError } from './error.ts'
import type { SimulatedNsmOptions } from './nsm-options.ts'
import { ENCLAVE_CID } from './vsock-directory.ts'

/** What the environment says about the simulator; only the simulator reads these variables. */
export interface SimulatorEnvironment {
  readonly directory: string | undefined
  /** The CID of the simulated enclave. */
  readonly cid: number
  readonly nsm: Pick<
    SimulatedNsmOptions,
    'moduleId' | 'roleArn' | 'imageName' | 'pcrs' | 'debugMode' | 'strictSizes' | 'delayMs'
  >
}

const PREFIX = 'ENCLAVEJS_SIMULATOR_'

/**
 * Reads the variables that begin with `ENCLAVEJS_SIMULATOR_`; one that is empty counts as absent.
 * A value that is not understood, and a name that is not known, is `ERR_SIMULATOR_ENVIRONMENT`:
 * a mistyped name must not pass for the default.
 */
export function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): SimulatorEnvironment {
  let directory: string | undefined
  let cid = ENCLAVE_CID
  const nsm: {
    -readonly [K in keyof SimulatorEnvironment['nsm']]: SimulatorEnvironment['nsm'][K]
  } = {}
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || value === undefined || value === '') continue
    switch (variable.slice(PREFIX.length)) {
      case 'DIR':
        directory = value
        break
      case 'CID':
        cid = Number(matching(variable, value, /^(?:[4-9]|[1-9]\d{1,8})$/, '4 to 999999999'))
        break
      case 'MODULE_ID':
        nsm.moduleId = matching(variable, value, /^i-[0-9a-f]{8,17}-enc[0-9a-f]{16}$/, 'i-…-enc…')
        break
      case 'ROLE_ARN':
        nsm.roleArn = matching(variable, value, /^arn:/, 'an ARN')
        break
      case 'IMAGE':
        nsm.imageName = value
        break
      case 'PCRS':
        nsm.pcrs = pcrs(variable, value)
        break
      case 'DEBUG_MODE':
        nsm.debugMode = flag(variable, value)
        break
      case 'STRICT_SIZES':
        nsm.strictSizes = flag(variable, value)
        break
      case 'DELAY_MS':
        nsm.delayMs = Number(matching(variable, value, /^\d{1,5}$/, '0 to 99999'))
        break
      default:
        throw new SimulatorError(
          'ERR_SIMULATOR_ENVIRONMENT',
          `${variable} is not a variable of the simulator: expected DIR, CID, MODULE_ID, ROLE_ARN, IMAGE, PCRS, DEBUG_MODE, STRICT_SIZES or DELAY_MS after ${PREFIX}`,
        )
    }
  }
  return { directory, cid, nsm }
}

function matching(variable: string, value: string, pattern: RegExp, expected: string): string {
  if (pattern.test(value)) return value
  throw new SimulatorError('ERR_SIMULATOR_ENVIRONMENT', `${variable}: expected ${expected}`)
}

function flag(variable: string, value: string): boolean {
  return matching(variable, value, /^[01]$/, '1 or 0') === '1'
}

function pcrs(variable: string, value: string): Record<number, Uint8Array> {
  const entries = value.split(',').map((one): [number, Uint8Array] => {
    const expected = 'INDEX=96 hex digits, separated by commas'
    const [index = '', hex = ''] = matching(
      variable,
      one.trim(),
      /^(?:[12]?\d|3[01])=[0-9a-fA-F]{96}$/,
      expected,
    ).split('=')
    return [Number(index), new Uint8Array(Buffer.from(hex, 'hex'))]
  })
  return Object.fromEntries(entries)
}
