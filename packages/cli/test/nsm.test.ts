import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { decodeAttestationDocument } from '@enclavejs/attestation'
import { enclavejs, pcrHex, Workspace, type Outcome } from './process.ts'

const workspace = new Workspace()
afterAll(() => workspace.remove())

const directory = join(workspace.path, 'authority')

/** Runs the command on a simulated device, whose authority all of these tests share. */
function simulated(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return enclavejs(['nsm', ...args], {
    node: ['--import', '@enclavejs/simulator/register'],
    env: { ENCLAVEJS_SIMULATOR_DIR: directory, ...env },
  })
}

describe('nsm describe', () => {
  it('tells module, version and locked PCRs', async () => {
    const moduleId = 'i-0123456789abcdef0-enc0123456789abcdef'
    const env = { ENCLAVEJS_SIMULATOR_MODULE_ID: moduleId }
    const { status, stdout } = await simulated(['describe'], env)
    expect(status).toBe(0)
    expect(stdout).toContain(moduleId)
    expect(stdout).toContain('by a simulator')
    expect(stdout).toContain('locked 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n')
    const json = await simulated(['describe', '--json'], env)
    expect(JSON.parse(json.stdout)).toEqual({
      source: 'simulator',
      moduleId,
      version: '1.0.0',
      digest: 'SHA384',
      maxPcrs: 32,
      lockedPcrs: Array.from({ length: 16 }, (_, index) => index),
    })
  })
})

describe('nsm pcr', () => {
  it('shows all, or those that are named', async () => {
    const env = { ENCLAVEJS_SIMULATOR_PCRS: `7=${pcrHex(0x77)}` }
    const all = await simulated(['pcr'], env)
    expect(all.status).toBe(0)
    expect(all.stdout.trim().split('\n')).toHaveLength(32)
    expect(all.stdout).toContain(`PCR7  ${pcrHex(0x77)}  locked `)
    const some = await simulated(['pcr', '31', '7', '7', '--json'], env)
    expect(JSON.parse(some.stdout)).toEqual({
      7: { locked: true, value: pcrHex(0x77), meaning: 'not used by Nitro' },
      31: { locked: false, value: pcrHex(0), meaning: "the application's own" },
    })
  })
})

describe('nsm random', () => {
  it('gives as many bytes as are asked for, in any form, and others each time', async () => {
    const usual = await simulated(['random'])
    expect(usual).toMatchObject({ status: 0, stdout: expect.stringMatching(/^[0-9a-f]{64}\n$/) })
    expect((await simulated(['random'])).stdout).not.toBe(usual.stdout)
    const many = await simulated(['random', '1000', '--format', 'base64'])
    expect(Buffer.from(many.stdout, 'base64')).toHaveLength(1000)
    const json = await simulated(['random', '5', '--json'])
    expect(JSON.parse(json.stdout)).toEqual({
      format: 'hex',
      random: expect.stringMatching(/^[0-9a-f]{10}$/) as string,
    })
  })
})

describe('nsm attest', () => {
  it('gives a document that verify accepts', async () => {
    const [nonce, key, data] = ['0a'.repeat(32), '0b'.repeat(100), '0c'.repeat(1024)] as const
    const fields = ['--nonce', nonce, '--public-key', key, '--user-data', data]
    const { status, stdout } = await simulated(['attest', ...fields])
    expect(status).toBe(0)
    const described = await simulated(['pcr', '0', '1', '2', '--json'])
    const pcrs = JSON.parse(described.stdout) as Record<string, { value: string }>
    const image = Object.entries(pcrs).flatMap(([index, { value }]) => [
      '--pcr',
      `${index}=${value}`,
    ])
    const root = ['--trust-anchor', join(directory, 'root.pem')]
    const verdict = await enclavejs(['verify', '-', ...fields, ...image, ...root], {
      input: stdout,
    })
    expect(verdict).toMatchObject({ status: 0, stderr: '' })
    expect(verdict.stdout).toContain('1024 bytes, as required')
  })

  it('in hex, raw and JSON', async () => {
    const formats = { hex: 'hex', raw: 'latin1' } as const
    for (const [format, encoding] of Object.entries(formats)) {
      const { stdout } = await simulated(['attest', '--format', format])
      if (encoding === 'hex') {
        const document = decodeAttestationDocument(Buffer.from(stdout, encoding))
        expect(document.nonce).toBeNull()
      } else {
        // Read as text here, it is not whole; it is not text.
        expect(stdout.length).toBeGreaterThan(1000)
        expect(stdout).toContain('module_id')
      }
    }
    const json = await simulated(['attest', '--json'])
    const { document } = JSON.parse(json.stdout) as { document: string }
    expect(decodeAttestationDocument(Buffer.from(document, 'base64')).userData).toBeNull()
  })
})

