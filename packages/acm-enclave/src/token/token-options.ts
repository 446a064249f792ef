import type { TokenLabels } from './token-store.ts'

/** How a token presents itself, and what it takes. */
export interface TokenDescription {
  /** `CKA_LABEL` of the token, 1 to 32 bytes of UTF-8: `token=` in a PKCS #11 URI. */
  readonly label: string
  /**
   * What a client logs in with: 4 to 64 bytes of UTF-8. 16 random bytes as hex are a good one. It keeps out other users
   * of the parent who reach the socket; it does not keep out the parent, which has to know it.
   */
  readonly pin: string
  /** `manufacturer=` in a PKCS #11 URI, up to 32 bytes. Default `enclavejs`; ACM for Nitro Enclaves has `Amazon`. */
  readonly manufacturer?: string | undefined
  /** `model=` in a PKCS #11 URI, up to 16 bytes. Default `acm-token`; ACM for Nitro Enclaves has `p11ne-token`. */
  readonly model?: string | undefined
  /** `serial=` in a PKCS #11 URI, up to 16 bytes. Default `1`. */
  readonly serialNumber?: string | undefined
  /** Connections at a time; more are closed at once. A web server has one for each worker and one for its master. Default 256, at most 4096. */
  readonly maxConnections?: number | undefined
  /**
   * Sessions at a time, over all connections. Default 1024, at most 65536. One connection has 16 of them at most before its
   * login, and 128 after it. When none is left, a connection without a login gives way to a new one.
   */
  readonly maxSessions?: number | undefined
}

/** A {@link TokenDescription} with its defaults. */
export interface CheckedDescription {
  readonly labels: TokenLabels
  readonly pin: string
  readonly maxConnections: number
  readonly maxSessions: number
}

const KNOWN = new Set([
  ...['keys', 'label', 'pin', 'manufacturer', 'model', 'serialNumber'],
  ...['maxConnections', 'maxSessions'],
])

function checkText(name: string, value: unknown, least: number, most: number): string {
  if (typeof value !== 'string') throw new TypeError(`${name} is a string`)
  const length = Buffer.byteLength(value)
  if (length < least || length > most) {
    throw new RangeError(`${name} has ${least} to ${most} bytes, not ${length}`)
  }
  return value
}

function checkCount(name: string, value: number, most: number): number {
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new RangeError(`${name} is an integer from 1 to ${most}`)
  }
  return value
}

/** @throws {TypeError | RangeError} naming the option; a name that is none is refused */
export function checkDescription(
  options: TokenDescription,
  more: readonly string[] = [],
): CheckedDescription {
  const unknown = Object.keys(options).find((key) => !KNOWN.has(key) && !more.includes(key))
  if (unknown !== undefined) throw new TypeError(`there is no option ${unknown}`)
  return {
    labels: {
      label: checkText('label', options.label, 1, 32),
      manufacturer: checkText('manufacturer', options.manufacturer ?? 'enclavejs', 0, 32),
      model: checkText('model', options.model ?? 'acm-token', 0, 16),
      serialNumber: checkText('serialNumber', options.serialNumber ?? '1', 0, 16),
    },
    pin: checkText('pin', options.pin, 4, 64),
    maxConnections: checkCount('maxConnections', options.maxConnections ?? 256, 4096),
    maxSessions: checkCount('maxSessions', options.maxSessions ?? 1024, 65_536),
  }
}
