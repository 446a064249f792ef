import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { OtherDebian } from './other-debian.ts'

const LIBRARY = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`
/** p11-kit's client as a PKCS #11 module. */
export const MODULE: string = `${LIBRARY}/pkcs11/p11-kit-client.so`
const ENGINE = `${LIBRARY}/engines-3/pkcs11.so`

const PROGRAMS: Readonly<
  Record<'pkcs11-tool' | 'engine' | 'nginx' | 'apache' | 'curl', readonly string[]>
> = {
  'pkcs11-tool': ['/usr/bin/pkcs11-tool', MODULE],
  engine: ['/usr/bin/openssl', ENGINE, MODULE],
  nginx: ['/usr/sbin/nginx', ENGINE, MODULE, '/usr/bin/openssl'],
  apache: ['/usr/sbin/apache2', ENGINE, MODULE, '/usr/bin/openssl'],
  curl: ['/usr/bin/curl'],
}

/** What of Debian this machine lacks for a program: the reason for which a test is skipped. */
export function absent(...programs: (keyof typeof PROGRAMS)[]): string | undefined {
  const missing = programs.flatMap((program) => PROGRAMS[program]).find((file) => !existsSync(file))
  return missing === undefined ? undefined : `no ${missing}`
}

/** What a program left. */
export interface Result {
  readonly status: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

function engineConf(module: string, engine?: string): string {
  return `openssl_conf = openssl_init
[openssl_init]
engines = engine_section
[engine_section]
pkcs11 = pkcs11_section
[pkcs11_section]
engine_id = pkcs11
${engine === undefined ? '' : `dynamic_path = ${engine}`}
MODULE_PATH = ${module}
init = 1
`
}

function providerConf({ provider, module }: OtherDebian): string {
  return `openssl_conf = openssl_init
[openssl_init]
providers = provider_section
[provider_section]
default = default_section
pkcs11 = pkcs11_section
[default_section]
activate = 1
[pkcs11_section]
module = ${provider}
pkcs11-module-path = ${module}
activate = 1
`
}

function configuration(debian: OtherDebian | undefined, by: 'provider' | 'engine'): string {
  if (debian === undefined) return engineConf(MODULE)
  return by === 'provider' ? providerConf(debian) : engineConf(debian.module, debian.engine)
}

/** A folder with what stock programs need to come to a token: a socket's path, OpenSSL's configuration. */
export class Workplace {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'acm-token-'))
  readonly socket: string = join(this.folder, 'p11.sock')
  readonly #children = new Set<ChildProcess>()

  readonly #debian: OtherDebian | undefined

  /** Programs are this machine's, with OpenSSL's engine, or those of another Debian, with its provider or its engine. */
  constructor(debian?: OtherDebian, by: 'provider' | 'engine' = 'provider') {
    this.#debian = debian
    this.write('openssl.cnf', configuration(debian, by))
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content)
    return this.path(name)
  }

  /** Lets other users pass through, as whom web servers run their workers; the folder above may be this run's alone, too. */
  openToOthers(): void {
    chmodSync(this.folder, 0o755)
    const above = dirname(this.folder)
    if ((statSync(above).mode & 0o001) === 0) chmodSync(above, 0o711)
  }

  get environment(): NodeJS.ProcessEnv {
    return {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C',
      P11_KIT_SERVER_ADDRESS: `unix:path=${this.socket}`,
      OPENSSL_CONF: this.path('openssl.cnf'),
    }
  }

  /** A file of the other Debian, or of this machine. */
  fileOf(path: string): string {
    return this.#debian?.file(path) ?? path
  }

  start(command: string, args: readonly string[]): ChildProcess {
    const [file, own] = this.#debian?.command(command, args) ?? [command, args]
    const child = spawn(file, own, { env: this.environment, cwd: this.folder })
    this.#children.add(child)
    child.on('close', () => this.#children.delete(child))
    return child
  }

  run(command: string, args: readonly string[], input?: string): Promise<Result> {
    const child = this.start(command, args)
    const stdout: Buffer[] = []
    let stderr = ''
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.stdin?.on('error', () => {})
    child.stdin?.end(input ?? '')
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (status) => {
        clearTimeout(timer)
        resolve({ status, stdout: Buffer.concat(stdout), stderr })
      })
    })
  }

  /** Ends what was started, and waits for it. */
  async close(): Promise<void> {
    const ends = [...this.#children].map((child) => {
      const end = new Promise((resolve) => child.once('close', resolve))
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
      return end.then(() => clearTimeout(timer))
    })
    await Promise.all(ends)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
