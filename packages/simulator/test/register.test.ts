import { execFile, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Decoder } from 'cbor-x'
import { afterAll, describe, expect, it } from 'vitest'
import { loadCertificateAuthority } from '../src/index.ts'
import { takeApart } from './real-documents.ts'

const here = dirname(dirname(fileURLToPath(import.meta.url)))
const scratch = mkdtempSync(join(tmpdir(), 'simulator-register-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const REGISTER = [
  '--conditions=@enclavejs/source',
  '--import',
  '@enclavejs/simulator/register',
] as const
const PRELUDE = `
const simulator = globalThis[Symbol.for('enclavejs.simulator')]
const bytes = (text) => new Uint8Array(Buffer.from(text, 'hex'))
const hex = (data) => Buffer.from(data).toString('hex')
const ask = (text) => hex(simulator.nsm.requestSync(bytes(text)))
const extend20 = 'a169457874656e64504352a265696e64657814646461746143010203'
const describe20 = 'a16b4465736372696265504352a165696e64657814'
const describe0 = 'a16b4465736372696265504352a165696e64657800'
const attest = 'a16b4174746573746174696f6ea0'
const describeNsm = '6b44657363726962654e534d'
`

interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program with nothing of the simulator's in its environment but `env`. */
function run(
  code: string,
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = REGISTER,
): Promise<Outcome> {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(ENCLAVEJS_|NODE_|VITEST)/.test(name)),
  )
  const options = { cwd: here, env: { ...clean, ...env }, timeout: 30_000 }
  const program = [...args, '--input-type=module', '--eval', PRELUDE + code]
  return new Promise((resolve) => {
    execFile(process.execPath, program, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ status, stdout, stderr })
    })
  })
}

async function printed<T>(code: string, env: Readonly<Record<string, string>> = {}): Promise<T> {
  const { status, stdout, stderr } = await run(code, env)
  expect(status, stderr).toBe(0)
  return JSON.parse(stdout) as T
}

function attestation(response: string): ReturnType<typeof takeApart> {
  const answer = new Decoder({ useRecords: false, mapsAsObjects: true }).decode(
    Buffer.from(response, 'hex'),
  ) as {
    Attestation: { document: Uint8Array }
  }
  return takeApart('', answer.Attestation.document)
}

describe('register', () => {
  it('defines one own, frozen, unchangeable property', async () => {
    const seen = await printed(`
      const symbol = Symbol.for('enclavejs.simulator')
      const { value, ...flags } = Object.getOwnPropertyDescriptor(globalThis, symbol)
      let replaced = true
      try { globalThis[symbol] = {} } catch { replaced = false }
      console.log(JSON.stringify({
        flags, replaced, deleted: Reflect.deleteProperty(globalThis, symbol),
        frozen: [value, value.nsm, value.vsock].every(Object.isFrozen),
        keys: [Object.keys(value), Object.keys(value.nsm)], version: value.version,
        listed: Object.keys(globalThis).includes('enclavejs.simulator'),
      }))`)
    expect(seen).toEqual({
      flags: { writable: false, enumerable: false, configurable: false },
      replaced: false,
      deleted: false,
      frozen: true,
      keys: [
        ['version', 'nsm', 'vsock'],
        ['request', 'requestSync'],
      ],
      version: 1,
      listed: false,
    })
  })

  it('is not there without it', async () => {
    const { stdout } = await run('console.log(simulator)', {}, [])
    expect(stdout.trim()).toBe('undefined')
  })

  it('answers, synchronously and not, and says on stderr in one line what it is', async () => {
    const { status, stdout, stderr } = await run(`
      console.log(ask(describeNsm) === hex(await simulator.nsm.request(bytes(describeNsm))))`)
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'true\n' })
    expect(stderr).toMatch(
      /^enclavejs: simulated NSM, .*prove nothing.*ENCLAVEJS_SIMULATOR_DIR.*\n$/,
    )
  })

  it('lets the program end', async () => {
    const started = performance.now()
    expect((await run('')).status).toBe(0)
    expect(performance.now() - started).toBeLessThan(15_000)
  })
})

