import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type Kind = 'ec' | 'rsa'

/** Key pair types, as `openssl req` takes them. */
const TYPES: Readonly<Record<Kind, readonly string[]>> = {
  rsa: ['rsa:2048'],
  ec: ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
}

/** A folder and the processes of one measurement; all of it goes with `close`. */
export class Stand {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'enclavejs-bench-acm-'))
  readonly #children: ChildProcess[] = []
  #log = ''

  path(name: string): string {
    return join(this.folder, name)
  }

  write(name: string, content: string): string {
    writeFileSync(this.path(name), content, { mode: 0o600 })
    return this.path(name)
  }

  /** Starts a program. What it complains of is shown when something does not come up. */
  start(
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    const child = spawn(program, args, {
      cwd: this.folder,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    child.on('error', (error) => (this.#log += `${error.message}\n`))
    child.stderr.on('data', (text: Buffer) => (this.#log += text.toString()))
    this.#children.push(child)
    return child
  }

  /** Starts a module of this folder, from source. */
  node(module: URL, ...args: readonly string[]): ChildProcess {
    return this.start(process.execPath, [
      '--conditions=@enclavejs/source',
      module.pathname,
      ...args,
    ])
  }

  /** Runs a program to its end. */
  run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const { status, stderr, error } = spawnSync(program, args, {
      cwd: this.folder,
      env: { ...process.env, ...env },
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`${program} ${args[0] ?? ''}: ${error?.message ?? stderr}`)
  }

  /** `key.pem` and a certificate that it signed itself, `certificate.pem`. */
  issue(kind: Kind): void {
    const made = ['req', '-x509', '-nodes', '-subj', '/CN=www.example.com', '-newkey']
    const files = ['-keyout', this.path('key.pem'), '-out', this.path('certificate.pem')]
    this.run('openssl', [...made, ...TYPES[kind], ...files])
  }

  async untilFile(name: string): Promise<void> {
    await this.#until(async () => existsSync(this.path(name)), name)
  }

  async untilListening(port: number): Promise<void> {
    const probe = async (): Promise<boolean> => {
      const socket = connect(port, '127.0.0.1')
      const open = await new Promise<boolean>((resolve) => {
        socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
      })
      socket.destroy()
      return open
    }
    await this.#until(probe, `port ${port}`)
  }

  async #until(isThere: () => Promise<boolean>, what: string): Promise<void> {
    const end = performance.now() + 20_000
    while (!(await isThere())) {
      if (performance.now() > end) throw new Error(`nothing at ${what}: ${this.#log}`)
      await sleep(50)
    }
  }

  async close(): Promise<void> {
    const ends = this.#children
      .filter(
        ({ exitCode, signalCode, pid }) =>
          pid !== undefined && exitCode === null && signalCode === null,
      )
      .map(async (child) => {
        const end = once(child, 'close')
        child.kill()
        const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
        await end
        clearTimeout(timer)
      })
    await Promise.all(ends)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
