import { cpus } from 'node:os'

/** One operation under measurement. It throws, or rejects, when its result is not the right one. */
export type Operation = () => unknown

/** How long a slice lasts, in milliseconds, and how many of an operation are taken. */
export interface Budget {
  readonly milliseconds: number
  readonly slices: number
}

/** What one slice of an operation cost. */
export interface Slice {
  /** CPU of all threads of this process, microseconds per operation. */
  readonly cpu: number
  /** Median time on the wall of one operation, microseconds. */
  readonly wall: number
  /** Cores that other processes used meanwhile. */
  readonly foreign: number
}

/** What an operation costs, counted in units. */
export interface Comparison {
  readonly cpu: number
  readonly wall: number
  /** Cores that other processes used while the wall clock was read. */
  readonly foreign: number
  /** CPU of one unit, microseconds. */
  readonly unit: number
}

/** `ENCLAVEJS_BENCH_SLICE_MS` shortens the slices where the way is of interest and not the figure. Default 150. */
export function readBudget(): Budget {
  const milliseconds = Number(process.env['ENCLAVEJS_BENCH_SLICE_MS'] ?? 150)
  if (!(milliseconds >= 1 && milliseconds <= 10_000)) {
    throw new RangeError('ENCLAVEJS_BENCH_SLICE_MS must be 1 to 10000')
  }
  return { milliseconds, slices: milliseconds < 50 ? 3 : 21 }
}

/**
 * Measures `operation` against `unit` in alternating slices, because a shared machine changes its speed from one second
 * to the next: each slice is divided by the mean of the unit's slices before and after it, and the median of the ratios
 * counts. Of the wall clock, which other processes stretch, only the calmest third is taken.
 */
export async function compare(
  unit: Operation,
  operation: Operation,
  { milliseconds, slices }: Budget,
): Promise<Comparison> {
  for (const one of [unit, operation, unit, operation]) await runSlice(one, milliseconds)
  const pairs: { slice: Slice; cpu: number; wall: number; foreign: number }[] = []
  const units = [await runSlice(unit, milliseconds)]
  for (let count = 0; count < slices; count++) {
    const before = units[count] as Slice
    const slice = await runSlice(operation, milliseconds)
    const after = await runSlice(unit, milliseconds)
    units.push(after)
    pairs.push({
      slice,
      cpu: (2 * slice.cpu) / (before.cpu + after.cpu),
      wall: (2 * slice.wall) / (before.wall + after.wall),
      foreign: (before.foreign + 2 * slice.foreign + after.foreign) / 4,
    })
  }
  const calm = pairs
    .toSorted((a, b) => a.foreign - b.foreign)
    .slice(0, Math.max(3, Math.floor(slices / 3)))
  return {
    cpu: median(pairs.map(({ cpu }) => cpu)),
    wall: median(calm.map(({ wall }) => wall)),
    foreign: median(calm.map(({ foreign }) => foreign)),
    unit: median(units.map(({ cpu }) => cpu)),
  }
}

/** Runs `operation` one after another for about `milliseconds`. */
export async function runSlice(operation: Operation, milliseconds: number): Promise<Slice> {
  const walls: number[] = []
  const busy = machineTime()
  const cpu = process.cpuUsage()
  const start = performance.now()
  let now = start
  do {
    const before = now
    await operation()
    now = performance.now()
    walls.push(now - before)
  } while (now - start < milliseconds)
  const { user, system } = process.cpuUsage(cpu)
  const own = (user + system) / 1000
  return {
    cpu: (own * 1000) / walls.length,
    wall: median(walls) * 1000,
    foreign: Math.max(0, machineTime() - busy - own) / (now - start),
  }
}

/** What all processes of the machine have used, in milliseconds. */
function machineTime(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys, 0)
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
}
