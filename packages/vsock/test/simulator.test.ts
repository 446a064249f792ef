import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'

const home = mkdtempSync(join(tmpdir(), 'vsock-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

const ENCLAVE = '@enclavejs/simulator/register'
const PARENT = '@enclavejs/simulator/register/parent'

interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** Runs a program with one side of the simulator; `ready` resolves at its first line. */
function run(
  side: string,
  program: string,
  env: Record<string, string> = {},
): { ready: Promise<void>; ended: Promise<Ended>; kill: () => void } {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@enclavejs/source',
      ...['--import', side, '--input-type=module', '--eval', program],
    ],
    { cwd: import.meta.dirname, env: { ...process.env, ENCLAVEJS_SIMULATOR_DIR: home, ...env } },
  )
  let out = ''
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      resolve()
    })
    child.once('close', () => resolve())
  })
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (status) => resolve({ status, out, err }))
  })
  return { ready, ended, kill: () => child.kill() }
}

describe('two processes on the simulator', () => {
  test('meet in both directions, with addresses', async () => {
    const enclave = run(
      ENCLAVE,
      `import { connect, createServer, getLocalCid } from '@enclavejs/vsock'
      const server = createServer(async (socket) => {
        const back = await connect({ port: 7000 })
        back.end(JSON.stringify({ local: getLocalCid(), remoteCid: socket.remoteCid, localPort: socket.localPort }))
        for await (const chunk of socket) socket.write(chunk)
        server.close()
      })
      server.listen({ port: 5000 }, () => console.log(JSON.stringify(server.address())))`,
    )
    await enclave.ready
    const parent = run(
      PARENT,
      `import { text } from 'node:stream/consumers'
      import { connect, createServer } from '@enclavejs/vsock'
      const server = createServer(async (socket) => {
        server.close()
        console.log(socket.remoteCid, await text(socket))
      })
      server.listen({ port: 7000, allowedCids: [16] }, async () => {
        const socket = await connect({ cid: 16, port: 5000 })
        socket.end('over and back')
        console.log(socket.remoteCid, socket.remotePort, socket.localCid, await text(socket))
      })`,
    )
    const [one, other] = await Promise.all([enclave.ended, parent.ended])
    expect(one.err + other.err).not.toMatch(/Error/)
    expect(JSON.parse(one.out)).toMatchObject({ cid: 0xffff_ffff, port: 5000, family: 'VSOCK' })
    expect(other.out.split('\n').toSorted()).toEqual([
      '',
      '16 5000 3 over and back',
      '16 {"local":16,"remoteCid":3,"localPort":5000}',
    ])
    expect(statSync(join(home, 'vsock')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(home, 'vsock'))).toEqual([])
  }, 60_000)

  test('a listener refuses CIDs that it was not told', async () => {
    const parent = run(
      PARENT,
      `import { createServer } from '@enclavejs/vsock'
      const server = createServer(() => console.log('never'))
      server.listen({ port: 7001, allowedCids: [17] }, () => console.log('ready'))`,
    )
    await parent.ready
    const enclave = run(
      ENCLAVE,
      `import { connect } from '@enclavejs/vsock'
      const nobody = await connect({ port: 7002 }).catch((error) => error)
      console.log(nobody.message)
      const socket = await connect({ port: 7001 }) // the queue took it, and the server closes it
      for await (const chunk of socket) console.log('never')
      console.log('closed')`,
    )
    const { out, err } = await enclave.ended
    expect(err).not.toMatch(/Error/)
    expect(out).toMatch(
      /^connect ECONNRESET .* at vsock cid 3 port 7002 \(nobody listens on that port.*\nclosed\n$/,
    )
    parent.kill()
    expect((await parent.ended).out).toBe('ready\n')
  }, 60_000)

  test('a worker thread is on the same vsock; a second listener is refused', async () => {
    const { ended } = run(
      ENCLAVE,
      `import { Worker } from 'node:worker_threads'
      import { connect, createServer } from '@enclavejs/vsock'
      const server = createServer((socket) => socket.end('hello')).listen({ port: 5003 }, () => {
        createServer().listen({ port: 5003 }).on('error', (error) => {
          console.log(error.code)
          const source = "import('@enclavejs/vsock').then(async ({ connect }) => { for await (const c of await connect({ cid: 1, port: 5003 })) console.log(String(c)) })"
          new Worker(source, { eval: true }).once('exit', () => server.close())
        })
      })`,
    )
    const { out, err } = await ended
    expect(err).not.toMatch(/Error/)
    expect(out).toBe('EADDRINUSE\nhello\n')
  }, 60_000)
})
