import { randomBytes } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { integerOption, addressPart } from '../address.ts'
import { listenVsock } from '../listener.ts'
import { ownOptions } from '../option.ts'
import { LOG_PORT, type LogDrops, type LogLevel, type LogValue } from './entry.ts'
import { readFields, readName, type FieldCheck, type LogField } from './field.ts'
import { Journal } from './journal.ts'
import { ReaderConnection } from './reader-connection.ts'

/** Settings of {@link createLog}. Unknown names are refused. */
export interface LogOptions<
  Event extends string = string,
  Field extends string = string,
  Counter extends string = string,
  Gauge extends string = string,
> {
  /** The events that may leave, by name: a small letter, then at most 47 letters, digits, `.`, `_` and `-`. 1 to 256. */
  readonly events: readonly Event[]
  /** The fields that may leave, each with what it may hold. None unless given, at most 64. */
  readonly fields?: Readonly<Record<Field, LogField>>
  /** Counters, which only rise. None unless given, at most 256. */
  readonly counters?: readonly Counter[]
  /** Gauges, which are set. None unless given, at most 256. */
  readonly gauges?: readonly Gauge[]
  /** The vsock port where the parent reads. {@link LOG_PORT} (8006) unless given. */
  readonly port?: number
  /** Lines a second, 1 to 10,000; ten seconds' worth may come at once. 100 unless given. What is above is counted. */
  readonly rate?: number
  /** Bytes of lines that are kept, 4,096 to 64 MiB. 1 MiB unless given. The oldest goes first. */
  readonly maxBytes?: number
  /** Milliseconds between the lines of metrics that have changed, 100 to 3,600,000. 10,000 unless given. */
  readonly metricsInterval?: number
  /** Default: the system's clock. */
  readonly now?: () => Date
}

/** A log that leaves the enclave. None of its methods throws or waits, whatever it is given. */
export interface Log<
  Event extends string = string,
  Field extends string = string,
  Counter extends string = string,
  Gauge extends string = string,
