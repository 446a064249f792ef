import type { EnclaveInfo } from '@enclavejs/launcher'
import type { Arguments } from './arguments.ts'
import { loadLauncher, refusingLaunches } from './launcher-package.ts'
import type { Terminal } from './terminal.ts'

/** Where the parent meets an enclave: its CID, or the Unix socket in place of AF_VSOCK. */
export type EnclavePlace = EnclaveInfo['vsock']

/**
 * The enclave of `--enclave`; undefined without that flag; the exit status where there is none of that name, or where it is
 * ambiguous. An enclave of the simulator is met in the simulator's directory, which this process then belongs to.
 */
export async function placeOfEnclave(
  given: Arguments,
  terminal: Terminal,
): Promise<EnclavePlace | number | undefined> {
  const name = given.value('enclave')
  if (name === undefined) return undefined
  let place: EnclavePlace | undefined
  const status = await refusingLaunches(given.has('json'), terminal, async () => {
    const { findEnclave, joinSimulator, LauncherError } = await loadLauncher()
    const { state, vsock, simulatorDirectory } = await findEnclave(name)
    const why = notThere(state, vsock)
    if (why !== undefined) throw new LauncherError('ERR_LAUNCHER_NOT_FOUND', `${name}: ${why}`)
    if (simulatorDirectory !== undefined) await joinSimulator(simulatorDirectory, process.cwd())
    place = vsock
    return 0
  })
  return place ?? status
}

/** Why an enclave that is known cannot be met. */
function notThere(state: EnclaveInfo['state'], vsock: EnclavePlace): string | undefined {
  if (state === 'gone') return 'it has ended, and only its record is left; see enclavejs ps'
  if (state === 'stopping') return 'it is being stopped; see enclavejs ps'
  const isKnown = 'path' in vsock || vsock.cid > 0
  return isKnown ? undefined : 'its CID is not known yet: wait until enclavejs ps shows it'
}

/** Who may connect, as a listener of vsock takes it. */
export function listenerOf(
  place: EnclavePlace,
): { readonly allowedCids: number[] } | { readonly path: string } {
  return 'path' in place ? { path: place.path } : { allowedCids: [place.cid] }
}
