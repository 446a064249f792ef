import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { repository } from '../temporary-tree.ts'

const simulator = import.meta.resolve('@enclavejs/simulator/register')

/** A program of an example in a process of its own. */
export class ExampleProgram implements AsyncDisposable {
  /** The first line that it printed. */
  readonly line: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, line: string) {
    this.#child = child
    this.line = line
  }

  /** Starts it and waits for its first line; with `environment` as an enclave on the simulator. */
  static async start(
    file: string,
    args: readonly string[] = [],
    environment?: Readonly<Record<string, string>>,
  ): Promise<ExampleProgram> {
    const side = environment === undefined ? [] : ['--import', simulator]
    const child = spawn(
      process.execPath,
      ['--conditions=@enclavejs/source', ...side, join(repository, 'examples', file), ...args],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } },
    )
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    const ended = once(child, 'close').then(() => {
      throw new Error(`${file} ended: ${errors}`)
    })
    ended.catch(() => undefined)
    const signal = AbortSignal.timeout(20_000)
    const lines = once(createInterface({ input: child.stdout }), 'line', { signal })
    const [line] = (await Promise.race([lines, ended])) as [string]
    return new ExampleProgram(child, line)
  }

  /** Ends it as an orchestrator does, and gives its exit status. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode
    this.#child.kill('SIGTERM')
    const [status] = (await once(this.#child, 'close')) as [number | null]
    return status
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
