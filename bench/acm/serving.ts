// Full TLS handshakes a second of Node with a loaded certificate, through the parent's proxy as in an enclave, beside the same
// server without proxy and beside NGINX with the key in a file; and what 1,000 idle connections take. One client, one connection
// after another, so that a rate is one over the time of a handshake. They are asked in turn; the median counts.
import { spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import type { Row } from '../row.ts'
import { median, readBudget } from '../slice.ts'
import { handshakeRate } from './load.ts'
import { startNginx } from './nginx.ts'
import { freePort, Stand, type Kind } from './stand.ts'

const IDLE = 1000
const MEBIBYTE = 1024 * 1024

export async function serving(kind: Kind): Promise<readonly Row[]> {
  const rounds = readBudget().slices < 10 ? 1 : 5
  const stand = new Stand()
  try {
    const server = stand.node(new URL('./server.ts', import.meta.url), kind, stand.path('vm'))
    const lines = createInterface(server.stdout as NonNullable<ChildProcess['stdout']>)
    const direct = (await nextLine(lines)).port as number
    const proxied = await startProxy(stand)
    const hasNginx = spawnSync('nginx', ['-v']).error === undefined
    if (hasNginx) stand.issue(kind)
    const ports = { proxied, direct, ...(hasNginx && { nginx: await startNginx(stand, 'file') }) }
    const seen: Record<string, number[]> = {}
    for (let round = 0; round < rounds; round++) {
      for (const [name, port] of Object.entries(ports)) {
        const load = { port, clients: 1, seconds: rounds === 1 ? 1 : 2 }
        ;(seen[name] ??= []).push(await handshakeRate(load))
      }
    }
    const rate = (name: string): number => median(seen[name] ?? [])
    const ours = rate('proxied')
    const peer = hasNginx ? { value: ours / rate('nginx') } : { value: undefined, note: NO_NGINX }
    return [
      { row: `node-${kind}`, value: ours, unit: 'handshakes/s through the proxy' },
      {
        row: `node-${kind}-direct`,
        value: ours / rate('direct'),
        unit: 'of the same without proxy',
      },
      { row: `node-${kind}-nginx`, unit: 'of NGINX with a file', ...peer },
      ...(kind === 'ec' ? [await idle(proxied, server, lines)] : []),
    ]
  } finally {
    await stand.close()
  }
}

const NO_NGINX = 'not measured: nginx is not installed'

async function startProxy(stand: Stand): Promise<number> {
  const port = await freePort()
  const to = { path: stand.path('vm'), port: 8443 }
  const listen = { port, host: '127.0.0.1' }
  const inbound = [{ listen, to, proxyProtocol: true, maxConnections: 4096 }]
  const config = stand.write('proxy.yaml', JSON.stringify({ inbound }))
  stand.node(new URL('../../packages/cli/src/bin.ts', import.meta.url), 'proxy', '--config', config)
  await stand.untilListening(port)
  return port
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
