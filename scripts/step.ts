// One step of `npm run check`, and how a step runs a tool. It refuses to take a tool that could not be started, or that
// was killed, for one that found nothing.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { delimiter, dirname, join } from 'node:path'

export interface Step {
  readonly name: string
  /** What must be there for it, below the root; without it the step is skipped, and the tally says so. */
  readonly needs?: string
  /** What is wrong, one line or block each; empty when nothing is. */
  readonly refusals: (root: string) => readonly string[] | Promise<readonly string[]>
}

export interface ToolRun {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** The file behind a package's command. */
export function toolFile(packageName: string, command: string = packageName): string {
  const manifest = findPackageJSON(packageName, import.meta.url)
  if (manifest === undefined) throw new Error(`${packageName} is not installed: npm ci`)
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    bin: string | Readonly<Record<string, string>>
  }
  const file = typeof bin === 'string' ? bin : bin[command]
  if (file === undefined) throw new Error(`${packageName} has no command ${command}`)
  return join(dirname(manifest), file)
}

/** Runs a program to its end; a signal or a failed start becomes status 1 with the reason on stderr. */
export function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ToolRun> {
  // The repository's own Node stands in front, for tools that start `node` by name.
  const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`
  const child = spawn(program, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: path, NO_COLOR: '1', FORCE_COLOR: '0', ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  return new Promise((resolve) => {
    child.on('error', (error) =>
      resolve({ status: 1, stdout, stderr: `${stderr}${error.message}` }),
    )
    child.on('close', (status, signal) => {
      const reason = signal === null ? '' : `${program} was ended by ${signal}\n`
      resolve({ status: status ?? 1, stdout, stderr: `${stderr}${reason}` })
    })
  })
}

/** Runs a JavaScript tool of node_modules under this Node; its output is the refusal when its status is not 0. */
export async function runTool(
  file: string,
  args: readonly string[],
  cwd: string,
  node: string = process.execPath,
): Promise<readonly string[]> {
  const { status, stdout, stderr } = await run(node, [file, ...args], cwd)
  if (status === 0) return []
  return [`${stdout}${stderr}`.trim() || `exit status ${status} without a word`]
}
