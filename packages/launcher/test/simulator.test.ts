// Programs on the simulator, and what leads to them and out of them. The vsock is made of Unix sockets, everything else is real.
import { randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { decodeAttestationDocument } from '@enclavejs/attestation'
import { describeFile } from '@enclavejs/eif/node'
import { createCertificateAuthority } from '@enclavejs/simulator'
import { connect as connectVsock, MessageClient } from '@enclavejs/vsock'
import {
  findEnclave,
  listEnclaves,
  readConsole,
  runEnclave,
  stopEnclave,
  type RunEvent,
} from '../src/index.ts'
import { admitByDocument } from '../src/admission.ts'
import type { Machine } from '../src/machine.ts'
import { collect, listening, Stand, typesOf } from './stand.ts'

let stand: Stand
beforeAll(() => {
  // For the programs that are started: our packages from their sources, as here.
  process.execArgv.push('--conditions=@enclavejs/source')
  stand = new Stand()
})
afterEach(async () => {
  for (const { name } of (await listEnclaves(stand.surroundings)).enclaves) {
    await stopEnclave(name, { surroundings: stand.surroundings })
  }
})
afterAll(() => stand.remove())

const SERVE = `
import { openNsm } from '@enclavejs/nsm'
import { createServer, serveMessages } from '@enclavejs/vsock'
import { createLog } from '@enclavejs/vsock/log'
const log = createLog({ events: ['started'], fields: { n: { type: 'integer', min: 0, max: 9 } }, port: 8006 })
const nsm = openNsm()
const attest = createServer()
serveMessages(attest, (nonce) => nsm.attestation({ nonce }))
attest.listen({ port: 5001 })
createServer((socket) => socket.pipe(socket)).listen({ port: 7 })
log.info('started', { n: 3, secret: process.env.SECRET })
console.log('environment', Object.keys(process.env).filter((key) => !key.startsWith('ENCLAVEJS_')).sort().join())
console.log('arguments', process.argv.slice(2).join())
`

function echo(port: number, message: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.end(message)
  return text(socket)
}

function publishedPort(events: readonly RunEvent[]): number {
  const opened = events.find((one) => one.type === 'open')
  return opened?.doors.find(({ kind }) => kind === 'publish')?.port ?? 0
}

describe('a program on the simulator', () => {
  it('is started, asked for a document, published, logged, listed, read and stopped', async () => {
    const path = stand.node('serve', SERVE)
    const { options, events } = listening(stand, {
      ...{ name: 'serve', readyPort: 7, attestPort: 5001, logPort: 8006, args: ['a b', 'c'] },
      ...{ env: { SECRET: 'x' }, publish: [{ port: 0, to: 7 }] },
    })
    stand.env['PARENTS_SECRET'] = 'y'
    const enclave = await runEnclave(path, options)
    expect(enclave).toMatchObject({ backend: 'simulator', cid: 16, pcrs: undefined })
    expect(enclave.admission).toMatchObject({ by: 'none', proven: 'nothing' })
    expect(await echo(publishedPort(events), 'hello')).toBe('hello')
    await expect.poll(() => events.filter(({ type }) => type === 'log')).toHaveLength(3)
    const logged = events.flatMap((one) => (one.type === 'log' ? [one.entry] : []))
    expect(logged.slice(1)).toMatchObject([
      { event: 'started', fields: { n: 3 } },
      { type: 'dropped', drops: { field: 1 } },
    ])
    const order = ['backend', 'starting', 'started', 'admitted', 'ready', 'open', 'log']
    expect([...new Set(typesOf(events))]).toEqual(order)
    expect(await findEnclave('serve', stand.surroundings)).toMatchObject({
      ...{ state: 'running', supervisorPid: process.pid, logPort: 8006 },
    })
    const lines = await collect(readConsole('serve', { surroundings: stand.surroundings }))
    expect(lines).toContain('environment PATH,SECRET')
    expect(lines).toContain('arguments a b,c')
    const stopped = await stopEnclave('serve', { surroundings: stand.surroundings })
    expect(stopped).toEqual({ name: 'serve', how: 'stopped' })
    expect(await enclave.ended).toMatchObject({ asked: true, forced: false })
    await expect(echo(publishedPort(events), 'x')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect((await listEnclaves(stand.surroundings)).enclaves).toEqual([])
  })

  it('opens nothing before it was asked for a document', async () => {
    const path = stand.node(
      'late',
      SERVE.replace(
        'attest.listen({ port: 5001 })',
        'setTimeout(() => attest.listen({ port: 5001 }), 1500)',
      ),
    )
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    await new Promise((resolve) => probe.close(resolve))
    const service = createServer()
    const seen: string[] = []
    const { options } = listening(stand, {
      ...{ name: 'late', readyPort: 7, attestPort: 5001, publish: [{ port, to: 7 }] },
      services: [{ port: 8002, server: service }],
      onEvent: ({ type }) => {
        if (type === 'started' || type === 'admitted') seen.push(`${type} ${service.listening}`)
      },
    })
    const running = runEnclave(path, options)
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(1)
    await expect(echo(port, 'x')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await using enclave = await running
    expect(seen).toEqual(['started false', 'admitted false'])
    expect(service.listening).toBe(true)
    expect(await echo(port, 'x')).toBe('x')
    expect(enclave.doors.map(({ kind }) => kind)).toEqual(['service', 'publish'])
  })

  it('reaches what is allowed and nothing else', async () => {
    const backend = createServer((socket) => socket.end('from outside')).listen(0, '127.0.0.1')
    await once(backend, 'listening')
    const { port } = backend.address() as AddressInfo
    const path = stand.node(
      'reach',
      `
import { text } from 'node:stream/consumers'
import { createEgress, connect } from '@enclavejs/vsock'
const allow = [${port}, 1].map((port) => ({ host: '127.0.0.1', port }))
const egress = createEgress({ connect: { cid: 3, port: 8001 }, allow })
console.log(await text(await egress('127.0.0.1', ${port}, {})))
console.log(await text(await connect({ port: 8000 })))
console.log(await egress('127.0.0.1', 1, {}).catch(({ code }) => code))
setInterval(() => {}, 1000)
`,
    )
    const { options, events } = listening(stand, {
      allow: [{ host: '127.0.0.1', port }],
      outbound: [{ listen: 8000, host: '127.0.0.1', port }],
    })
    await using enclave = await runEnclave(path, options)
    const said = (): string[] => events.flatMap((one) => (one.type === 'console' ? [one.line] : []))
    await expect.poll(said, { timeout: 20_000 }).toContain('ERR_VSOCK_EGRESS_REFUSED')
    expect(said().filter((line) => line === 'from outside')).toHaveLength(2)
    await enclave.stop()
    backend.close()
  })

  it('that ends before it is ready is refused, with what it said last', async () => {
    const path = stand.node('early', `console.error('no \\u001b[2J key'); process.exit(4)`)
    await expect(
      runEnclave(path, listening(stand, { readyPort: 7 }).options),
    ).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_ENDED',
      message: expect.stringMatching(/exit status 4.*no \\u\{1b\}\[2J key/) as string,
    })
  })

  it('that is not ready in time is refused and killed', async () => {
    const path = stand.node('never', `console.log(process.pid); setInterval(() => {}, 1000)`)
    const { options, events } = listening(stand, { readyPort: 7, timeout: 2500 })
    await expect(runEnclave(path, options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_READY',
      message: expect.stringContaining('a listener on its vsock port 7') as string,
    })
    const pid = events
      .flatMap((one) => (one.type === 'console' ? [Number(one.line)] : []))
      .find(Number)
    expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH')
    expect((await listEnclaves(stand.surroundings)).enclaves).toEqual([])
  })

  it('that is aborted while it starts rejects with the reason', async () => {
    const path = stand.node('never', `setInterval(() => {}, 1000)`)
    const aborting = new AbortController()
    const { options } = listening(stand, {
      ...{ readyPort: 7, signal: aborting.signal },
      onEvent: ({ type }) => type === 'started' && aborting.abort(new Error('enough')),
    })
    await expect(runEnclave(path, options)).rejects.toThrow('enough')
  })

  it('that is stopped while it starts says so', async () => {
    const path = stand.node('never', `setInterval(() => {}, 1000)`)
    const { options, events } = listening(stand, { name: 'never', readyPort: 7 })
    const running = runEnclave(path, options)
    running.catch(() => undefined)
    await expect.poll(() => typesOf(events), { timeout: 20_000 }).toContain('started')
    await stopEnclave('never', { surroundings: stand.surroundings })
    await expect(running).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_ENDED',
      message: expect.stringContaining('stopped') as string,
    })
  })

  it('that ends by itself closes its doors', async () => {
    const path = stand.node('short', `setTimeout(() => process.exit(5), 1200)`)
    const { options, events } = listening(stand, { publish: [{ port: 0, to: 7 }] })
    const enclave = await runEnclave(path, options)
    expect(await enclave.ended).toMatchObject({ asked: false, status: 5, reason: 'exit status 5' })
    await expect(echo(publishedPort(events), 'x')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('that does not heed SIGTERM is killed, with what it started', async () => {
    const path = stand.node(
      'stubborn',
      `
import { spawn } from 'node:child_process'
process.on('SIGTERM', () => {})
console.log('child', spawn('/bin/sleep', ['1000']).pid)
setInterval(() => {}, 1000)
`,
    )
    const { options, events } = listening(stand)
    const enclave = await runEnclave(path, options)
    const child = (): number =>
      events
        .flatMap((one) =>
          one.type === 'console' ? [Number(/child (\d+)/.exec(one.line)?.[1])] : [],
        )
        .find((pid) => pid > 0) ?? 0
    await expect.poll(child, { timeout: 20_000 }).toBeGreaterThan(0)
    expect(await enclave.stop({ grace: 300 })).toMatchObject({ asked: true, forced: true })
    await expect.poll(() => isAlive(child())).toBe(false)
  })

  it('takes a second name, not the same twice', async () => {
    const path = stand.node('twice', `setInterval(() => {}, 1000)`)
    await using first = await runEnclave(path, listening(stand, { name: 'one' }).options)
    const again = runEnclave(path, listening(stand, { name: 'one' }).options)
    await expect(again).rejects.toMatchObject({ code: 'ERR_LAUNCHER_NAME' })
    await using second = await runEnclave(path, listening(stand, { name: 'two' }).options)
    expect(second.cid).not.toBe(first.cid)
    await expect(findEnclave(undefined, stand.surroundings)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_NOT_FOUND',
      message: 'a name is needed: known are one, two',
    })
    const taken = runEnclave(path, listening(stand, { name: 'three', cid: first.cid }).options)
    await expect(taken).rejects.toMatchObject({ code: 'ERR_LAUNCHER_START' })
  })

  it('whose port is taken is refused, and nothing of it is left', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const path = stand.node('twice', `setInterval(() => {}, 1000)`)
    const { options } = listening(stand, { publish: [{ port, to: 7 }] })
    await expect(runEnclave(path, options)).rejects.toMatchObject({ code: 'ERR_LAUNCHER_PORT' })
    expect((await listEnclaves(stand.surroundings)).enclaves).toEqual([])
    other.close()
  })
})

describe('the document of an enclave', () => {
  it.each([
    ['no document', `serveMessages(attest, () => new Uint8Array(3))`],
    [
      'none over the nonce',
      `serveMessages(attest, () => nsm.attestation({ nonce: new Uint8Array(32) }))`,
    ],
    ['an error', `serveMessages(attest, () => { throw new Error('x') })`],
  ])('is refused where there is %s', async (_, served) => {
    const source = SERVE.replace(/serveMessages\(attest.*/, served)
    const { options } = listening(stand, { attestPort: 5001 })
    await expect(runEnclave(stand.node('bad', source), options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_ATTESTATION',
    })
  })

  it('of a QEMU that signs nothing is compared, and proves nothing', async () => {
    await using enclave = await runEnclave(
      stand.node('serve', SERVE),
      listening(stand, { readyPort: 7 }).options,
    )
    const machine = { backend: 'qemu', vsock: enclave.vsock, debugMode: false } as Machine
    const expected = { trustAnchors: undefined, timeout: 5000 }
    const nonce = new Uint8Array(32)
    await using client = new MessageClient({
      connect: ({ signal }) => connectVsock({ ...enclave.vsock, port: 5001, signal }),
    })
    const { pcrs } = decodeAttestationDocument(await client.request(nonce))
    const hex = Object.fromEntries(
      [0, 1, 2].map((index) => [index, Buffer.from(pcrs.get(index) ?? []).toString('hex')]),
    )
    expect(await admitByDocument(machine, 5001, { ...expected, pcrs: hex })).toMatchObject({
      ...{ by: 'unsigned-document', pcrs: [0, 1, 2] },
      proven: expect.stringContaining('nothing by signature') as string,
    })
    const other = { ...hex, 1: '00'.repeat(48) }
    await expect(
      admitByDocument(machine, 5001, { ...expected, pcrs: other }),
    ).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_MEASUREMENT',
    })
    await expect(
      admitByDocument(machine, 7, { ...expected, timeout: 1000, pcrs: hex }),
    ).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_ATTESTATION',
    })
  })

  it('is refused under another root', async () => {
    const { trustAnchor } = await createCertificateAuthority()
    const { options } = listening(stand, { attestPort: 5001, trustAnchors: [trustAnchor] })
    await expect(runEnclave(stand.node('serve', SERVE), options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_ATTESTATION',
      cause: { code: 'ERR_ATTESTATION_TRUST_ANCHOR' },
    })
  })

  describe('of nitro-cli, with a simulated enclave behind the stand-in', () => {
    const prepare = async (
      pcrs?: Record<string, string>,
    ): Promise<{ image: string; root: () => Uint8Array }> => {
      stand.nitro()
      const image = await stand.image()
      const directory = join(stand.env['ENCLAVEJS_RUN_DIR'] ?? '', '.simulator')
      const measured = pcrs ?? { ...(await describeFile(image)).pcrs }
      const register = pathToFileURL(
        createRequire(import.meta.url).resolve('@enclavejs/simulator/register'),
      ).href
      const main = join(stand.node('serve', SERVE), 'main.mjs')
      stand.env['ENCLAVEJS_SIMULATOR_DIR'] = directory
      stand.env['ENCLAVEJS_SIMULATOR_PCRS'] = Object.entries(measured)
        .map(([index, hex]) => `${index}=${hex}`)
        .join()
      stand.env['NITRO_PROGRAM'] = JSON.stringify([
        '--conditions=@enclavejs/source',
        '--import',
        register,
        main,
      ])
      const pem = (): Uint8Array => readFileSync(join(directory, 'root.pem'))
      return { image, root: () => new Uint8Array(new X509Certificate(pem()).raw) }
    }

    it('proves the image under a root that is trusted, and is a measurement refused otherwise', async () => {
      const { image, root } = await prepare()
      const given = { attestPort: 5001, trustAnchors: [root()], readyPort: 7, timeout: 20_000 }
      const enclave = await runEnclave(image, listening(stand, given).options)
      expect(enclave).toMatchObject({
        backend: 'nitro-cli',
        admission: { by: 'attestation', pcrs: [0, 1, 2] },
      })
      await enclave.stop()
      const hex = randomBytes(48).toString('hex')
      await prepare({ 0: hex, 1: hex, 2: hex })
      await expect(runEnclave(image, listening(stand, given).options)).rejects.toMatchObject({
        code: 'ERR_LAUNCHER_MEASUREMENT',
        message: expect.stringContaining(`has PCR0 ${hex}`) as string,
      })
      expect(JSON.parse(readFileSync(stand.state, 'utf8'))).toEqual([])
    })
  })
})

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
