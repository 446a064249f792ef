import type { Outcome } from './case.ts'

/**
 * A kind of transport, as the table of differences names it: the kernel's own by loopback; an enclave that calls its parent,
 * and the reverse; the simulator; hybrid vsock without a machine behind; the addon with AF_UNIX inside.
 */
export type Kind = 'AF_VSOCK' | 'enclave' | 'parent' | 'simulator' | 'hybrid' | 'stand-in'

/** One case in which transports behave otherwise than TCP does, and why that may stay so. */
export interface Difference {
  /** The name of the case. */
  readonly name: string
  readonly kinds: readonly Kind[]
  /** What is seen, whole, in place of what TCP shows. What is left out is as there. */
  readonly call?: readonly string[]
  readonly serve?: readonly string[]
  readonly reason: string
}

/**
 * What is wrong with an outcome, in words; undefined where it is as over TCP, or as the table says. An entry of the table
 * that is not needed any more is wrong too.
 */
export function compareOutcome(
  name: string,
  kind: Kind,
  reference: Outcome,
  seen: Outcome,
  table: readonly Difference[],
): string | undefined {
  const named = table.filter((one) => one.name === name && one.kinds.includes(kind))
  const [difference] = named
  if (named.length > 1) return 'two entries of the table'
  const expected = {
    call: difference?.call ?? reference.call,
    serve: difference?.serve ?? reference.serve,
  }
  const wrong = differs(expected, seen)
  if (wrong !== undefined) return wrong
  if (difference !== undefined && differs(reference, seen) === undefined) {
    return 'in the table of differences, and like TCP'
  }
  return undefined
}

function differs(expected: Outcome, seen: Outcome): string | undefined {
  const ends = (['call', 'serve'] as const).flatMap((end) =>
    JSON.stringify(expected[end]) === JSON.stringify(seen[end])
      ? []
      : [`${end} [${seen[end].join('; ')}] in place of [${expected[end].join('; ')}]`],
  )
  return ends.length === 0 ? undefined : ends.join(', ')
}
