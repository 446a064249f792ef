// The thread that fuzzes. Another one watches, because a decoder that hangs cannot be stopped from inside.
import { parentPort, workerData } from 'node:worker_threads'
import { Engine, type Finding, type Progress } from './engine.ts'
import { instrument } from './instrumentation.ts'
import { loadTarget } from './targets.ts'

/** What the thread is given. */
export interface Job {
  readonly root: string
  readonly name: string
  readonly folders: readonly string[]
  readonly seed: number
  readonly milliseconds: number
  readonly runs: number
  /** A count of inputs and the length of the present one, both as 32-bit integers, and its bytes. */
  readonly present: SharedArrayBuffer
}

/** What it tells: `progress` again and again, `done` at the end. */
export type Message =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | {
      readonly kind: 'done'
      readonly progress: Progress
      readonly finding: Finding | undefined
      readonly missed: readonly string[]
    }

const job = workerData as Job
const head = new Int32Array(job.present, 0, 2)
const bytes = new Uint8Array(job.present, 8)

const instrumentation = instrument(job.root, job.folders)
const engine = new Engine(await loadTarget(job.name), instrumentation, job.seed)
const finding = await engine.fuzz(
  job,
  (input) => {
    const kept = input.subarray(0, bytes.length)
    bytes.set(kept)
    head[1] = kept.length
    Atomics.add(head, 0, 1)
  },
  (progress) => tell({ kind: 'progress', progress }),
)
tell({ kind: 'done', progress: engine.progress, finding, missed: engine.missed })

function tell(message: Message): void {
  parentPort?.postMessage(message)
}
