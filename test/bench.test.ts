import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { describeGoal } from '../bench/row.ts'
import { compare, median } from '../bench/slice.ts'
import { formatJson, formatTable } from '../bench/table.ts'

const RUN = fileURLToPath(new URL('../bench/run.ts', import.meta.url))

interface Line {
  readonly row: string
  readonly value: number | null
  readonly unit: string
  readonly note?: string
}

async function run(
  ...input: string[]
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['--conditions=@enclavejs/source', RUN, ...input], {
    // Slices too short for a figure that means something: what is tested is that it is measured at all.
    env: { ...process.env, ENCLAVEJS_BENCH_SLICE_MS: '2' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, ...output }
}

test('attestation prints every row that carries a goal, as one JSON object a line', async () => {
  const { status, stdout, stderr } = await run('attestation', '--json')
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  const rows = new Map(lines.map((line) => [line.row, line]))
  expect(rows.size).toBe(lines.length)
  for (const row of ['cold', 'ca-cached', 'same-enclave', 'cold-wall', 'decode']) {
    const { value, unit } = rows.get(row) as Line
    expect(unit, row).toBe('verifications')
    expect(value, row).toBeGreaterThan(0)
    expect(Number.isFinite(value), row).toBe(true)
  }
  const memory = rows.get('memory') as Line
  expect(memory.unit).toBe('%')
  expect(Number.isFinite(memory.value)).toBe(true)
  // What this machine lacks is named, and never left out without a word.
  for (const row of ['throughput-1', 'throughput-2', 'by-hand', 'evervault', '0xsequence']) {
    const { value, note } = rows.get(row) as Line
    if (value === null) expect(note, row).toMatch(/^not measured: ./)
    else expect(value, row).toBeGreaterThan(0)
  }
}, 240_000)

test('attested-tls compares every way with the plain one', async () => {
  const { status, stdout, stderr } = await run('attested-tls', '--json')
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  const connections = ['requests', 'request-latency', 'next-connection', 'first-request']
  const sealed = ['sealed-requests', 'sealed-latency', 'sealed-first']
  expect(lines.map(({ row }) => row)).toEqual([...connections, ...sealed, 'document'])
  for (const { row, value, note } of lines) {
    expect(value, row).toBeGreaterThan(0)
    if (row !== 'document') expect(note, row).toMatch(/ against .*, slices /)
  }
}, 120_000)

test.each([[['no-such-benchmark']], [['toString']], [['attestation', 'nsm']], [['--no-such']]])(
  'wrong use ends with exit status 2 and the list of names: %j',
  async (input) => {
    const { status, stdout, stderr } = await run(...input)
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('attestation, nsm')
  },
)

test('a comparison counts the operation in units', async () => {
  const spin = (): number => {
    let sum = 0
    for (let index = 0; index < 200_000; index++) sum += Math.sqrt(index)
    return sum
  }
  const thrice = (): number => spin() + spin() + spin()
  const { cpu } = await compare(spin, thrice, { milliseconds: 10, slices: 15 })
  // Three by construction; the bounds leave room for a busy machine.
  expect(cpu).toBeGreaterThan(1)
  expect(cpu).toBeLessThan(9)
})

test('an operation that fails ends the measurement', async () => {
  const fail = (): Promise<void> => Promise.reject(new Error('refused'))
  await expect(compare(() => 0, fail, { milliseconds: 1, slices: 3 })).rejects.toThrow('refused')
})

test('the median of an even number of values lies between the middle two', () => {
  expect(median([4, 1, 3])).toBe(3)
  expect(median([4, 1, 3, 2])).toBe(2.5)
})

test('a goal is met at its bound, or only below it, as it says', () => {
  expect(describeGoal(undefined, 1)).toBe('')
  expect(describeGoal({ atMost: 5.5 }, 5.5)).toBe('≤ 5.5 met')
  expect(describeGoal({ atMost: 5.5 }, 5.51)).toBe('≤ 5.5 MISSED')
  expect(describeGoal({ below: 1 }, 1)).toBe('< 1 MISSED')
  expect(describeGoal({ below: 1 }, -0.2)).toBe('< 1 met')
  expect(describeGoal({ below: 1 }, undefined)).toBe('< 1')
})

test('a row is one line of the table, and one JSON object', () => {
  const rows = [
    { row: 'cold', value: 5.304, unit: 'verifications', note: 'CPU' },
    { row: 'peer', value: undefined, unit: 'verifications', note: 'not measured: absent' },
  ]
  expect(formatTable('attestation', rows).split('\n')).toEqual([
    'row   value  unit           goal       note',
    'cold   5.30  verifications  ≤ 5.5 met  CPU',
    'peer      –  verifications             not measured: absent',
  ])
  expect(formatJson({ row: 'cold', value: 5.3, unit: 'verifications' })).toBe(
    '{"row":"cold","value":5.3,"unit":"verifications"}',
  )
  expect(JSON.parse(formatJson(rows[1] as (typeof rows)[1], 'attestation'))).toEqual({
    benchmark: 'attestation',
    row: 'peer',
    value: null,
    unit: 'verifications',
    note: 'not measured: absent',
  })
})
