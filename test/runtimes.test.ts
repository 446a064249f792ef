import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ABSENT,
  installed,
  NO_DOCUMENTS,
  realChecks,
  realDocuments,
  Stage,
} from './runtimes/stage.ts'

interface Runtime {
  readonly name: string
  readonly program: string | undefined
  readonly options: readonly string[]
}

/** Each may read what it is given and nothing else, as far as it can be told so. */
const runtimes: readonly Runtime[] = [
  { name: 'Node 22', program: installed('node-22/bin/node'), options: ['program.js'] },
  { name: 'Node 26', program: installed('node-26/bin/node'), options: ['program.js'] },
  { name: 'Node of the repository', program: process.execPath, options: ['program.js'] },
  {
    name: 'Bun',
    program: installed('@oven/bun-linux-x64/bin/bun'),
    options: ['--no-install', 'program.js'],
  },
  {
    name: 'Deno',
    program: installed('@deno/linux-x64-glibc/deno'),
    options: [
      'run',
      '--no-prompt',
      '--no-remote',
      '--no-npm',
      '--no-config',
      '--no-lock',
      'program.js',
    ],
  },
  {
    name: 'workerd',
    program: installed('@cloudflare/workerd-linux-64/bin/workerd'),
    options: ['test', 'worker.capnp'],
  },
]

/** A runtime takes a few seconds where the machine is its own. */
const LONG = { timeout: 180_000 }

let stage: Stage | undefined
beforeAll(async () => {
  stage = await Stage.open()
})
afterAll(() => stage?.close())

describe('the conformance suite on the built package', () => {
  /** Both tests of a runtime read what one run printed. */
  const runs = new Map<string, ReturnType<typeof execute>>()
  const runIn = ({ name, options }: Runtime, program: string): ReturnType<typeof execute> => {
    const run = runs.get(name) ?? execute(program, options, (stage as Stage).folder)
    runs.set(name, run)
    return run
  }

  test.for(runtimes)('in $name', LONG, async (runtime, context) => {
    if (runtime.program === undefined) return context.skip(ABSENT)
    const { status, output } = await runIn(runtime, runtime.program)
    expect(output).toMatch(/^[1-9]\d{3} passed, 0 failed$/m)
    expect(status).toBe(0)
  })

  test.for(runtimes)('documents that AWS signed, in $name', LONG, async (runtime, context) => {
    if (runtime.program === undefined) return context.skip(ABSENT)
    if (realChecks() === 0) return context.skip(NO_DOCUMENTS)
    const { output } = await runIn(runtime, runtime.program)
    expect(realChecks()).toBeGreaterThan(190)
    expect(output.split('\n')).toContain(`real documents: ${realChecks()} passed, 0 failed`)
  })

  test('fails on real documents when the verifier is wrong', async (context) => {
    if (realChecks() === 0) return context.skip(NO_DOCUMENTS)
    const broken = [
      "import { checkRealDocuments } from './real-documents.js'",
      "import * as attestation from './attestation.js'",
      "import { documents } from './documents.js'",
      'const never = async () => { throw new Error() }',
      'const always = async (_, { currentDate }) => ({ timestamp: new Date(currentDate - 1000) })',
      'for (const verifyAttestation of [never, always]) {',
      '  const wrong = { ...attestation, verifyAttestation }',
      '  console.log((await checkRealDocuments(wrong, documents)).passed)',
      '}',
    ].join('\n')
    const { output } = await execute(
      process.execPath,
      ['--input-type=module', '--eval', broken],
      (stage as Stage).folder,
    )
    // Who accepts everything is right of the untouched ones, a third, and of nothing else.
    expect(output).toBe(`0\n${realDocuments().filter(({ enclave }) => enclave).length}\n`)
  })

  test('fails in a runtime when a check fails', async () => {
    const { folder } = stage as Stage
    const broken = [
      "import { runConformance } from './conformance.js'",
      "import * as attestation from './attestation.js'",
      "import { corpus } from './corpus.js'",
      "const cases = corpus.cases.slice(0, 9).map((one) => ({ ...one, expect: 'accept' }))",
      'const report = await runConformance(attestation, undefined, { ...corpus, cases })',
      'process.exitCode = report.failed > 9 ? 1 : 0',
    ].join('\n')
    const { status } = await execute(
      process.execPath,
      ['--input-type=module', '--eval', broken],
      folder,
    )
    expect(status).toBe(1)
  })
})

/** Runs a program with an environment of its own, and ends it after its time. */
function execute(
  program: string,
  options: readonly string[],
  cwd: string,
): Promise<{ status: number | null; output: string }> {
  const env = { PATH: '/usr/bin:/bin', HOME: cwd, TMPDIR: tmpdir(), NO_COLOR: '1' }
  return new Promise((resolve, reject) => {
    const child = spawn(program, options, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-20_000)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    const timer = setTimeout(() => child.kill('SIGKILL'), 170_000)
    child.on('error', reject)
    child.on('close', (status) => {
      clearTimeout(timer)
      resolve({ status, output })
    })
  })
}