describe('worker threads', () => {
  const WORKER = `
    import { Worker } from 'node:worker_threads'
    const inWorker = (code, options) => new Promise((resolve, reject) => {
      const worker = new Worker(${JSON.stringify(PRELUDE)} + code, { eval: true, ...options })
      worker.once('message', resolve).once('error', reject)
    })
    const post = (value) => ";(await import('node:worker_threads')).parentPort.postMessage(" + value + ')'
  `

  it('are on the same device: PCRs, locks, root and leaf', async () => {
    const seen = await printed<Record<string, string>>(`${WORKER}
      const first = ask(extend20)
      const second = await inWorker(post('ask(extend20)'))
      const third = await inWorker(post('ask(extend20)'))
      const value = ask(describe20)
      await inWorker(post("ask('a1674c6f636b504352a165696e64657814')"))
      const locked = ask(extend20)
      const mine = ask(attest)
      const theirs = await inWorker(post('ask(attest)'))
      console.log(JSON.stringify({ first, second, third, value, locked, mine, theirs }))`)
    const data = (response = ''): string => response.slice(-96)
    expect(new Set([data(seen['first']), data(seen['second']), data(seen['third'])]).size).toBe(3)
    expect(data(seen['value'])).toBe(data(seen['third']))
    expect(seen['locked']).toBe('a1654572726f726d526561644f6e6c79496e646578')
    const [mine, theirs] = [attestation(seen['mine'] ?? ''), attestation(seen['theirs'] ?? '')]
    expect(theirs.path).toEqual(mine.path)
    expect(theirs.fields.get('pcrs')).toEqual(mine.fields.get('pcrs'))
    expect(mine.fields.get('pcrs')).toHaveProperty('size', 17)
  })

  it('extend at the same time without losing one', async () => {
    const seen = await printed<{ value: string; expected: string }>(`${WORKER}
      import { createHash } from 'node:crypto'
      const loop = 'for (let i = 0; i < 500; i += 1) ask(extend20);'
      await Promise.all([1, 2, 3, 4].map(() => inWorker(loop + post('1'))))
      let value = Buffer.alloc(48)
      for (let i = 0; i < 2000; i += 1) {
        value = createHash('sha384').update(value).update(Buffer.of(1, 2, 3)).digest()
      }
      console.log(JSON.stringify({ value: ask(describe20).slice(-96), expected: hex(value) }))`)
    expect(seen.value).toBe(seen.expected)
  })

  it('of a worker are on it too, and none says anything on stderr', async () => {
    const { stdout, stderr } = await run(`${WORKER}
      const inner = "const { Worker, parentPort } = await import('node:worker_threads');" +
        'new Worker(' + JSON.stringify(${JSON.stringify(PRELUDE)} + post('ask(extend20)')) + ', { eval: true })' +
        ".once('message', (value) => parentPort.postMessage(value))"
      const answer = await inWorker(inner)
      console.log(answer.slice(-96) === ask(describe20).slice(-96))`)
    expect(stdout).toBe('true\n')
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

describe('the environment', () => {
  it('names the directory in which the authority lives, for all processes', async () => {
    const directory = join(scratch, 'authority')
    const env = { ENCLAVEJS_SIMULATOR_DIR: directory }
    const responses: string[] = []
    for (let index = 0; index < 2; index += 1) {
      const { stdout, stderr } = await run('console.log(ask(attest))', env)
      expect(stderr).toContain(join(directory, 'root.pem'))
      responses.push(stdout.trim())
    }
    const [one, other] = responses.map(attestation)
    expect(one?.path).toEqual(other?.path)
    const root = new X509Certificate(readFileSync(join(directory, 'root.pem')))
    expect(Buffer.from(one?.path[0] ?? []).equals(root.raw)).toBe(true)
    expect((await loadCertificateAuthority(directory)).trustAnchorPem).toBe(root.toString())
  })

  it('gives debug mode, image, role, module id and PCRs', async () => {
    const moduleId = 'i-0fedcba9876543210-enc0123456789abcdef'
    const value = 'ab'.repeat(48)
    const response = await run('console.log(ask(attest))', {
      ENCLAVEJS_SIMULATOR_MODULE_ID: moduleId,
      ENCLAVEJS_SIMULATOR_PCRS: `5=${value}, 31=${value.toUpperCase()}`,
      ENCLAVEJS_SIMULATOR_DEBUG_MODE: '1',
      ENCLAVEJS_SIMULATOR_ROLE_ARN: 'arn:aws:iam::123456789012:role/enclave',
      ENCLAVEJS_SIMULATOR_STRICT_SIZES: '0',
      ENCLAVEJS_SIMULATOR_DELAY_MS: '',
    })
    const { fields, path } = attestation(response.stdout.trim())
    const pcrs = fields.get('pcrs') as Map<number, Uint8Array>
    const zero = [...pcrs].filter(([, data]) => data.every((byte) => byte === 0)).map(([i]) => i)
    expect(zero).toEqual([0, 1, 2, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
    expect(Buffer.from(pcrs.get(5) ?? []).toString('hex')).toBe(value)
    expect(fields.get('module_id')).toBe(moduleId)
    expect(new X509Certificate(path[4] ?? '').subject).toContain(moduleId)
    const image = (name: string) =>
      printed<string>('console.log(JSON.stringify(ask(describe0)))', {
        ENCLAVEJS_SIMULATOR_IMAGE: name,
      })
    expect(await image('one')).toBe(await image('one'))
    expect(await image('one')).not.toBe(await image('two'))
  })

  it.each([
    ['DEBUG_MODE', 'yes'],
    ['PCRS', '0=00'],
    ['PCRS', `32=${'00'.repeat(48)}`],
    ['MODULE_ID', 'i-1'],
    ['ROLE_ARN', 'role'],
    ['DELAY_MS', '-1'],
    ['STRICT_SIZES', 'true'],
    ['DEBUG', '1'],
  ])('is refused where it is not understood: %s=%s', async (name, value) => {
    const { status, stdout, stderr } = await run('console.log(1)', {
      [`ENCLAVEJS_SIMULATOR_${name}`]: value,
    })
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain("code: 'ERR_SIMULATOR_ENVIRONMENT'")
    expect(stderr).toContain(`ENCLAVEJS_SIMULATOR_${name}`)
  })

  it('is refused where its directory cannot be used', async () => {
    const { status, stderr } = await run('', { ENCLAVEJS_SIMULATOR_DIR: '/dev/null/there' })
    expect(status).toBe(1)
    expect(stderr).toContain("code: 'ERR_SIMULATOR_DIRECTORY'")
  })
})

describe('refusal', () => {
  it('where /dev/nsm exists', async () => {
    expect(existsSync('/dev/nsm')).toBe(false)
    const command = [...REGISTER, '--eval', "console.log('the program runs')"]
    // A mount namespace with such a file where the system lets us have one; else the answer of
    // existsSync about this one path is changed before register is loaded.
    const mount = `
      old=$(mktemp -d) && mount --bind /dev "$old" && mount -t tmpfs none /dev &&
      for node in null urandom; do touch /dev/$node && mount --bind "$old/$node" /dev/$node; done &&
      touch /dev/nsm && exec "$@"`
    const probe = spawnSync('unshare', ['-rm', 'sh', '-c', mount, 'sh', 'test', '-e', '/dev/nsm'])
    const changed = `
      import fs from 'node:fs'
      import { syncBuiltinESMExports } from 'node:module'
      const { existsSync } = fs
      fs.existsSync = (path) => path === '/dev/nsm' || existsSync(path)
      syncBuiltinESMExports()`
    const result =
      probe.status === 0
        ? spawnSync('unshare', ['-rm', 'sh', '-c', mount, 'sh', process.execPath, ...command], {
            cwd: here,
          })
        : spawnSync(
            process.execPath,
            ['--import', `data:text/javascript,${encodeURIComponent(changed)}`, ...command],
            { cwd: here },
          )
    expect(result.status).toBe(1)
    expect(result.stdout.toString()).toBe('')
    expect(result.stderr.toString()).toContain("code: 'ERR_SIMULATOR_REAL_DEVICE'")
  })

  it.each([
    ['by something else', "globalThis[Symbol.for('enclavejs.simulator')] = {}"],
    ['with undefined', "globalThis[Symbol.for('enclavejs.simulator')] = undefined"],
  ])('where the property is taken %s', async (_name, before) => {
    const { status, stderr } = await run("console.log('the program runs')", {}, [
      '--import',
      `data:text/javascript,${encodeURIComponent(before)}`,
      ...REGISTER,
    ])
    expect(status).toBe(1)
    expect(stderr).toContain("code: 'ERR_SIMULATOR_REGISTERED'")
  })

  it('not where the prototype of globalThis has the property', async () => {
    const before = "Object.prototype[Symbol.for('enclavejs.simulator')] = {}"
    const { status, stdout } = await run('console.log(simulator.version)', {}, [
      '--import',
      `data:text/javascript,${encodeURIComponent(before)}`,
      ...REGISTER,
    ])
    expect({ status, stdout }).toEqual({ status: 0, stdout: '1\n' })
  })
})
