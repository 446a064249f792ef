import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './block.ts'

/** What a run printed, both streams in the order of time, and how it ended. */
export interface Outcome {
  readonly status: number | null
  readonly output: string
}

/**
 * A folder like that of a user who has installed the packages: `enclavejs`, `npx` and `node` on the PATH are this
 * checkout's command, a caller of it, and this Node; the packages are run from their sources.
 */
export class Playground {
  readonly path: string = mkdtempSync(join(tmpdir(), 'enclavejs-readme-'))
  readonly #bin: string = join(this.path, '.bin')

  constructor() {
    symlinkSync(join(root, 'node_modules'), join(this.path, 'node_modules'))
    this.write('package.json', '{ "type": "module" }')
    mkdirSync(this.#bin)
    const command = join(root, 'packages/cli/src/bin.ts')
    this.#program('enclavejs', `exec '${process.execPath}' '${command}' "$@"`)
    this.#program('npx', 'exec "$@"')
    this.#program('node', `exec '${process.execPath}' "$@"`)
  }

  write(name: string, text: string): string {
    const path = join(this.path, name)
    writeFileSync(path, text)
    return path
  }

  copy(from: string, name: string): void {
    copyFileSync(from, join(this.path, name))
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }

  /** Runs one module with a simulated device under it. */
  async runModule(name: string, code: string): Promise<Outcome> {
    const file = this.write(name, code)
    return this.#run(process.execPath, ['--import', '@enclavejs/simulator/register', file])
  }

  /** Runs commands in one shell, one after the other, and returns what each of them printed. */
  async runCommands(commands: readonly string[]): Promise<readonly Outcome[]> {
    const script = commands.map(
      // The mark carries the status of the command before, and leaves it to the next as it was.
      (command) => `status=$?; printf '\\n@@ %d\\n' $status; (exit $status)\n${command}`,
    )
    const end = `status=$?; printf '\\n@@ %d\\n' $status\n`
    const { output } = await this.#run('sh', ['-c', `exec 2>&1\n${script.join('\n')}\n${end}`])
    const [, ...parts] = output.split(/\n@@ (\d+)\n/)
    // status, output, status, output, …: the first status is the shell's own, before any command.
    return commands.map((_, index) => ({
      output: parts[2 * index + 1] as string,
      status: Number(parts[2 * index + 2]),
    }))
  }

  #program(name: string, text: string): void {
    writeFileSync(join(this.#bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  }

  async #run(command: string, args: readonly string[]): Promise<Outcome> {
    const env = {
      ...process.env,
      PATH: `${this.#bin}:${process.env['PATH'] ?? ''}`,
      NODE_OPTIONS: '--conditions=@enclavejs/source',
      NO_COLOR: '1',
      FORCE_COLOR: undefined,
    }
    const child = spawn(command, args, {
      cwd: this.path,
      env,
      timeout: 45_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (status) => resolve({ status, output }))
    })
  }
}
