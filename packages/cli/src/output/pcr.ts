import { hex } from './json.ts'

const MEANING: Readonly<Record<number, string>> = {
  0: 'the whole image',
  1: 'kernel and boot',
  2: 'application',
  3: "role of the parent's instance profile",
  4: 'id of the parent instance',
  8: 'certificate that signed the image',
}

/** What a PCR stands for, by AWS's documentation. */
export function pcrMeaning(index: number): string {
  return MEANING[index] ?? (index < 16 ? 'not used by Nitro' : "the application's own")
}

/** Whether every byte is zero: nothing was measured there. */
export function isZero(value: Uint8Array): boolean {
  return value.every((byte) => byte === 0)
}

/** PCRs for people: one line each, those that are zero in one line. */
export function describePcrs(pcrs: ReadonlyMap<number, Uint8Array>): string[] {
  const ascending = [...pcrs].sort(([a], [b]) => a - b)
  const lines = ascending
    .filter(([, value]) => !isZero(value))
    .map(([index, value]) => `PCR${String(index).padEnd(2)} ${hex(value)}  ${pcrMeaning(index)}`)
  const zero = ascending.filter(([, value]) => isZero(value)).map(([index]) => index)
  if (zero.length > 0) lines.push(`PCR${ranges(zero)}: zero`)
  return lines
}

/** `5–7, 9–15`. */
function ranges(indices: readonly number[]): string {
  const runs: [first: number, last: number][] = []
  for (const index of indices) {
    const run = runs.at(-1)
    if (run !== undefined && run[1] === index - 1) run[1] = index
    else runs.push([index, index])
  }
  return runs
    .map(([first, last]) => (first === last ? String(first) : `${first}–${last}`))
    .join(', ')
}
