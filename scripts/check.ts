// `npm run check`: everything about the repository that is not a test. It refuses what any step refuses, runs every step
// even so, and ends with one line that a person and .ci/run can read.
//
//   npm run check [-- STEP...] [-- --update-api]
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as api from './check-api.ts'
import * as arrows from './check-arrows.ts'
import * as habits from './check-habits.ts'
import * as names from './check-names.ts'
import * as packages from './check-packages.ts'
import * as packed from './check-packed.ts'
import { run, runTool, toolFile, type Step } from './step.ts'
import { exitStatus, tallyLine } from './tally.ts'

/** A step that is one tool of node_modules. */
function tool(name: string, packageName: string, command: string, ...args: string[]): Step {
  return { name, refusals: (root) => runTool(toolFile(packageName, command), args, root) }
}

/** The later steps look at `dist`, so it must be what the sources say now. */
const build: Step = {
  name: 'build',
  refusals: async (root) => {
    const { status, stdout, stderr } = await run(process.execPath, ['scripts/prepare.mjs'], root)
    return status === 0 ? [] : [`${stdout}${stderr}`.trim()]
  },
}

/**
 * All programs. The declarations of tools and oracles (tsup, @peculiar/x509) want a browser's types or packages that are
 * not here, so they are skipped; ours are checked without that mercy in `packed`.
 */
const types = tool(
  'types',
  'typescript',
  'tsc',
  ...['-p', '.', '--pretty', 'false', '--skipLibCheck'],
  ...['--isolatedDeclarations', 'false', '--declaration', 'false'],
)

/** The page has a browser's types, which would hide mistakes everywhere else. */
const page = tool('page', 'typescript', 'tsc', ...['-p', 'examples/inspector', '--pretty', 'false'])

/** The deployment and the site have packages of their own, large ones, which a clone need not have. */
const [deploy, site] = [
  ['deploy', 'examples/deploy'],
  ['site', 'docs'],
].map(([name = '', folder = '']) => ({
  ...tool(name, 'typescript', 'tsc', ...['-p', folder, '--pretty', 'false']),
  needs: join(folder, 'node_modules'),
})) as [Step, Step]

/** Only what is published, or inlined into it, must say the type of each export; a test need not. */
const declarations = tool(
  'exports',
  'typescript',
  'tsc',
  ...['-p', 'scripts/source.tsconfig.json', '--pretty', 'false'],
)

const STEPS: readonly Step[] = [
  tool('lint', 'oxlint', 'oxlint', '--deny-warnings'),
  tool('format', 'prettier', 'prettier', '--check', '--log-level=warn', '.'),
  types,
  page,
  deploy,
  site,
  declarations,
  { name: 'arrows', refusals: arrows.refusals },
  { name: 'names', refusals: names.refusals },
  { name: 'habits', refusals: habits.refusals },
  tool('unused', 'knip', 'knip', '--no-progress', '--no-config-hints'),
  build,
  { name: 'packages', refusals: packages.refusals },
  { name: 'packed', refusals: packed.refusals },
  { name: 'api', refusals: api.refusals },
  tool('size', 'size-limit', 'size-limit'),
]

async function check(step: Step, root: string): Promise<boolean> {
  const started = performance.now()
  let found: readonly string[]
  try {
    found = await step.refusals(root)
  } catch (error) {
    found = [error instanceof Error ? (error.stack ?? error.message) : String(error)]
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(
    `${step.name.padEnd(9)} ${seconds.padStart(5)} s  ${found.length === 0 ? 'ok' : 'FAILED'}`,
  )
  for (const text of found) console.log(text.replace(/^/gm, '    '))
  return found.length === 0
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'update-api': { type: 'boolean', default: false } },
})
const root = process.cwd()
const unknown = positionals.filter((name) => !STEPS.some((step) => step.name === name))
if (unknown.length > 0 || !existsSync(join(root, 'packages'))) {
  console.error(
    `check: unknown step ${unknown.join(', ')}; there are ${STEPS.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}

const tally = { passed: 0, failed: 0, skipped: 0 }
for (const step of STEPS) {
  if (positionals.length > 0 && !positionals.includes(step.name)) continue
  if (step.name === 'api' && values['update-api']) api.update(root)
  if (step.needs !== undefined && !existsSync(join(root, step.needs))) {
    console.log(`${step.name.padEnd(9)} skipped: ${step.needs} is not there`)
    tally.skipped++
  } else if (await check(step, root)) tally.passed++
  else tally.failed++
}
console.log(tallyLine(tally))
process.exitCode = exitStatus(tally, true)
