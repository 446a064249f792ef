import type { ProxyEvent } from '@enclavejs/vsock/proxy'

/** One line for people; undefined for what is not worth one. */
export function describeProxyEvent(event: ProxyEvent, verbose: boolean): string | undefined {
  switch (event.type) {
    case 'listening':
      return `${event.listener}: listening on port ${event.port}`
    case 'refused':
      return `${event.listener}: refused, ${REASONS[event.reason]}`
    case 'failed':
      return `${event.listener}: ${event.destination} not reached: ${event.code}: ${event.message}`
    case 'open':
      return verbose ? describeOpen(event) : undefined
    case 'close':
      return verbose || event.reason === 'drain' ? describeClose(event) : undefined
    case 'dns':
      return describeDns(event, verbose)
  }
}

const REASONS: Readonly<Record<(ProxyEvent & { type: 'refused' })['reason'], string>> = {
  cap: 'too many connections',
  cid: 'a CID that may not connect',
  head: 'no request that is understood',
  'not-allowed': 'a host that is not allowed',
  accept: 'accept(2) failed: out of descriptors?',
}

function describeOpen(event: ProxyEvent & { type: 'open' }): string {
  const address = event.address === undefined ? '' : ` at ${event.address}`
  const stale = event.stale === true ? ', by an old answer of DNS' : ''
  return `${event.listener}: #${event.id} to ${event.destination}${address}${stale}`
}

function describeClose(event: ProxyEvent & { type: 'close' }): string {
  const { listener, id, reason, code, bytesUp, bytesDown } = event
  const how = { end: 'ended', idle: 'idle', error: `broken (${code ?? 'cut'})`, drain: 'cut off' }
  return `${listener}: #${id} ${how[reason]}, ${bytesUp} bytes up, ${bytesDown} down`
}

function describeDns(event: ProxyEvent & { type: 'dns' }, verbose: boolean): string | undefined {
  const { host, result, addresses, ttl, code } = event
  if (result === 'answered') {
    return verbose ? `${host}: ${addresses} addresses for ${ttl} s` : undefined
  }
  const left = addresses > 0 ? `, ${addresses} old addresses are used` : ''
  return `${host}: DNS failed (${code ?? 'no answer'})${left}`
}
