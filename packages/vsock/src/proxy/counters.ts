import { publish, type ProxyEvent } from './event.ts'

/** What a listener has done since it began. */
export interface ListenerCounters {
  open: number
  readonly limit: number
  opened: number
  bytesUp: number
  bytesDown: number
  readonly refused: Map<string, number>
  readonly failed: Map<string, number>
  readonly closed: Map<string, number>
}

/** Counts what happens, and publishes it. There is one for each proxy. */
export class Counters {
  readonly listeners: Map<string, ListenerCounters> = new Map()
  readonly dns: Map<string, number> = new Map()

  /** Starts counting for a listener. */
  add(listener: string, limit: number): ListenerCounters {
    const counters: ListenerCounters = {
      ...{ open: 0, limit, opened: 0, bytesUp: 0, bytesDown: 0 },
      ...{ refused: new Map(), failed: new Map(), closed: new Map() },
    }
    this.listeners.set(listener, counters)
    return counters
  }

  tell(event: ProxyEvent): void {
    if (event.type === 'dns') increment(this.dns, event.result)
    else {
      const counters = this.listeners.get(event.listener)
      if (counters !== undefined) count(counters, event)
    }
    publish(event)
  }
}

function count(counters: ListenerCounters, event: Exclude<ProxyEvent, { type: 'dns' }>): void {
  if (event.type === 'refused') increment(counters.refused, event.reason)
  if (event.type === 'failed') increment(counters.failed, event.code)
  if (event.type === 'open') counters.opened++
  if (event.type === 'close') increment(counters.closed, event.reason)
}

function increment(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1)
}
