import { median, runSlice, type Budget, type Comparison, type Operation } from '../slice.ts'
import type { Slice } from '../slice.ts'

/** What an operation costs in units, and between which values the middle half of its slices lies. */
export interface Rotation extends Comparison {
  readonly spread: string
}

/** How many slices each operation runs before it is measured, so that the engine has compiled what it will compile. */
const WARM_UP = 6

/**
 * Measures several operations in turn, each between two slices of the unit, round after round: what the machine does
 * in one minute and not in another meets all of them alike. Each slice is divided by the mean of the unit's slices
 * beside it, and the median of the ratios counts. Of the wall clock, which other processes stretch, only the calmest
 * third is taken.
 */
export async function rotate<Name extends string>(
  unit: Operation,
  operations: Readonly<Record<Name, Operation>>,
  { milliseconds, slices }: Budget,
): Promise<Readonly<Record<Name, Rotation>>> {
  const names = Object.keys(operations) as Name[]
  for (let count = 0; count < WARM_UP; count++) {
    for (const name of names) await runSlice(operations[name], milliseconds)
  }
  await runSlice(unit, milliseconds)
  const turns = new Map<Name, Turn[]>(names.map((name) => [name, []]))
  const units = [await runSlice(unit, milliseconds)]
  for (let count = 0; count < slices; count++) {
    for (const name of names) {
      const slice = await runSlice(operations[name], milliseconds)
      const before = units.at(-1) as Slice
      const after = await runSlice(unit, milliseconds)
      units.push(after)
      turns.get(name)?.push({
        cpu: (2 * slice.cpu) / (before.cpu + after.cpu),
        wall: (2 * slice.wall) / (before.wall + after.wall),
        foreign: (before.foreign + 2 * slice.foreign + after.foreign) / 4,
      })
    }
  }
  const perUnit = median(units.map(({ cpu }) => cpu))
  return Object.fromEntries(
    names.map((name) => [name, summarize(turns.get(name) ?? [], perUnit)]),
  ) as Record<Name, Rotation>
}

/** One slice of an operation, in units. */
type Turn = Pick<Comparison, 'cpu' | 'wall' | 'foreign'>

function summarize(turns: readonly Turn[], unit: number): Rotation {
  const calm = turns
    .toSorted((a, b) => a.foreign - b.foreign)
    .slice(0, Math.max(3, Math.floor(turns.length / 3)))
  const sorted = turns.map(({ cpu }) => cpu).toSorted((a, b) => a - b)
  const at = (share: number): string =>
    (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toPrecision(3)
  return {
    cpu: median(sorted),
    wall: median(calm.map(({ wall }) => wall)),
    foreign: median(calm.map(({ foreign }) => foreign)),
    unit,
    spread: `${at(0.25)}–${at(0.75)}`,
  }
}
