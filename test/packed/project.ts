import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** What npm says when there is no registry, and not when there is something wrong with a package. */
const UNREACHABLE =
  /npm error code (?:ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|E5\d\d)\b/

/** How a program ended. */
export interface Outcome {
  readonly status: number | null
  readonly output: string
}

/** An installation as npm wrote it down. */
interface Locked {
  readonly version: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
}

/** An empty project of a user with one version of Node. */
export class Project {
  readonly folder: string
  readonly #environment: NodeJS.ProcessEnv

  constructor(folder: string, node: string) {
    this.folder = folder
    // What npm tells the scripts of this repository is none of a user's.
    const own = Object.entries(process.env).filter(
      ([name]) =>
        !/^(?:npm_(?:package|lifecycle|config_local_prefix)|VITEST|NODE_|FORCE_COLOR)/.test(name),
    )
    const path = `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}`
    this.#environment = { ...Object.fromEntries(own), PATH: path, NO_COLOR: '1' }
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  }

  /**
   * `npm install` of tarballs, with npm's own configuration: its registry, its cache, its way with install scripts. `unreachable` where
   * npm had no registry to ask for their dependencies.
   */
  async install(tarballs: readonly string[]): Promise<Outcome | 'unreachable'> {
    const flags = [
      '--no-color',
      '--prefer-offline',
      '--engine-strict',
      '--loglevel=error',
      '--no-update-notifier',
    ]
    const retries = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000']
    const patience = [...retries, '--fetch-retry-maxtimeout=2000', '--fetch-timeout=15000']
    const outcome = await this.run('npm', ['install', ...flags, ...patience, ...tarballs])
    return outcome.status !== 0 && UNREACHABLE.test(outcome.output) ? 'unreachable' : outcome
  }

  /** What is installed, by its folder in node_modules. */
  installed(): ReadonlyMap<string, Locked> {
    const lock = JSON.parse(readFileSync(join(this.folder, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<Record<string, Locked>>
    }
    const all = Object.entries(lock.packages).filter(([path]) => path !== '')
    return new Map(all.map(([path, one]) => [path.replace('node_modules/', ''), one]))
  }

  /** The commands that npm put into the project. */
  commands(): readonly string[] {
    return readdirSync(join(this.folder, 'node_modules/.bin'))
  }

  /** Runs a program in the project, with the version of Node in front. It is killed after a minute. */
  async run(program: string, args: readonly string[]): Promise<Outcome> {
    const child = spawn(program, args, {
      ...{ cwd: this.folder, env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] },
      detached: true,
    })
    let output = ''
    const collect = (chunk: string): void => void (output = (output + chunk).slice(-20_000))
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject).on('close', resolve)
    })
    const late = new AbortController()
    const kill = async (): Promise<null> => {
      await wait(60_000, undefined, { signal: late.signal })
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      return null
    }
    const killing = kill().catch(() => null)
    const status = await Promise.race([ended, killing])
    late.abort()
    return { status, output }
  }
}
