import { describeGoal, GOALS, type Row } from './row.ts'

/** The rows of a benchmark as a table for people. */
export function formatTable(benchmark: string, rows: readonly Row[]): string {
  const goals = GOALS[benchmark] ?? {}
  const cells = [
    ['row', 'value', 'unit', 'goal', 'note'],
    ...rows.map(({ row, value, unit, note }) => [
      row,
      value === undefined ? '–' : formatValue(value),
      unit,
      describeGoal(goals[row], value),
      note ?? '',
    ]),
  ]
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0)),
  )
  const lines = cells.map((line) =>
    line
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return column === 1 ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
  return lines.join('\n')
}

/** Three significant digits, and no exponent. */
export function formatValue(value: number): string {
  const magnitude = Math.abs(value)
  if (magnitude >= 100) return value.toFixed(0)
  if (magnitude >= 10) return value.toFixed(1)
  return value.toFixed(magnitude >= 1 ? 2 : 3)
}

/** A row as one JSON object; `benchmark` is named where several print into one stream. */
export function formatJson({ row, value, unit, note }: Row, benchmark?: string): string {
  return JSON.stringify({
    ...(benchmark === undefined ? {} : { benchmark }),
    row,
    value: value ?? null,
    unit,
    ...(note === undefined ? {} : { note }),
  })
}
