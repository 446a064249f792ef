import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { repository } from '../temporary-tree.ts'

/** `enclavejs acm agent` as a process of its own. */
export class TokenAgent {
  /** What it said. */
  log = ''
  readonly #child: ChildProcess
  readonly #status: Promise<number | null>

  private constructor(child: ChildProcess) {
    this.#child = child
    child.stderr?.on('data', (chunk: Buffer) => (this.log += chunk.toString()))
    this.#status = new Promise((resolve) => child.once('close', resolve))
  }

  /** Starts it and waits until clients can connect. `environment` makes it a parent on the simulator. */
  static async start(
    args: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ): Promise<TokenAgent> {
    const side = environment && ['--import', '@enclavejs/simulator/register/parent']
    const program = [join(repository, 'packages/cli/src/bin.ts'), 'acm', 'agent', ...args]
    const child = spawn(
      process.execPath,
      ['--conditions=@enclavejs/source', ...(side ?? []), ...program],
      { cwd: repository, env: { ...process.env, ...environment } },
    )
    const agent = new TokenAgent(child)
    const end = performance.now() + 60_000
    while (!agent.log.includes(' keys on ')) {
      if (child.exitCode !== null || performance.now() > end) {
        child.kill('SIGKILL')
        throw new Error(`acm agent: ${agent.log}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return agent
  }

  /** Ends it as systemd does, and gives its exit status. */
  stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return this.#status
  }
}
