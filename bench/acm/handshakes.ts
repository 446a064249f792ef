// What a handshake costs when NGINX's key lies in our token: TLS 1.2, 16 clients, a new connection each, all on this
// machine. NGINX comes to `enclavejs acm agent`, that to the token in a process of its own, both over Unix sockets.
// Beside it the same NGINX, with the same certificate, over p11-kit's own server with SoftHSM, with the key in a file, and
// Node that serves TLS itself. They are asked in turn; the median of the ratios counts.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Row } from '../row.ts'
import { median, readBudget } from '../slice.ts'
import { CLIENTS, handshakeRate } from './load.ts'
import { startNginx } from './nginx.ts'
import { startOurs } from './ours.ts'
import { absentSoftHsm, startSoftHsm } from './softhsm.ts'
import { Stand, type Kind } from './stand.ts'

const PEERS = {
  softhsm: 'of NGINX with p11-kit and SoftHSM',
  file: 'of NGINX with the key in a file',
  node: 'of Node serving TLS itself',
} as const
type Peer = keyof typeof PEERS

export async function handshakes(kind: Kind): Promise<readonly Row[]> {
  const reason = absent()
  const rowOf = (peer: Peer): string => `handshakes-${kind}${peer === 'softhsm' ? '' : `-${peer}`}`
  if (reason !== undefined) {
    const note = `not measured: ${reason}`
    return (Object.keys(PEERS) as Peer[]).map((peer) => {
      return { row: rowOf(peer), value: undefined, unit: PEERS[peer], note }
    })
  }
  const seen = await measure(kind)
  return (Object.keys(PEERS) as Peer[]).map((peer) => {
    const ratios = seen.map((round) => round.ours / round[peer]).toSorted((a, b) => a - b)
    const [least, most] = [ratios[0], ratios.at(-1)] as [number, number]
    const rate = (name: Peer | 'ours'): string => median(seen.map((one) => one[name])).toFixed(0)
    const spread = `${least.toFixed(2)} to ${most.toFixed(2)} in ${seen.length} rounds`
    const note = `${rate('ours')}/s against ${rate(peer)}/s; ${spread}`
    return { row: rowOf(peer), value: median(ratios), unit: PEERS[peer], note }
  })
}

function absent(): string | undefined {
  const engine = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/engines-3/pkcs11.so`
  if (!existsSync(engine)) return `no ${engine}`
  if (spawnSync('nginx', ['-v']).error !== undefined) return 'nginx is not installed'
  if (spawnSync('openssl', ['version']).error !== undefined) return 'openssl is not installed'
  return absentSoftHsm()
}

async function measure(kind: Kind): Promise<readonly Record<Peer | 'ours', number>[]> {
  const stand = new Stand()
  try {
    stand.issue(kind)
    const ports = {
      ours: await startNginx(stand, 'ours', await startOurs(stand)),
      softhsm: await startNginx(stand, 'softhsm', await startSoftHsm(stand)),
      file: await startNginx(stand, 'file'),
      node: await startNode(stand, kind),
    }
    const names = Object.keys(ports) as (Peer | 'ours')[]
    const quick = readBudget().slices < 10
    const seconds = quick ? 1 : 2
    // What is compiled while it runs has had its time, in a server that runs for months.
    for (const name of names) {
      await handshakeRate({ port: ports[name], clients: CLIENTS, seconds, tls12: true })
    }
    const rounds: Record<Peer | 'ours', number>[] = []
    for (let count = 0; count < (quick ? 1 : 7); count++) {
      const round = { ours: 0, softhsm: 0, file: 0, node: 0 }
      // The one that begins is another each time.
      for (let index = 0; index < names.length; index++) {
        const name = names[(index + count) % names.length] as Peer | 'ours'
        const load = { port: ports[name], clients: CLIENTS, seconds, tls12: true }
        round[name] = await handshakeRate(load)
      }
      rounds.push(round)
    }
    return rounds
  } finally {
    await stand.close()
  }
}

/** Its own certificate, from the simulator, with a key of the same kind. */
async function startNode(stand: Stand, kind: Kind): Promise<number> {
  const child = stand.node(new URL('./server.ts', import.meta.url), kind, stand.path('vm'))
  if (child.stdout === null) throw new Error('no output')
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return (JSON.parse(line) as { port: number }).port
}
