import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createVsockCredentials } from '@enclavejs/kms-enclave'
import { createSimulatedAccount } from '@enclavejs/simulator/kms'
import { createSimulatedImds, type SimulatedImds } from '@enclavejs/simulator/imds'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { enclavejsHere, Workspace, wrongUse } from './process.ts'

const workspace = new Workspace()
const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const path = join(workspace.path, 'v.sock')
const running: ChildProcess[] = []
let imds: SimulatedImds

beforeAll(async () => {
  imds = await createSimulatedImds({ account: createSimulatedAccount(), role: 'parent' })
})
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await imds.close()
  workspace.remove()
})

/** `enclavejs credentials serve` in a process of its own, on a Unix socket of hybrid vsock. */
async function serve(
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ child: ChildProcess; output: () => string }> {
  const child = spawn(
    process.execPath,
    ['--conditions=@enclavejs/source', bin, 'credentials', 'serve', '--path', path, ...args],
    { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  running.push(child)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const end = performance.now() + 20_000
  while (!output.includes('are served')) {
    if (performance.now() > end) throw new Error(output)
    await sleep(20)
  }
  return { child, output: () => output }
}

const enclave = (port: number) =>
  createVsockCredentials({
    connect: async () => {
      const socket = connect(`${path}_${port}`)
      await once(socket, 'connect')
      return socket
    },
  })

describe('enclavejs credentials serve', () => {
  it('gives what IMDS gives, prints none of it, and ends by a signal', async () => {
    const { child, output } = await serve(['--json', '--port', '9002'], {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url,
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    })
    const given = await enclave(9002)()
    expect(given.accessKeyId).toMatch(/^ASIA/)
    const ended = once(child, 'close')
    child.kill('SIGTERM')
    expect((await ended)[0]).toBe(0)
    expect(output()).toContain('"outcome":"served"')
    for (const secret of [given.secretAccessKey, given.sessionToken, given.accessKeyId]) {
      expect(output()).not.toContain(secret)
    }
  })

  it('says on its own side why there are none', async () => {
    const { output } = await serve([], {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    })
    await expect(enclave(8002)()).rejects.toMatchObject({ code: 'ERR_KMS_CREDENTIALS' })
    await sleep(50)
    expect(output()).toContain('IMDS is disabled')
  })

  it.each<[string, string[], RegExp]>([
    ['no action', [], /serve expected/],
    ['another action', ['give'], /serve expected/],
    ['nobody who may ask', ['serve'], /one of --allow-cid, --any-cid and --path/],
    ['a CID that is none', ['serve', '--allow-cid', 'x'], /--allow-cid: a number/],
    ['a CID and everyone', ['serve', '--allow-cid', '16', '--any-cid'], /one of --allow-cid/],
    ['an unknown source', ['serve', '--any-cid', '--source', 'x'], /--source: ordinary or imds/],
    ['a role for another source', ['serve', '--any-cid', '--role', 'x'], /--role goes with/],
    [
      'a malformed role',
      ['serve', '--any-cid', '--source', 'imds', '--role', 'a b'],
      /--role: role must/,
    ],
    [
      'a profile for IMDS',
      ['serve', '--any-cid', '--source', 'imds', '--profile', 'x'],
      /--profile goes/,
    ],
  ])('is used wrongly with %s', async (_name, args, message) => {
    expect(await enclavejsHere(['credentials', ...args])).toMatchObject(wrongUse(message))
  })
})