> extends AsyncDisposable {
  debug(event: Event, fields?: Readonly<Partial<Record<Field, LogValue>>>): void
  info(event: Event, fields?: Readonly<Partial<Record<Field, LogValue>>>): void
  warn(event: Event, fields?: Readonly<Partial<Record<Field, LogValue>>>): void
  error(event: Event, fields?: Readonly<Partial<Record<Field, LogValue>>>): void
  /** Adds to a counter: 1 unless given, not less than 0. */
  count(counter: Counter, by?: number): void
  /** Sets a gauge. */
  set(gauge: Gauge, value: number): void
  /** What was dropped so far. */
  readonly drops: LogDrops
  /** Resolves when the parent can read; rejects with what `listenVsock` failed with. Not calling it loses nothing but that. */
  listening(): Promise<void>
  /** Takes no more, gives readers what is there, and frees the port. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const OPTIONS = new Set<string>([
  ...['events', 'fields', 'counters', 'gauges', 'port', 'rate', 'maxBytes', 'metricsInterval'],
  'now',
])
const MOST_READERS = 4
const MOST_NAMES = 256
const BURST_SECONDS = 10

class OpenLog implements Log {
  readonly #events: ReadonlySet<string>
  readonly #fields: ReadonlyMap<string, FieldCheck>
  readonly #counters: Map<string, number>
  readonly #gauges: Map<string, number>
  readonly #changed = new Set<string>()
  readonly #journal: Journal
  readonly #rate: number
  readonly #now: () => Date
  readonly #id = randomBytes(8).toString('hex')
  readonly #server: Server = createServer()
  readonly #readers = new Set<ReaderConnection>()
  readonly #listening: Promise<Error | undefined>
  readonly #timer: NodeJS.Timeout
  readonly #drops = { rate: 0, name: 0, field: 0, value: 0 }
  #told = 0
  #tokens: number
  #refilled = performance.now()
  #closed = false

  constructor(options: LogOptions) {
    const given = ownOptions(options, OPTIONS, 'createLog')
    this.#events = new Set(readNames(given.events, 'events'))
    if (this.#events.size === 0) throw new TypeError('events: expected at least one')
    this.#fields = readFields(given.fields ?? {})
    this.#counters = new Map(readNames(given.counters ?? [], 'counters').map((name) => [name, 0]))
    this.#gauges = new Map(readNames(given.gauges ?? [], 'gauges').map((name) => [name, 0]))
    const port = addressPart('port', given.port ?? LOG_PORT)
    this.#rate = integerOption('rate', given.rate ?? 100, 1, 10_000)
    this.#tokens = this.#rate * BURST_SECONDS
    this.#journal = new Journal(integerOption('maxBytes', given.maxBytes ?? 2 ** 20, 4096, 2 ** 26))
    const interval = given.metricsInterval ?? 10_000
    integerOption('metricsInterval', interval, 100, 3_600_000)
    this.#now = given.now ?? ((): Date => new Date())
    this.#listening = this.#listen(port)
    this.#timer = setInterval(() => this.#flush(), interval).unref()
  }

  get drops(): LogDrops {
    return { overflow: this.#journal.overflow, ...this.#drops }
  }

  debug(event: string, fields?: object): void {
    this.#log('debug', event, fields)
  }

  info(event: string, fields?: object): void {
    this.#log('info', event, fields)
  }

  warn(event: string, fields?: object): void {
    this.#log('warn', event, fields)
  }

  error(event: string, fields?: object): void {
    this.#log('error', event, fields)
  }

  count(counter: string, by = 1): void {
    this.#change(this.#counters, counter, by >= 0 ? (before) => before + by : () => Number.NaN)
  }

  set(gauge: string, value: number): void {
    this.#change(this.#gauges, gauge, () => value)
  }

  async listening(): Promise<void> {
    const failure = await this.#listening
    if (failure !== undefined) throw failure
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#flush()
    this.#closed = true
    clearInterval(this.#timer)
    await this.#listening
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const one of this.#readers) one.end()
    const cut = setTimeout(() => this.#readers.forEach((one) => one.destroy()), 1000).unref()
    await closed
    clearTimeout(cut)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #log(level: LogLevel, event: string, given: object | undefined): void {
    try {
      if (!this.#events.has(event)) {
        this.#drops.name++
        return
      }
      const fields: Record<string, LogValue> = {}
      for (const name of Object.keys(given ?? {})) {
        const check = this.#fields.get(name)
        if (check === undefined) {
          this.#drops.field++
          continue
        }
        // Read once: what a getter gives the second time may be something else.
        const value: unknown = (given as Record<string, unknown>)[name]
        if (check(value)) fields[name] = value
        else if (value !== undefined) this.#drops.value++
      }
      this.#add({ l: level, e: event, f: fields }, true)
    } catch {
      this.#drops.value++ // a getter or a proxy that threw
    }
  }

  #change(metrics: Map<string, number>, name: string, to: (before: number) => number): void {
    const before = metrics.get(name)
    if (before === undefined) {
      this.#drops.name++
      return
    }
    const value = to(before)
    if (!Number.isFinite(value)) {
      this.#drops.value++
      return
    }
    metrics.set(name, value)
    this.#changed.add(name)
  }

  /** Lines of the metrics that have changed, and of the drops if there were more. They are few, and have no rate. */
  #flush(): void {
    for (const [key, metrics] of [
      ['c', this.#counters],
      ['g', this.#gauges],
    ] as const) {
      for (const [name, value] of metrics) {
        if (this.#changed.has(name)) this.#add({ [key]: name, v: value }, false)
      }
    }
    this.#changed.clear()
    const { drops } = this
    const total = Object.values(drops).reduce((sum, one) => sum + one, 0)
    if (total > this.#told) this.#add({ d: drops }, false)
    this.#told = total
  }

  #add(content: object, limited: boolean): void {
    if (this.#closed || (limited && !this.#take())) return
    const line = JSON.stringify({ n: this.#journal.next, t: this.#now().getTime(), ...content })
    this.#journal.add(Buffer.from(`${line}\n`))
    for (const one of this.#readers) one.advance()
  }

  /** A token bucket. */
  #take(): boolean {
    const now = performance.now()
    const earned = ((now - this.#refilled) / 1000) * this.#rate
    this.#refilled = now
    this.#tokens = Math.min(this.#tokens + earned, this.#rate * BURST_SECONDS)
    if (this.#tokens < 1) {
      this.#drops.rate++
      return false
    }
    this.#tokens--
    return true
  }

  #listen(port: number): Promise<Error | undefined> {
    this.#server.on('connection', (socket: Socket) => this.#receive(socket))
    return new Promise((resolve) => {
      this.#server.on('error', resolve)
      this.#server.once('listening', () => {
        this.#server.unref()
        resolve(undefined)
      })
      try {
        listenVsock(this.#server, { port })
      } catch (error) {
        resolve(error as Error)
      }
    })
  }

  #receive(socket: Socket): void {
    if (this.#closed || this.#readers.size >= MOST_READERS) {
      socket.on('error', () => undefined).destroy()
      return
    }
    this.#flush()
    const reader = new ReaderConnection(socket, this.#journal, this.#id)
    this.#readers.add(reader)
    socket.once('close', () => this.#readers.delete(reader))
  }
}

function readNames(names: unknown, where: string): string[] {
  if (!Array.isArray(names)) throw new TypeError(`${where}: expected a list of names`)
  if (names.length > MOST_NAMES) throw new RangeError(`${where}: expected at most ${MOST_NAMES}`)
  return names.map((name) => readName(name, where))
}

/**
 * Structured logs and metrics of a production enclave, which has no console: the program declares what may leave, and the
 * parent reads it at a vsock port (`enclavejs logs`, {@link readLog}). An event, counter or gauge that is not declared is dropped,
 * and so is each field that is not declared, of another type or outside of its bounds; all are counted. There is no free
 * text. The declaration is part of the program, so the image's measurement covers it.
 *
 * Nothing waits for the parent. The newest lines up to `maxBytes` are kept, read or not, for up to four readers at a time; what
 * went unread is counted. The parent sees when events happen and how often, and can drop what it reads: lines are numbered,
 * but neither signed nor encrypted.
 *
 * It does not keep the process alive. Where the port cannot be taken the log works and nobody reads it; `listening` tells.
 *
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { createLog } from '@enclavejs/vsock/log'
 *
 * const log = createLog({
 *   events: ['request', 'started'],
 *   fields: {
 *     status: { type: 'integer', min: 100, max: 599 },
 *     route: { type: 'enum', values: ['/', '/sign'] },
 *     milliseconds: { type: 'number', min: 0, max: 60_000 },
 *   },
 *   counters: ['requests'],
 *   gauges: ['sessions'],
 * })
 * log.info('request', { status: 200, route: '/sign', milliseconds: 1.7 })
 * log.count('requests')
 * log.set('sessions', 3)
 * await log.close()
 * ```
 */
export function createLog<
  const Event extends string,
  const Field extends string = never,
  const Counter extends string = never,
  const Gauge extends string = never,
>(options: LogOptions<Event, Field, Counter, Gauge>): Log<Event, Field, Counter, Gauge> {
  return new OpenLog(options as LogOptions)
}
