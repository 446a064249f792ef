import type { LogEntry } from './entry.ts'

/**
 * One line for people. Whatever an enclave wrote, it is printable ASCII without control characters, so that no terminal can
 * be moved by it.
 *
 * @example
 * ```ts
 * import { formatLogEntry } from '@enclavejs/vsock/log'
 *
 * const line = formatLogEntry({
 *   ...{ type: 'event', sequence: 1, missing: 0, time: new Date(0) },
 *   ...{ level: 'info', event: 'request', fields: { status: 200 } },
 * })
 * if (line !== '1970-01-01T00:00:00.000Z info  request status=200') throw new Error(line)
 * ```
 */
export function formatLogEntry(entry: LogEntry): string {
  if (entry.type === 'beginning') return `log ${entry.id}`
  if (entry.type === 'malformed') return `a line of ${entry.length} characters that is no entry`
  const missing = entry.missing > 0 ? `(${entry.missing} not seen) ` : ''
  return escape(`${missing}${entry.time.toISOString()} ${body(entry)}`)
}

function body(entry: Exclude<LogEntry, { type: 'beginning' | 'malformed' }>): string {
  switch (entry.type) {
    case 'event': {
      const fields = Object.entries(entry.fields).map(
        ([name, value]) => ` ${name}=${typeof value === 'string' ? quote(value) : value}`,
      )
      return `${entry.level.padEnd(5)} ${entry.event}${fields.join('')}`
    }
    case 'dropped': {
      const counts = Object.entries(entry.drops).filter(([, count]) => count > 0)
      return `drops ${counts.map(([name, count]) => `${name}=${count}`).join(' ')}`
    }
    default:
      return `${entry.type === 'gauge' ? 'gauge' : 'count'} ${entry.name}=${entry.value}`
  }
}

function quote(text: string): string {
  return /^[A-Za-z0-9._:/-]+$/.test(text) ? text : JSON.stringify(text)
}

function escape(text: string): string {
  return text.replace(/[^ -~]/gu, (one) => `\\u{${(one.codePointAt(0) as number).toString(16)}}`)
}
