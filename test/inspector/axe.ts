import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Tab } from './tab.ts'

const FILE =
  process.env['AXE_CORE'] ??
  join(fileURLToPath(new URL('../../', import.meta.url)), 'node_modules/axe-core/axe.min.js')

interface AxeResults {
  readonly passes: number
  readonly violations: readonly string[]
}

/** Whether axe-core is installed, or named in AXE_CORE. */
export const AXE_INSTALLED: boolean = existsSync(FILE)

/** What axe-core finds by its rules for WCAG 2.2 A and AA and for good practice, as sentences. */
export async function runAxe(tab: Tab): Promise<AxeResults> {
  if (!(await tab.evaluate<boolean>('"axe" in window'))) {
    await tab.evaluate(`${readFileSync(FILE, 'utf8')}\n;undefined`)
  }
  return tab.evaluate<AxeResults>(`axe.run(document, { resultTypes: ['violations'] }).then((results) => ({
    passes: results.passes.length,
    violations: results.violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target }) => id + ': ' + help + ' at ' + target.join(' '))),
  }))`)
}
