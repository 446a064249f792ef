import type { ReferenceSet } from './reference-values.ts'
import type { Condition, Statement } from './statement.ts'

/**
 * Which documents pass: for each PCR named, the values it may have. A PCR that is not in `equal` may have any value, and
 * may be absent; then `unequal` says which values are refused all the same.
 */
export interface Admission {
  readonly equal: ReadonlyMap<number, ReadonlySet<string>>
  readonly unequal: ReadonlyMap<number, ReadonlySet<string>>
}

/**
 * What an Allow admits to an action once every Deny has been heard.
 *
 * Only a Deny for everyone counts, and only one with at most one condition: several conditions in a Deny hold together, so
 * each alone promises nothing. A Deny that is left out makes the answer larger, never smaller.
 *
 * @returns undefined when nobody is admitted.
 */
export function admissionOf(
  allow: Pick<Statement, 'conditions'>,
  action: string,
  denies: readonly Statement[],
): Admission | undefined {
  const equal = new Map<number, ReadonlySet<string>>()
  const unequal = new Map<number, ReadonlySet<string>>()
  const narrow = ({ negated, pcr, values }: Condition): void => {
    if (negated) unequal.set(pcr, new Set([...(unequal.get(pcr) ?? []), ...values]))
    else
      equal.set(
        pcr,
        filter(values, (value) => equal.get(pcr)?.has(value) ?? true),
      )
  }
  for (const condition of allow.conditions) narrow(condition)
  for (const { principals, actions, conditions } of denies) {
    if (principals !== undefined || !actions.has(action)) continue
    const [condition, ...further] = conditions
    if (condition === undefined) return undefined
    if (further.length === 0) narrow({ ...condition, negated: !condition.negated })
  }
  for (const [pcr, values] of equal) {
    const left = filter(values, (value) => unequal.get(pcr)?.has(value) !== true)
    if (left.size === 0) return undefined
    equal.set(pcr, left)
  }
  return { equal, unequal }
}

function filter(
  values: ReadonlySet<string>,
  keep: (value: string) => boolean,
): ReadonlySet<string> {
  return new Set([...values].filter(keep))
}

/** A combination of PCRs that is admitted and should not be; undefined values are free. */
export type Combination = ReadonlyMap<number, string>

/** More combinations than this are not tried: no policy of one Allow for each image has more than one. */
const MOST_COMBINATIONS = 4096

/** What {@link compareWithImages} finds. */
export interface Comparison {
  /** The images that are admitted. */
  readonly images: readonly ReferenceSet[]
  /** A combination that belongs to no image; `'too many'` when there are more than are tried. */
  readonly stranger: Combination | 'too many' | undefined
}

/** Which images an admission lets in, and whether it lets in anything else. */
export function compareWithImages(
  { equal }: Admission,
  images: readonly ReferenceSet[],
): Comparison {
  const count = [...equal.values()].reduce((product, { size }) => product * size, 1)
  if (count > MOST_COMBINATIONS) return { images: [], stranger: 'too many' }
  const found = new Set<ReferenceSet>()
  for (const combination of combinations([...equal])) {
    const match = images.find(({ pcrs }) =>
      [...pcrs].every(([pcr, value]) => combination.get(pcr) === value),
    )
    if (match === undefined) return { images: [], stranger: combination }
    found.add(match)
  }
  return { images: [...found], stranger: undefined }
}

function* combinations(
  entries: readonly (readonly [number, ReadonlySet<string>])[],
  chosen: Combination = new Map(),
): Generator<Combination> {
  const [first, ...rest] = entries
  if (first === undefined) {
    yield chosen
    return
  }
  const [pcr, values] = first
  for (const value of values) yield* combinations(rest, new Map([...chosen, [pcr, value]]))
}
