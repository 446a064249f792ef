// The last line that every command of the repository ends with, and the exit status that belongs to it. It refuses to
// call a run good in which nothing was tried.

/** How many things were tried, and what came of them. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** The last line of `npm test`, `npm run test:guest`, `npm run check` and `.ci/run`. */
export function tallyLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/**
 * The exit status that a tally asks for. Nothing tried is a failure; so is a skip where the machine is one that has
 * everything.
 */
export function exitStatus(tally: Tally, skipsAllowed: boolean): 0 | 1 {
  if (tally.failed > 0 || tally.passed === 0) return 1
  return tally.skipped > 0 && !skipsAllowed ? 1 : 0
}
