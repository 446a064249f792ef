/** Any CID: a listener takes connections to every local one (vsock(7)). */
export const VMADDR_CID_ANY = 0xffff_ffff
/** The hypervisor itself; nothing of this package uses it. */
export const VMADDR_CID_HYPERVISOR = 0
/** This machine, by loopback, where the kernel has the transport (`vsock_loopback`). */
export const VMADDR_CID_LOCAL = 1
/** The host of a virtual machine. On Nitro the parent is not at this CID but at {@link NITRO_PARENT_CID}. */
export const VMADDR_CID_HOST = 2
/** The kernel picks a free port above 1023. */
export const VMADDR_PORT_ANY = 0xffff_ffff
/** The parent instance of a Nitro Enclave, as the enclave sees it. Elsewhere (QEMU, Firecracker) it is `VMADDR_CID_HOST`. */
export const NITRO_PARENT_CID = 3

/** Both halves of an AF_VSOCK address: unsigned 32-bit integers. */
export interface VsockAddress {
  readonly cid: number
  readonly port: number
}

/** @throws {TypeError} `name` is no integer. @throws {RangeError} It is not between `least` and `most`. */
export function integerOption(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw new TypeError(
      `${name}: expected an integer, got ${typeof value === 'number' ? value : typeof value}`,
    )
  }
  if (value < least || value > most) {
    throw new RangeError(`${name}: expected ${least} to ${most}, got ${value}`)
  }
  return value
}

/** @throws {TypeError} `name` is no number. @throws {RangeError} It is no integer from `least` to `most`. */
export function millisecondsOption(
  name: string,
  value: unknown,
  least: number,
  most: number,
): number {
  if (typeof value !== 'number') {
    throw new TypeError(`${name}: expected a number of milliseconds, got ${typeof value}`)
  }
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name}: expected ${least} to ${most} ms, got ${value}`)
  }
  return value
}

/** A CID or a port: both are 32 bits wide, so a port is no TCP port. */
export function addressPart(name: 'cid' | 'port', value: unknown): number {
  return integerOption(name, value, 0, 0xffff_ffff)
}
