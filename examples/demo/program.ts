import { spawn, type ChildProcess } from 'node:child_process'
import { once, type EventEmitter } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => process.exit(1))

/** Another process of the demo. */
export class Program implements AsyncDisposable {
  readonly pid: number | undefined
  readonly #child: ChildProcess
  readonly #errors: string[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
    this.pid = child.pid
    running.add(child)
    child.once('close', () => running.delete(child))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#errors.push(text))
  }

  /** Starts it after the module `preload`, and gives the first line that it prints. */
  static async start(
    preload: string,
    file: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<{ program: Program; line: string }> {
    const path = fileURLToPath(new URL(file, import.meta.url))
    const child = spawn(
      process.execPath,
      [...process.execArgv, '--import', preload, path, ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        serialization: 'advanced',
        env: { ...process.env, ...environment },
      },
    )
    const program = new Program(child)
    const lines = createInterface({ input: child.stdout as Readable })
    const line = (await program.#next(lines, 'line')) as string
    return { program, line }
  }

  /** Sends it a message, and gives its answer. */
  async ask(message: object): Promise<unknown> {
    const answer = this.#next(this.#child, 'message')
    this.#child.send(message)
    return answer
  }

  async #next(from: EventEmitter, event: string): Promise<unknown> {
    const ended = new AbortController()
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(20_000)])
    const what = `${this.#child.spawnargs.at(-1)} ended: `
    const onClose = (): void => {
      const text = this.#errors.join('')
      // The line that says what it was stands above its stack.
      const [line] = /^\w*Error.*$/m.exec(text) ?? [text.slice(-500)]
      ended.abort(new Error(what + line))
    }
    this.#child.once('close', onClose)
    try {
      const [value] = (await once(from, event, { signal })) as [unknown]
      return value
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    } finally {
      this.#child.off('close', onClose)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!running.has(this.#child)) return
    this.#child.kill()
    await once(this.#child, 'close')
  }
}