describe('refused', () => {
  it('where there is no device', async () => {
    expect(existsSync('/dev/nsm')).toBe(false)
    const outcome = await enclavejs(['nsm', 'describe'])
    expect(outcome).toMatchObject({ status: 1, stdout: '' })
    expect(outcome.stderr).toMatch(/^failed: ERR_NSM_NOT_FOUND\n.*\/dev\/nsm/)
    const json = await enclavejs(['nsm', 'describe', '--json'])
    expect(json.status).toBe(1)
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'ERR_NSM_NOT_FOUND' } })
  })

  it('where the device is slower than the deadline', async () => {
    const outcome = await simulated(['describe', '--deadline', '50'], {
      ENCLAVEJS_SIMULATOR_DELAY_MS: '1000',
    })
    expect(outcome).toMatchObject({ status: 1, stdout: '' })
    expect(outcome.stderr).toContain('failed: ERR_NSM_DEADLINE')
  })

  it('by the device, with its code', async () => {
    const outcome = await simulated(['attest', '--user-data', '00'.repeat(513)], {
      ENCLAVEJS_SIMULATOR_STRICT_SIZES: '1',
    })
    expect(outcome).toMatchObject({ status: 1, stdout: '' })
    expect(outcome.stderr).toContain('failed: ERR_NSM_INPUT_TOO_LARGE')
  })
})

describe('without @enclavejs/nsm', () => {
  // As if it were not installed: a hook that answers as node does where a package is missing.
  const hide = `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier !== '@enclavejs/nsm') return next(specifier, context)
        throw Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' })
      },
    })`
  const node = ['--import', `data:text/javascript,${encodeURIComponent(hide)}`]

  it('nsm says what to install', async () => {
    const outcome = await enclavejs(['nsm', 'describe', '--json'], { node })
    expect(outcome.status).toBe(2)
    expect(outcome.stderr).toContain('npm install @enclavejs/nsm')
    expect(JSON.parse(outcome.stdout)).toMatchObject({ error: { code: 'ERR_CLI_PACKAGE' } })
  })

  it('verify and decode work, and doctor says what is missing', async () => {
    const { stdout } = await simulated(['attest'])
    expect(await enclavejs(['decode', '-'], { node, input: stdout })).toMatchObject({ status: 0 })
    const root = ['--trust-anchor', join(directory, 'root.pem'), '--any-image', '--max-age', '600']
    const verdict = await enclavejs(['verify', '-', ...root], { node, input: stdout })
    expect(verdict).toMatchObject({ status: 0, stderr: '' })
    const doctor = await enclavejs(['doctor', '--as', 'enclave'], { node })
    expect(doctor).toMatchObject({ status: 1, stderr: '' })
    expect(doctor.stdout).toMatch(/^fail {2}nsm +ERR_CLI_PACKAGE: .*npm install @enclavejs\/nsm/m)
  })
})

describe('wrong use', () => {
  it.each<[readonly string[], RegExp]>([
    [[], /describe, pcr, random or attest/],
    [['extend'], /describe, pcr, random or attest/],
    [['toString'], /describe, pcr, random or attest/],
    [['describe', 'more'], /"more" is too many/],
    [['describe', '--nonce', '00'], /--nonce does not belong to nsm describe/],
    [['pcr', '--format', 'hex'], /--format does not belong to nsm pcr/],
    [['pcr', '32'], /an index of 0 to 31/],
    [['pcr', '01'], /an index of 0 to 31/],
    [['random', '0'], /1 to 1048576/],
    [['random', '1048577'], /1 to 1048576/],
    [['random', '1e3'], /1 to 1048576/],
    [['random', '1', '2'], /"2" is too many/],
    [['random', '--format', 'pem'], /--format: hex, base64 or raw/],
    [['random', '--format', 'raw', '--json'], /--json and --format raw contradict/],
    [['attest', '--nonce', 'xy'], /--nonce: hex/],
    [['attest', '--user-data', '00'.repeat(1025)], /--user-data: at most 1024 bytes/],
    [['attest', '--deadline', '0'], /--deadline: milliseconds/],
    [['attest', '--deadline', '120001'], /--deadline: milliseconds/],
  ])('%j', async (args, message) => {
    const outcome = await simulated(args)
    expect(outcome.status).toBe(2)
    expect(outcome.stderr).toMatch(message)
  })
})

