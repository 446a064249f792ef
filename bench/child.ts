import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** How a child is started. */
export interface ChildOptions {
  /** A program, with its arguments, that starts Node; for one `taskset -c 0`. */
  readonly through?: readonly string[]
  readonly nodeOptions?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** False runs what is built, as a user does. */
  readonly conditions?: false
  /** After so many seconds it is killed. */
  readonly deadline: number
}

/**
 * Runs a module in a Node of its own and returns what its last line says, as JSON.
 *
 * @throws {Error} with the last line of stderr when it fails, and when the deadline has passed.
 */
export async function runChild(
  module: URL,
  input: readonly string[],
  options: ChildOptions,
): Promise<unknown> {
  const [program, ...before] = [...(options.through ?? []), process.execPath]
  const child = spawn(
    program as string,
    [
      ...before,
      ...(options.conditions === false ? [] : ['--conditions=@enclavejs/source']),
      ...(options.nodeOptions ?? []),
      module.pathname,
      ...input,
    ],
    {
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.deadline * 1000,
      killSignal: 'SIGKILL',
    },
  )
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text))
  }
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (signal !== null) throw new Error(`ended by ${signal}, deadline ${options.deadline} s`)
  if (status !== 0) {
    throw new Error(lastLine(output.stderr) ?? `exit status ${status}`)
  }
  const line = lastLine(output.stdout)
  if (line === undefined) throw new Error('it printed no result')
  return JSON.parse(line) as unknown
}

function lastLine(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  // A stack trace names its error first.
  return lines.find((line) => /^\s*(\w*Error|Uncaught)\b/.test(line))?.trim() ?? lines.at(-1)
}
