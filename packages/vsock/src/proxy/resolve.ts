import { lookup, Resolver } from 'node:dns/promises'

/** The addresses of a name, and for how long they hold. */
export interface Resolution {
  /** IP addresses as text. */
  readonly addresses: readonly string[]
  /** Seconds. */
  readonly ttl: number
}

/** Asks for the addresses of a DNS name. It rejects when there is no answer; no address is an answer as well. */
export type ResolveHost = (
  host: string,
  options: { readonly signal: AbortSignal },
) => Promise<Resolution>

/** Seconds for which an answer holds that has no TTL, because it came from `/etc/hosts`. */
const LOOKUP_TTL = 30
/** What says that the name or the record is not there, as opposed to a server that cannot be asked. */
const ABSENT = new Set(['ENODATA', 'ENOTFOUND'])

/**
 * Asks the name servers of the system, or these (`127.0.0.1:53`), for A and AAAA, with their TTL. Where they know no
 * address, what the system's own way finds (`/etc/hosts`) holds for 30 seconds.
 */
export function nameServers(servers?: readonly string[]): ResolveHost {
  return async (host, { signal }) => {
    const resolver = new Resolver({ timeout: 1500, tries: 2 })
    if (servers !== undefined) resolver.setServers(servers)
    const cancel = (): void => resolver.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      const answers = await Promise.allSettled([
        resolver.resolve6(host, { ttl: true }),
        resolver.resolve4(host, { ttl: true }),
      ])
      signal.throwIfAborted()
      const records = answers.flatMap((answer) =>
        answer.status === 'fulfilled' ? (answer.value as { address: string; ttl: number }[]) : [],
      )
      if (records.length === 0) return await resolveLocally(host, answers)
      const addresses = records.map(({ address }) => address)
      return { addresses, ttl: Math.min(...records.map(({ ttl }) => ttl)) }
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }
}

async function resolveLocally(
  host: string,
  answers: readonly PromiseSettledResult<unknown>[],
): Promise<Resolution> {
  try {
    const found = await lookup(host, { all: true, order: 'verbatim' })
    return { addresses: found.map(({ address }) => address), ttl: LOOKUP_TTL }
  } catch (cause) {
    const reasons = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason as NodeJS.ErrnoException] : [],
    )
    throw reasons.find(({ code = '' }) => !ABSENT.has(code)) ?? reasons[0] ?? cause
  }
}
