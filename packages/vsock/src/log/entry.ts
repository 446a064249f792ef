import { VsockError } from '../error.ts'

/** The vsock port of a log unless another is chosen. */
export const LOG_PORT = 8006

/** How much an event matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The value of a field. */
export type LogValue = string | number | boolean

/** What did not leave the enclave, counted since the log began. */
export interface LogDrops {
  /** Lines that nobody had read when their place was needed. */
  readonly overflow: number
  /** Lines above the rate. */
  readonly rate: number
  /** Events, counters and gauges that are not declared; the whole line is dropped. */
  readonly name: number
  /** Fields that are not declared. */
  readonly field: number
  /** Fields of another type or outside of their bounds, and values of metrics that are no numbers. */
  readonly value: number
}

interface Sent {
  /** Rises by one with each entry of a log; a jump is what was dropped, see `missing`. */
  readonly sequence: number
  /** By the enclave's clock. */
  readonly time: Date
  /** Entries that were dropped between the one before and this one, or that were there before this reader came. */
  readonly missing: number
}

/** One entry of a log, as a parent reads it. Nothing of it is attested: it is what the other end of the connection says. */
export type LogEntry =
  | (Sent & {
      readonly type: 'event'
      readonly level: LogLevel
      readonly event: string
      readonly fields: Readonly<Record<string, LogValue>>
    })
  | (Sent & {
      readonly type: 'counter' | 'gauge'
      readonly name: string
      readonly value: number
    })
  | (Sent & { readonly type: 'dropped'; readonly drops: LogDrops })
  /** The connection was made: which log this is (another after the program began anew). */
  | { readonly type: 'beginning'; readonly id: string; readonly next: number }
  /** A line that is no entry. What it holds is not repeated. */
  | { readonly type: 'malformed'; readonly length: number }

/** The most characters of a line. What a log writes is shorter by far. */
export const LONGEST_LINE = 8192
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']
/** Names of events, fields and metrics. */
export const NAME: RegExp = /^[a-z][A-Za-z0-9_.-]{0,47}$/
const DROPS = ['overflow', 'rate', 'name', 'field', 'value'] as const
const LONGEST_TEXT = 256
const MOST_FIELDS = 64
const LAST_DATE = 8.64e15

/** The first line of a connection. */
export function formatBeginning(id: string, next: number): string {
  return JSON.stringify({ log: 1, id, next })
}

/** @throws {VsockError} `ERR_VSOCK_LOG_PROTOCOL` for anything but the first line of a log. */
export function parseBeginning(line: string): LogEntry & { readonly type: 'beginning' } {
  const { log, id, next } = parseObject(line) ?? {}
  if (log === 1 && typeof id === 'string' && /^[0-9a-f]{16}$/.test(id) && isCount(next)) {
    return { type: 'beginning', id, next }
  }
  throw new VsockError(
    'ERR_VSOCK_LOG_PROTOCOL',
    'the first line is not that of a log of @enclavejs/vsock: another program has this port',
  )
}

/** Reads a line, whoever wrote it; what is no entry is `malformed`. */
export function parseEntry(line: string, last: number): LogEntry {
  const malformed: LogEntry = { type: 'malformed', length: line.length }
  const value = parseObject(line)
  if (value === undefined) return malformed
  const { n, t } = value
  if (!isCount(n) || n <= last || typeof t !== 'number' || !(Math.abs(t) <= LAST_DATE)) {
    return malformed
  }
  const sent = { sequence: n, time: new Date(t), missing: n - last - 1 }
  return readEvent(value, sent) ?? readMetric(value, sent) ?? readDrops(value, sent) ?? malformed
}

type Parsed = Readonly<Record<string, unknown>>

function readEvent({ l, e, f }: Parsed, sent: Sent): LogEntry | undefined {
  const level = LEVELS.find((one) => one === l)
  const entries = typeof f === 'object' && f !== null ? Object.entries(f) : undefined
  if (level === undefined || !isName(e) || entries === undefined) return undefined
  if (entries.length > MOST_FIELDS || !entries.every(([key, one]) => isName(key) && isValue(one))) {
    return undefined
  }
  const fields = Object.assign(Object.create(null) as Record<string, LogValue>, f)
  return { type: 'event', ...sent, level, event: e, fields }
}

function readMetric({ c, g, v }: Parsed, sent: Sent): LogEntry | undefined {
  const name = c ?? g
  if (!isName(name) || typeof v !== 'number' || !Number.isFinite(v)) return undefined
  return { type: c === undefined ? 'gauge' : 'counter', ...sent, name, value: v }
}

function readDrops({ d }: Parsed, sent: Sent): LogEntry | undefined {
  if (typeof d !== 'object' || d === null) return undefined
  const counts = DROPS.map((one) => (Object.hasOwn(d, one) ? (d as Parsed)[one] : undefined))
  if (!counts.every(isCount)) return undefined
  const drops = Object.fromEntries(DROPS.map((one, index) => [one, counts[index]]))
  return { type: 'dropped', ...sent, drops: drops as unknown as LogDrops }
}

function parseObject(line: string): Parsed | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return Object.assign(Object.create(null) as Record<string, unknown>, value)
  } catch {
    return undefined
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value)
}

function isValue(value: unknown): value is LogValue {
  if (typeof value === 'string') return value.length <= LONGEST_TEXT
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
}
