import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Connections at a time. */
export const CLIENTS = 16
/** RSA and P-256 alike with AES-128-GCM, so that the signature is what differs. */
const CIPHERS = 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256'

/** What s_time is asked for. */
interface Load {
  readonly port: number
  readonly clients: number
  /** It ends with the second of the clock after so many. */
  readonly seconds: number
  /** Default: what both sides like best. */
  readonly tls12?: boolean
}

/** Full handshakes a second, each on a new connection, of `openssl s_time`: one process for each client. */
export async function handshakeRate({ port, clients, seconds, tls12 }: Load): Promise<number> {
  const version = tls12 === true ? ['-tls1_2', '-cipher', CIPHERS] : []
  const args = ['s_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', `${seconds}`]
  const begin = performance.now()
  const counts = await Promise.all(
    Array.from({ length: clients }, () => connections([...args, ...version])),
  )
  // Its own "real seconds" are whole ones, up to one more than have passed.
  const passed = (performance.now() - begin) / 1000
  return counts.reduce((sum, count) => sum + count, 0) / passed
}

async function connections(args: readonly string[]): Promise<number> {
  const child = spawn('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text))
  }
  const [status] = (await once(child, 'close')) as [number | null]
  const [, count] = /(\d+) connections in \d+ real seconds/.exec(output.stdout) ?? []
  if (count === undefined || status !== 0) {
    throw new Error(`openssl s_time: ${output.stderr || output.stdout}`)
  }
  return Number(count)
}