describe('simulate', () => {
  const program = workspace.file(
    'program.mjs',
    `const simulator = globalThis[Symbol.for('enclavejs.simulator')]
     const request = Buffer.from('a16b4465736372696265504352a165696e64657800', 'hex')
     const response = Buffer.from(await simulator.nsm.request(request))
     console.log(JSON.stringify({ pcr0: response.subarray(-48).toString('hex'), argv: process.argv.slice(2) }))
     process.exitCode = 7`,
  )
  const simulate = (...args: string[]): Promise<Outcome> => enclavejs(['simulate', ...args])
  const node = process.execPath

  it('runs a program of node with its arguments, on a simulated device, and ends as it does', async () => {
    const { status, stdout, stderr } = await simulate('--', node, program, '--image', 'a b')
    expect({ status, lines: stderr.trim().split('\n').length }).toEqual({ status: 7, lines: 1 })
    const { pcr0, argv } = JSON.parse(stdout) as { pcr0: string; argv: string[] }
    expect(pcr0).toMatch(/^(?!0+$)[0-9a-f]{96}$/)
    expect(argv).toEqual(['--image', 'a b'])
  })

  it('gives it image, debug mode and a directory', async () => {
    const pcr0 = async (...flags: string[]): Promise<string> => {
      const { stdout } = await simulate(...flags, '--', node, program)
      return (JSON.parse(stdout) as { pcr0: string }).pcr0
    }
    const shop = await pcr0('--image', 'shop')
    expect(await pcr0('--image', 'shop')).toBe(shop)
    expect(await pcr0('--image', 'bank')).not.toBe(shop)
    expect(await pcr0('--debug-mode')).toBe(pcrHex(0))
    const folder = join(workspace.path, 'kept here')
    await pcr0('--dir', folder)
    expect(existsSync(join(folder, 'root.pem'))).toBe(true)
  })

  it('reaches what another command starts, through NODE_OPTIONS', async () => {
    const shell = `${JSON.stringify(node)} ${JSON.stringify(program)}`
    const { status, stdout } = await simulate('--', 'sh', '-c', shell)
    expect(status).toBe(7)
    expect(JSON.parse(stdout)).toHaveProperty('pcr0')
  })

  it('hands on the signal that ends a program, as a status', async () => {
    expect(await simulate('--', 'sh', '-c', 'kill -TERM $$')).toMatchObject({ status: 128 + 15 })
  })

  it.each<[readonly string[], RegExp]>([
    [[], /-- COMMAND is missing/],
    [['--'], /-- COMMAND is missing/],
    [['node', 'app.js'], /"node": put -- before the command/],
    [['--port', '1', '--', 'node'], /--port/],
    [['--', '/nowhere/at/all'], /cannot be started/],
  ])('is wrong use: %j', async (args, message) => {
    const outcome = await simulate(...args)
    expect(outcome).toMatchObject({ status: 2, stdout: '' })
    expect(outcome.stderr).toMatch(message)
  })

  it('says what to install where the simulator is not there', async () => {
    // A hook that hides the package from resolution, as if it were not installed.
    const hide = `
      import { Module } from 'node:module'
      const resolve = Module._resolveFilename
      Module._resolveFilename = function (name, ...rest) {
        if (name.startsWith('@enclavejs/simulator')) throw Object.assign(new Error('none'), { code: 'MODULE_NOT_FOUND' })
        return resolve.call(this, name, ...rest)
      }`
    const file = join(workspace.path, 'hide.mjs')
    writeFileSync(file, hide)
    const args = ['simulate', '--', 'node', '--json']
    const outcome = await enclavejs(args, { node: ['--import', file] })
    expect(outcome).toMatchObject({ status: 2, stdout: '' })
    expect(outcome.stderr).toContain('npm install --save-dev @enclavejs/simulator')
  })
})
