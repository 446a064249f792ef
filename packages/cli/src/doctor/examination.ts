import { fail, type Check } from './check.ts'
import { checkEnclave } from './enclave.ts'
import { checkHost } from './host.ts'
import type { Machine } from './machine.ts'
import { checkParent } from './parent.ts'
import { checkSimulator } from './simulator.ts'

export type Role = 'enclave' | 'parent'

/** Everything that was found. */
export interface Examination {
  /** What this machine was taken for; null where it is neither. */
  readonly role: Role | null
  readonly production: boolean
  /** Whether nothing failed. */
  readonly ok: boolean
  readonly checks: readonly Check[]
}

/** Examines a machine as `role`, or as what its devices say it is. */
export async function examine(
  machine: Machine,
  options: { readonly role?: Role | undefined; readonly production: boolean },
): Promise<Examination> {
  const { production } = options
  const role = options.role ?? (await detectRole(machine))
  const checks: Check[] = []
  if (role === 'enclave') checks.push(...(await checkEnclave(machine, production)))
  if (role === 'parent') checks.push(...(await checkParent(machine)))
  if (role === null) {
    checks.push(
      fail(
        'place',
        'neither an enclave (/dev/nsm) nor a parent (/dev/nitro_enclaves)',
        'To develop here: enclavejs simulate -- COMMAND. To see what is missing: --as enclave or --as parent.',
      ),
    )
  }
  checks.push(...(await checkHost(machine)), checkSimulator(machine, production))
  return { role, production, ok: checks.every(({ status }) => status !== 'fail'), checks }
}

async function detectRole(machine: Machine): Promise<Role | null> {
  if (machine.simulatorRegistered) return 'enclave'
  if ((await machine.device('/dev/nsm')) !== 'absent') return 'enclave'
  if ((await machine.device('/dev/nitro_enclaves')) !== 'absent') return 'parent'
  return null
}
