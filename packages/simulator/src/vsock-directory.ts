import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { SimulatorError } from './error.ts'

/** The CID of the simulated parent, as on Nitro. */
export const PARENT_CID = 3
/** The CID of the simulated enclave unless `ENCLAVEJS_SIMULATOR_CID` gives another. */
export const ENCLAVE_CID = 16

/** unix(7) takes 107 bytes, and the longest name in the directory is `4294967295_4294967295`. */
const LONGEST = 107 - 22

/**
 * The directory in which simulated enclave and parent meet: the listener at a CID and port is its Unix socket
 * `CID_PORT`. Only its owner may enter, because nothing else tells who connects.
 *
 * @param home The simulator's directory. Without one, a directory of this process alone, removed when it exits.
 */
export function openVsockDirectory(home: string | undefined): string {
  const directory =
    home === undefined ? mkdtempSync(join(tmpdir(), 'enclavejs-')) : join(resolve(home), 'vsock')
  if (home === undefined) {
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  }
  if (Buffer.byteLength(directory) > LONGEST) {
    throw new SimulatorError(
      'ERR_SIMULATOR_DIRECTORY',
      `${directory} is too long for the names of Unix sockets: expected at most ${LONGEST} bytes, choose another ENCLAVEJS_SIMULATOR_DIR`,
    )
  }
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const found = lstatSync(directory)
    if (!found.isDirectory()) throw new Error('not a directory')
    if (process.getuid !== undefined && found.uid !== process.getuid()) {
      throw new Error('it belongs to another user')
    }
    chmodSync(directory, 0o700)
  } catch (cause) {
    throw new SimulatorError(
      'ERR_SIMULATOR_DIRECTORY',
      `${directory} cannot hold the simulated vsock: expected a directory of this user that can be written`,
      { cause },
    )
  }
  return directory
}
