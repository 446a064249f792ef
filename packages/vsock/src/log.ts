export {
  LOG_PORT,
  type LogDrops,
  type LogEntry,
  type LogLevel,
  type LogValue,
} from './log/entry.ts'
export type { LogField } from './log/field.ts'
export { formatLogEntry } from './log/format.ts'
export { createLog, type Log, type LogOptions } from './log/create.ts'
export { readLog, type ReadLogOptions } from './log/read.ts'
