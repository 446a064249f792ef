// Run by ../vsock.ts in a process of its own: sockets of node:net and of @enclavejs/vsock over Unix sockets, in turns.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectNet, createServer as createNetServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { connect, createServer } from '@enclavejs/vsock'

const CHUNK = Buffer.alloc(64 * 1024, 7)
const folder = mkdtempSync(join(tmpdir(), 'bench-vsock-'))
const milliseconds = Number(process.argv[2])

interface Side {
  /** A connection to a server that counts what it gets, or echoes. */
  open(): Promise<Duplex>
  close(): void
}

type Serve = (socket: Duplex) => void

async function netSide(name: string, serve: Serve): Promise<Side> {
  const path = join(folder, name)
  const server = createNetServer(serve).listen(path)
  await once(server, 'listening')
  return {
    open: async () => {
      const socket = connectNet(path)
      await once(socket, 'connect')
      return socket
    },
    close: () => server.close(),
  }
}

/** Both ends are ours: the client over CONNECT, the server behind the door that answers it. */
async function vsockSide(name: string, serve: Serve): Promise<Side> {
  const path = join(folder, name)
  const server = createServer(serve)
  server.listen({ path, port: 1 })
  const door: Server = createNetServer((socket) => {
    socket.once('data', () => {
      socket.write('OK 1\n')
      server.emit('connection', socket)
    })
  }).listen(path)
  await Promise.all([once(server, 'listening'), once(door, 'listening')])
  return {
    open: () => connect({ path, port: 1 }),
    close: () => {
      server.close()
      door.close()
    },
  }
}

const drain: Serve = (socket) => {
  let total = 0
  socket.on('data', (chunk: Buffer) => {
    total += chunk.length
  })
  socket.on('end', () => socket.end(String(total)))
}
const echo: Serve = (socket) => void socket.pipe(socket)

/** Megabytes a second over one connection. */
async function throughput(open: () => Promise<Duplex>): Promise<number> {
  const socket = await open()
  const started = performance.now()
  let written = 0
  while (performance.now() - started < milliseconds) {
    written += CHUNK.length
    if (!socket.write(CHUNK)) await once(socket, 'drain')
  }
  socket.end()
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  if (Number(answer) !== written) throw new Error(`${answer} bytes arrived of ${written}`)
  return written / 1e6 / ((performance.now() - started) / 1000)
}

/** Microseconds of a round trip of 64 bytes. */
async function latency(open: () => Promise<Duplex>): Promise<number> {
  const socket = await open()
  const message = Buffer.alloc(64)
  let trips = 0
  const started = performance.now()
  await new Promise<void>((resolve) => {
    socket.on('data', () => {
      trips += 1
      if (performance.now() - started < milliseconds) socket.write(message)
      else resolve()
    })
    socket.write(message)
  })
  const taken = performance.now() - started
  socket.destroy()
  return (taken * 1000) / trips
}

function credentials(): { readonly key: Buffer; readonly cert: Buffer } {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', '/CN=enclave', '-addext', 'subjectAltName=DNS:enclave'],
      ...['-keyout', key, '-out', cert],
    ],
    { stdio: 'ignore' },
  )
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] as number

/** The median of ours over node:net's, in pairs one after the other, first one and then the other in front. */
async function ratio(
  measure: (open: () => Promise<Duplex>) => Promise<number>,
  ours: () => Promise<Duplex>,
  theirs: () => Promise<Duplex>,
): Promise<{ readonly ratio: number; readonly ours: number; readonly theirs: number }> {
  const pairs: (readonly [number, number])[] = []
  for (let round = 0; round < 9; round++) {
    if (round % 2 === 0) {
      const first = await measure(ours)
      pairs.push([first, await measure(theirs)])
    } else {
      const first = await measure(theirs)
      pairs.push([await measure(ours), first])
    }
  }
  const kept = pairs.slice(1)
  return {
    ratio: median(kept.map(([one, other]) => one / other)),
    ours: median(kept.map(([one]) => one)),
    theirs: median(kept.map(([, other]) => other)),
  }
}

try {
  const drains = [await vsockSide('a', drain), await netSide('b', drain)] as const
  const echoes = [await vsockSide('c', echo), await netSide('d', echo)] as const
  const tls = credentials()
  const secure: Serve = (socket) => void secureServer.emit('connection', socket)
  const secureServer = createTlsServer(tls, drain)
  const secured = [await vsockSide('e', secure), await netSide('f', secure)] as const
  const openSecure = (side: Side) => async (): Promise<Duplex> => {
    const socket = connectTls({ socket: await side.open(), ca: tls.cert, servername: 'enclave' })
    await once(socket, 'secureConnect')
    return socket
  }
  const result = {
    throughput: await ratio(throughput, drains[0].open, drains[1].open),
    latency: await ratio(latency, echoes[0].open, echoes[1].open),
    'tls-throughput': await ratio(throughput, openSecure(secured[0]), openSecure(secured[1])),
  }
  for (const side of [...drains, ...echoes, ...secured]) side.close()
  console.log(JSON.stringify(result))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
