import { loadBinding } from './binding.ts'
import { registeredSimulator } from './simulator.ts'
import { systemError } from './system-error.ts'

/**
 * This machine's CID: in an enclave the one that the parent connects to. `VMADDR_CID_ANY` where there is no transport.
 *
 * @throws {VsockSystemError} `ENOENT` (no `/dev/vsock`: the module vsock is not loaded), `EACCES`
 * @throws {VsockError} `ERR_VSOCK_BINDING`, `ERR_VSOCK_SIMULATOR_CONFLICT`, `ERR_VSOCK_SIMULATOR_INVALID`
 * @see vsock(7), IOCTL_VM_SOCKETS_GET_LOCAL_CID
 */
export function getLocalCid(): number {
  const simulator = registeredSimulator()
  if (simulator !== undefined) return simulator.localCid
  const cid = loadBinding().localCid()
  if (cid < 0) throw systemError(cid, 'open', {})
  return cid
}
