import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => process.exit(1))

/** Another process of the demo, with its side of the simulator. */
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

  /** Starts it, and gives the first line that it prints. */
  static async start(
    side: 'register' | 'register/parent',
    file: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<{ program: Program; line: string }> {
    const simulator = import.meta.resolve(`@enclavejs/simulator/${side}`)
    const path = fileURLToPath(new URL(file, import.meta.url))
    const child = spawn(
      process.execPath,
      [...process.execArgv, '--import', simulator, path, ...args],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } },
    )
    const program = new Program(child)
    const lines = createInterface({ input: child.stdout })
    const signal = AbortSignal.timeout(15_000)
    const [line] = (await Promise.race([
      once(lines, 'line', { signal }),
      once(child, 'close').then(() => {
        throw new Error(`${file} ended: ${program.#errors.join('').slice(-500)}`)
      }),
    ])) as [string]
    return { program, line }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!running.has(this.#child)) return
    this.#child.kill()
    await once(this.#child, 'close')
  }
}
