const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const

/** A duration for people, in its greatest unit: `3 hours`, `12.4 s`. */
export function describeDuration(milliseconds: number): string {
  const seconds = Math.abs(milliseconds) / 1000
  for (const [name, length] of UNITS) {
    if (seconds < 2 * length) continue
    return `${Math.floor(seconds / length)} ${name}s`
  }
  return `${Math.round(seconds * 10) / 10} s`
}
