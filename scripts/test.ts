// `npm test`: runs vitest and ends with one line that a person and .ci/run can read. It refuses a run in which nothing
// was tested, in which an error fell outside of every test, and, on a machine that has everything, one that skipped.
//
//   npm test [-- FILE... and any option of vitest]
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exitStatus, tallyLine } from './tally.ts'
import type { TestCount } from './test-reporter.ts'

/** npm runs scripts at the root of the repository. */
const root = process.cwd()
const vitest = join(
  dirname(fileURLToPath(import.meta.resolve('vitest/package.json'))),
  'vitest.mjs',
)

/** Where data and guests lie beside the clone, CI has everything, and a skip hides what it should have found. */
function skipsAllowed(): boolean {
  if (process.env['ENCLAVEJS_NO_SKIPS'] === '1') return false
  return !(process.env['CI'] === 'true' && existsSync(join(root, '..', 'shared')))
}

function runVitest(tallyFile: string): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      vitest,
      'run',
      // vitest tolerates a forgotten `.only` outside of CI; then the rest of the file would count as skipped.
      '--allowOnly=false',
      '--reporter=default',
      `--reporter=${fileURLToPath(new URL('./test-reporter.ts', import.meta.url))}`,
      ...process.argv.slice(2),
    ],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ENCLAVEJS_TALLY: tallyFile },
    },
  )
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve(status ?? 1))
  })
}

function readCount(tallyFile: string, status: number): TestCount {
  const empty = { passed: 0, failed: 0, skipped: 0, stray: [], skips: [] }
  const count = existsSync(tallyFile)
    ? (JSON.parse(readFileSync(tallyFile, 'utf8')) as TestCount)
    : empty
  if (count.failed > 0) return count
  const { stray } = count
  if (count.passed === 0) return { ...count, failed: 1, stray: [...stray, 'no test passed'] }
  if (status === 0) return count
  return { ...count, failed: 1, stray: [...stray, `vitest ended with exit status ${status}`] }
}

const folder = mkdtempSync(join(tmpdir(), 'enclavejs-test-'))
try {
  const tallyFile = join(folder, 'tally.json')
  const count = readCount(tallyFile, await runVitest(tallyFile))
  for (const skip of count.skips) console.log(`skipped: ${skip}`)
  for (const failure of count.stray) console.log(`failed: ${failure}`)
  if (count.skipped > 0 && !skipsAllowed()) {
    console.log(`${count.skipped} tests were skipped, and on this machine none may be`)
  }
  console.log(tallyLine(count))
  process.exitCode = exitStatus(count, skipsAllowed())
} finally {
  rmSync(folder, { recursive: true, force: true })
}
