import type { Socket } from 'node:net'
import { VsockError } from '../error.ts'
import type { Allowlist } from './allowlist.ts'
import { alternate, connectAny } from './happy-eyeballs.ts'
import { formatHostPort, type Host } from './host-name.ts'
import { addressKind, parseIp } from './ip-address.ts'
import type { NameCache } from './name-cache.ts'
import type { DestinationOptions } from './options.ts'

/** For how long an address that failed is tried last, in milliseconds. */
const PENALTY = 30_000

/** One host and port that may be reached, and how its addresses are judged. */
export class Destination {
  readonly host: Host
  readonly port: number
  readonly #options: DestinationOptions
  readonly #names: NameCache
  readonly #allowlist: Allowlist | undefined
  readonly #failed = new Map<string, number>()
  #turn = 0

  constructor(
    host: Host,
    options: DestinationOptions,
    names: NameCache,
    allowlist: Allowlist | undefined,
  ) {
    this.host = host
    this.port = options.port
    this.#options = options
    this.#names = names
    this.#allowlist = allowlist
    if (allowlist?.judge(host, options.port) === 'none') {
      throw new VsockError(
        'ERR_VSOCK_PROXY_NOT_ALLOWED',
        `${this.name}: the allowlist names neither this host and port nor an address with this port; add it there, or remove the destination`,
      )
    }
  }

  /** Host and port, as a URL has them. */
  get name(): string {
    return formatHostPort(this.host.name, this.port)
  }

  /**
   * A connection to one of the addresses that the destination has now. What is connected to are the very addresses that
   * were judged.
   *
   * @throws {VsockError} `ERR_VSOCK_PROXY_DNS`, `ERR_VSOCK_PROXY_ADDRESS`, `ERR_VSOCK_PROXY_CONNECT`,
   * `ERR_VSOCK_PROXY_TIMEOUT`.
   */
  async connect(timeout: number): Promise<{ socket: Socket; address: string; stale: boolean }> {
    const began = performance.now()
    const { addresses, stale } = await this.addresses(timeout)
    const left = Math.max(1, timeout - (performance.now() - began))
    const connected = await connectAny(this.#order(addresses), this.port, {
      timeout: left,
      failed: (address) => this.#failed.set(address, performance.now() + PENALTY),
    })
    this.#failed.delete(connected.address)
    return { ...connected, stale }
  }

  /** The addresses that may be connected to, as they are now. */
  async addresses(within: number): Promise<{ addresses: readonly string[]; stale: boolean }> {
    if (this.host.ip !== undefined) return { addresses: [this.host.name], stale: false }
    const { addresses, stale } = await this.#names.get(this.host.name, within)
    const wanted = addresses.filter((address) => this.#allows(address))
    if (wanted.length > 0) return { addresses: wanted, stale }
    const kinds = addresses.map((address) => {
      const ip = parseIp(address)
      return ip === undefined ? 'malformed' : addressKind(ip)
    })
    throw new VsockError(
      'ERR_VSOCK_PROXY_ADDRESS',
      `${this.name}: DNS gives addresses that may not be reached (${[...new Set(kinds)].join(', ')}); ` +
        'if that is meant, as for a VPC endpoint, set allowPrivateAddresses or name the address itself',
    )
  }

  #allows(address: string): boolean {
    const ip = parseIp(address)
    if (ip === undefined) return false
    const { family, allowPrivateAddresses, dangerouslyAllowAnyAddress } = this.#options
    if (family !== undefined && ip.length !== (family === 4 ? 4 : 16)) return false
    if (this.#allowlist?.allowsAddress(ip, this.port) === true) return true
    if (this.#allowlist?.judge(this.host, this.port) === 'some') return false
    if (dangerouslyAllowAnyAddress === true) return true
    const kind = addressKind(ip)
    return kind === 'public' || (kind === 'private' && allowPrivateAddresses === true)
  }

  /** Connections are spread over the addresses; one that failed lately is tried last. */
  #order(addresses: readonly string[]): readonly string[] {
    const now = performance.now()
    for (const [address, until] of this.#failed) {
      if (until < now || !addresses.includes(address)) this.#failed.delete(address)
    }
    const turn = this.#turn++ % addresses.length
    const turned = alternate([...addresses.slice(turn), ...addresses.slice(0, turn)])
    const isBad = (address: string): boolean => this.#failed.has(address)
    return [...turned.filter((address) => !isBad(address)), ...turned.filter(isBad)]
  }
}
