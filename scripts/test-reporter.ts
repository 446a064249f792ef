// Counts what vitest ran and writes it as JSON to the file that ENCLAVEJS_TALLY names, for scripts/test.ts. vitest's own
// JSON report has neither the reason of a skip nor the errors that no test caught.
import { writeFileSync } from 'node:fs'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import type { Tally } from './tally.ts'

/** What one run of vitest came to. */
export interface TestCount extends Tally {
  /** Failures that belong to no test: a file that does not load, a hook that throws, a rejection nobody awaited. */
  readonly stray: readonly string[]
  /** Every skipped test by its name, with its reason where it gave one. */
  readonly skips: readonly string[]
}

function count(
  modules: readonly TestModule[],
  unhandled: readonly { message: string }[],
): TestCount {
  const stray = unhandled.map(({ message }) => `not caught by any test: ${message}`)
  const skips: string[] = []
  let passed = 0
  let failed = 0
  for (const module of modules) {
    const tests = [...module.children.allTests()]
    for (const test of tests) {
      const { state } = test.result()
      if (state === 'passed') passed++
      else if (state === 'skipped') skips.push(describeSkip(module, test))
      // A test that is still pending when the run ends was cut off: it did not pass.
      else failed++
    }
    for (const { message } of module.errors()) stray.push(`${module.relativeModuleId}: ${message}`)
    for (const suite of module.children.allSuites()) {
      for (const { message } of suite.errors()) {
        stray.push(`${module.relativeModuleId} > ${suite.fullName}: ${message}`)
      }
    }
    if (tests.length === 0 && module.errors().length === 0) {
      stray.push(`${module.relativeModuleId}: no test in it`)
    }
  }
  return { passed, failed: failed + stray.length, skipped: skips.length, stray, skips }
}

function describeSkip(module: TestModule, test: TestCase): string {
  const result = test.result()
  const note = result.state === 'skipped' && result.note ? `: ${result.note}` : ''
  return `${module.relativeModuleId} > ${test.fullName}${note}`
}

/** vitest takes a reporter as the default export of its file. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly { message: string }[],
    reason: 'passed' | 'interrupted' | 'failed',
  ): void {
    const file = process.env['ENCLAVEJS_TALLY']
    if (file === undefined) return
    const result = count(modules, unhandledErrors)
    const cut = reason === 'interrupted'
    const stray = cut ? [...result.stray, 'the run was interrupted'] : result.stray
    const failed = result.failed + (cut ? 1 : 0)
    writeFileSync(file, JSON.stringify({ ...result, stray, failed } satisfies TestCount))
  }
}
