import { configError, Fields } from './fields.ts'
import { parseHost, type Host } from './host-name.ts'
import { addressKey } from './ip-address.ts'
import { parseYaml } from './yaml-file.ts'

/** One line of AWS's `vsock-proxy.yaml`. */
export interface AllowlistEntry {
  /** A DNS name or an IP address. No wildcards. */
  readonly address: string
  /** 1 to 65535. */
  readonly port: number
}

/**
 * What AWS's `vsock-proxy.yaml` allows. A name in it allows that name, in any case and with or without a trailing dot;
 * an IP address allows that address, however it is written, whether it was asked for or a name resolved to it.
 */
export class Allowlist {
  readonly #names = new Set<string>()
  readonly #addresses = new Set<string>()
  readonly #ports = new Set<number>()

  constructor(entries: readonly AllowlistEntry[], where = 'allowlist') {
    for (const [index, { address, port }] of entries.entries()) {
      const host = parseHost(address)
      if (host === undefined) {
        throw configError(`${where}[${index}].address`, 'a DNS name or an IP address', address)
      }
      if (host.ip === undefined) this.#names.add(`${host.name}:${port}`)
      else {
        this.#addresses.add(`${addressKey(host.ip)}:${port}`)
        this.#ports.add(port)
      }
    }
  }

  /**
   * Whether a destination is allowed: `all` of its addresses, `some` where only an address that the list names can allow
   * it, or `none`.
   */
  judge(host: Host, port: number): 'all' | 'some' | 'none' {
    if (host.ip !== undefined) return this.allowsAddress(host.ip, port) ? 'all' : 'none'
    if (this.#names.has(`${host.name}:${port}`)) return 'all'
    return this.#ports.has(port) ? 'some' : 'none'
  }

  /** Whether the list names this very address. */
  allowsAddress(ip: Uint8Array, port: number): boolean {
    return this.#addresses.has(`${addressKey(ip)}:${port}`)
  }
}

/**
 * Reads AWS's `vsock-proxy.yaml`: a map with the one key `allowlist`, a list of `{address, port}`. Every other key, a key
 * given twice, an alias, a port in quotes or a name that is none is refused: of a list that decides what an enclave
 * reaches nothing is guessed.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG`.
 * @example
 * ```ts
 * import { parseAllowlist } from '@enclavejs/vsock/proxy'
 *
 * const entries = parseAllowlist('allowlist:\n- {address: kms.eu-west-1.amazonaws.com, port: 443}\n')
 * ```
 */
export function parseAllowlist(text: string): readonly AllowlistEntry[] {
  const fields = new Fields(parseYaml(text, 'allowlist'), 'allowlist', ['allowlist'])
  if (!fields.has('allowlist')) throw configError('allowlist', 'a map with the key allowlist')
  const entries = fields.list('allowlist', readEntry)
  void new Allowlist(entries)
  return entries
}

/** One entry, strictly. */
export function readEntry(value: unknown, where: string): AllowlistEntry {
  const fields = new Fields(value, where, ['address', 'port'])
  return { address: fields.string('address'), port: fields.integer('port', 1, 65_535) }
}
