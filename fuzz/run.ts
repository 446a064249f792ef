// `npm run fuzz -- TARGET [SECONDS]`: coverage-guided fuzzing of one decoder. Exit status 0: no finding; 1: a finding, whose
// input is saved; 2: wrong use. `--seed` and `--runs` repeat a run: the same seed gives the same inputs in the same order.
import { createHash, randomInt } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { Finding, Progress } from './engine.ts'
import { TARGETS } from './targets.ts'
import type { Job, Message } from './worker.ts'

const USE = `use: npm run fuzz -- TARGET [SECONDS] [--seed N] [--runs N] [--findings DIR] [--missed] [--patience MS]
TARGET: ${Object.keys(TARGETS).join(', ')}, or the path of a module that exports a target, with --sources FOLDER`
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const PRESENT_BYTES = 64 * 1024

interface Options extends Omit<Job, 'root' | 'present'> {
  readonly findings: string
  readonly missed: boolean
  /** How many milliseconds the watcher lets one input run. */
  readonly patience: number
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      runs: { type: 'string' },
      findings: { type: 'string', default: join(ROOT, 'fuzz', 'findings') },
      sources: { type: 'string', multiple: true },
      missed: { type: 'boolean', default: false },
      patience: { type: 'string', default: '10000' },
    },
  })
  const [name, seconds = '60', ...more] = positionals
  if (name === undefined || more.length > 0) throw new TypeError('one TARGET, and its SECONDS')
  const named = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined
  const folders = values.sources ?? named?.sources
  if (folders === undefined) throw new TypeError(`no target is named ${name}`)
  return {
    name,
    folders,
    seed: values.seed === undefined ? randomInt(2 ** 32) : readCount(values.seed, '--seed'),
    milliseconds: 1000 * readCount(seconds, 'SECONDS'),
    runs: values.runs === undefined ? Number.MAX_SAFE_INTEGER : readCount(values.runs, '--runs'),
    findings: values.findings,
    missed: values.missed,
    patience: readCount(values.patience, '--patience'),
  }
}

function readCount(text: string, what: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new RangeError(`${what}: ${JSON.stringify(text)} is no whole number`)
}

function describe(progress: Progress): string {
  const { runs, seconds, cpuSeconds, branches, branchesHit, corpus } = progress
  const rate = Math.round(runs / Math.max(seconds, 0.001))
  const cpuRate = Math.round(runs / Math.max(cpuSeconds, 0.001))
  const share = ((100 * branchesHit) / Math.max(branches, 1)).toFixed(1)
  return [
    `${seconds.toFixed(0)} s`,
    `${runs} executions`,
    `${rate}/s (${cpuRate}/s of CPU)`,
    `${branchesHit} of ${branches} branches (${share} %)`,
    `corpus ${corpus}`,
  ].join(', ')
}

/** Saves the input under its hash; the path, for the report. */
function save(folder: string, name: string, { input, reason }: Finding): string {
  mkdirSync(folder, { recursive: true })
  const hash = createHash('sha256').update(input).digest('hex').slice(0, 16)
  const target = name.replace(/^.*\/|\.ts$/g, '')
  const path = join(folder, `${target}-${hash}.bin`)
  writeFileSync(path, input)
  writeFileSync(`${path}.txt`, `${reason}\n`)
  return relative(process.cwd(), path)
}

/** Fuzzes on a thread and watches it. */
function fuzz(options: Options): Promise<Extract<Message, { kind: 'done' }>> {
  const present = new SharedArrayBuffer(8 + PRESENT_BYTES)
  const head = new Int32Array(present, 0, 2)
  const { name, folders, seed, milliseconds, runs } = options
  const job: Job = { root: ROOT, name, folders, seed, milliseconds, runs, present }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 128 },
  })
  let last: Progress | undefined
  let printed = performance.now()
  const ended = (reason: string): Extract<Message, { kind: 'done' }> => {
    const input = new Uint8Array(present.slice(8, 8 + (head[1] as number)))
    const progress: Progress = last ?? {
      ...{
        runs: 0,
        seconds: 0,
        cpuSeconds: 0,
        branches: 0,
        branchesHit: 0,
        branchesOfSeeds: 0,
        corpus: 0,
      },
    }
    return { kind: 'done', progress, finding: { input, reason }, missed: [] }
  }
  return new Promise((resolve, reject) => {
    let count = -1
    const watch = setInterval(() => {
      const now = Atomics.load(head, 0)
      if (now === count && now > 0) finish(ended(`runs for more than ${options.patience} ms`))
      count = now
    }, options.patience)
    const finish = (done: Extract<Message, { kind: 'done' }>): void => {
      clearInterval(watch)
      resolve(done)
      void worker.terminate()
    }
    worker.on('message', (message: Message) => {
      last = message.progress
      if (message.kind === 'done') return finish(message)
      if (performance.now() - printed < 5000) return
      printed = performance.now()
      console.log(describe(last))
    })
    worker.on('error', (error) => {
      clearInterval(watch)
      // Before the first input it is the harness that is broken; later it is the input, out of memory for one.
      if (Atomics.load(head, 0) === 0) reject(error)
      else finish(ended(error.stack ?? error.message))
    })
  })
}

async function main(): Promise<number> {
  let options
  try {
    options = readOptions()
  } catch (error) {
    console.error(`${(error as Error).message}\n${USE}`)
    return 2
  }
  console.log(`${options.name}: seed ${options.seed}, ${options.milliseconds / 1000} s`)
  const { progress, finding, missed } = await fuzz(options)
  console.log(describe(progress))
  console.log(`the seeds alone: ${progress.branchesOfSeeds} branches; seed ${options.seed}`)
  if (options.missed) console.log(`not taken:\n${missed.map((one) => `  ${one}`).join('\n')}`)
  if (finding === undefined) {
    console.log('no finding')
    return 0
  }
  const path = save(options.findings, options.name, finding)
  console.error(`FINDING, ${finding.input.length} bytes, saved as ${path}\n${finding.reason}`)
  return 1
}

process.exitCode = await main()
