// Full TLS handshakes a second of Node with a loaded certificate, through the parent's proxy as in an enclave, beside the same
// server without proxy and beside NGINX with the key in a file; and what 1,000 idle connections take. `openssl s_time` counts: one
// connection after another, so that a rate is one over the time of a handshake. They are asked in turn; the median counts.
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import type { Row } from './row.ts'
import { readBudget } from './slice.ts'

const KINDS = ['ec', 'rsa'] as const
const IDLE = 1000
const MEBIBYTE = 1024 * 1024

export async function bench(): Promise<readonly Row[]> {
  if (spawnSync('openssl', ['version']).status !== 0) {
    const note = 'openssl is not installed'
    return KINDS.map((kind) => ({ row: `node-${kind}`, value: undefined, unit: '', note }))
  }
  const rows: Row[] = []
  for (const kind of KINDS) rows.push(...(await measure(kind)))
  return rows
}

async function measure(kind: (typeof KINDS)[number]): Promise<Row[]> {
  const rounds = readBudget().slices < 10 ? 1 : 5
  const folder = mkdtempSync(join(tmpdir(), 'enclavejs-bench-acm-'))
  const children: ChildProcess[] = []
  try {
    const server = start(new URL('./acm/server.ts', import.meta.url).pathname, [
      kind,
      join(folder, 'vm'),
    ])
    children.push(server)
    const lines = createInterface(server.stdout as NonNullable<ChildProcess['stdout']>)
    const direct = (await nextLine(lines)).port as number
    const [proxied, nginx] = [await freePort(), await freePort()]
    children.push(startProxy(folder, proxied))
    const hasNginx = startNginx(folder, kind, nginx, children)
    const ports = { proxied, direct, ...(hasNginx && { nginx }) }
    for (const port of Object.values(ports)) await ready(port)
    const seen: Record<string, number[]> = {}
    for (let round = 0; round < rounds; round++) {
      for (const [name, port] of Object.entries(ports)) {
        ;(seen[name] ??= []).push(await handshakes(port))
      }
    }
    const rate = (name: string): number | undefined => median(seen[name])
    const ours = rate('proxied')
    const ratio = (name: string): number | undefined => {
      const other = rate(name)
      return ours === undefined || other === undefined ? undefined : ours / other
    }
    const note = hasNginx ? {} : { note: 'nginx is not installed' }
    return [
      { row: `node-${kind}`, value: ours, unit: 'handshakes/s through the proxy' },
      { row: `node-${kind}-direct`, value: ratio('direct'), unit: 'of the same without proxy' },
      { row: `node-${kind}-nginx`, value: ratio('nginx'), unit: 'of NGINX with a file', ...note },
      ...(kind === 'ec' ? [await idle(proxied, server, lines)] : []),
    ]
  } finally {
    for (const child of children) child.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

function start(module: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--conditions=@enclavejs/source', module, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

function startProxy(folder: string, port: number): ChildProcess {
  const config = join(folder, 'proxy.yaml')
  const to = { path: join(folder, 'vm'), port: 8443 }
  const listen = { port, host: '127.0.0.1' }
  const limits = { maxConnections: 4096 }
  const inbound = [{ listen, to, proxyProtocol: true, ...limits }]
  writeFileSync(config, JSON.stringify({ inbound }))
  const bin = new URL('../packages/cli/src/bin.ts', import.meta.url).pathname
  return spawn(
    process.execPath,
    ['--conditions=@enclavejs/source', bin, 'proxy', '--config', config],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
}

function startNginx(
  folder: string,
  kind: (typeof KINDS)[number],
  port: number,
  children: ChildProcess[],
): boolean {
  if (spawnSync('nginx', ['-v']).status !== 0) return false
  const type = kind === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const made = ['req', '-x509', '-nodes', '-subj', '/CN=www.example.com', '-newkey', ...type]
  spawnSync('openssl', [...made, '-keyout', key, '-out', certificate])
  mkdirSync(join(folder, 'logs'))
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid nginx.pid; error_log logs/error.log;
events { worker_connections 2048; }
http { access_log off; server { listen 127.0.0.1:${port} ssl; ssl_certificate ${certificate};
ssl_certificate_key ${key}; location / { return 200 hello; } } }`,
  )
  const args = [
    '-p',
    folder,
    '-c',
    join(folder, 'nginx.conf'),
    '-e',
    join(folder, 'logs/early.log'),
  ]
  children.push(spawn('nginx', args, { stdio: 'ignore' }))
  return true
}

/** Connections a second, as s_time counts them on the wall clock. */
function handshakes(port: number): Promise<number> {
  const seconds = readBudget().slices < 10 ? 1 : 2
  const args = ['s_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', String(seconds)]
  return new Promise((resolve, reject) => {
    execFile('openssl', args, { timeout: 30_000 }, (error, stdout) => {
      const [, count, real] = /(\d+) connections in (\d+) real seconds/.exec(stdout) ?? []
      if (count === undefined) reject(error ?? new Error(`openssl s_time: ${stdout}`))
      else resolve(Number(count) / Number(real))
    })
  })
}

async function idle(port: number, server: ChildProcess, lines: Interface): Promise<Row> {
  const rss = async (): Promise<number> => {
    const line = nextLine(lines)
    server.stdin?.write('\n')
    return (await line).rss as number
  }
  const before = await rss()
  const sockets: TLSSocket[] = []
  for (let count = 0; count < IDLE; count += 50) {
    const some = Array.from({ length: 50 }, () =>
      connect({ port, host: '127.0.0.1', rejectUnauthorized: false }),
    )
    sockets.push(...some)
    await Promise.all(some.map((one) => once(one, 'secureConnect')))
  }
  await sleep(500)
  const after = await rss()
  for (const one of sockets) one.destroy()
  const unit = `MiB for ${IDLE} idle connections`
  return { row: 'idle', value: (after - before) / MEBIBYTE, unit }
}

async function nextLine(lines: Interface): Promise<Record<string, number | undefined>> {
  const [line] = (await once(lines, 'line')) as [string]
  return JSON.parse(line) as Record<string, number | undefined>
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function ready(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const isThere = await new Promise<boolean>((resolve) => {
      const probe = connectTcp(port, '127.0.0.1', () => resolve(true))
      probe.on('error', () => resolve(false)).on('connect', () => probe.destroy())
    })
    if (isThere) return
    await sleep(100)
  }
  throw new Error(`nothing listens at port ${port}`)
}

function median(values: readonly number[] | undefined): number | undefined {
  return values?.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}
