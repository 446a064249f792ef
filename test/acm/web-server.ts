import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { repository } from '../temporary-tree.ts'

/** examples/acm-web-server as an enclave on the simulator, and what it prints. */
export class WebServer implements AsyncDisposable {
  readonly lines: string[] = []
  readonly #child: ChildProcess

  constructor(configuration: object, environment: Readonly<Record<string, string>>) {
    const simulated = [
      '--conditions=@enclavejs/source',
      '--import',
      '@enclavejs/simulator/register',
    ]
    const args = [...simulated, 'main.ts', JSON.stringify(configuration)]
    this.#child = spawn(process.execPath, args, {
      cwd: join(repository, 'examples/acm-web-server'),
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(line)
    })
  }

  /** What a pattern has in its parentheses, in the first line that fits. */
  told(pattern: RegExp): string | undefined {
    return this.lines.map((line) => pattern.exec(line)?.[1]).find((found) => found !== undefined)
  }

  /** Ends it as an orchestrator does, and gives its exit status. */
  async stop(): Promise<number | null> {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) return exitCode
    const closed = once(this.#child, 'close', { signal: AbortSignal.timeout(10_000) })
    this.#child.kill('SIGTERM')
    try {
      const [status] = (await closed) as [number | null]
      return status
    } catch {
      this.#child.kill('SIGKILL')
      return null
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
