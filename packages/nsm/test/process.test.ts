import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { buildFake, home } from './native/build.ts'

const fake = buildFake()

interface Ended {
  readonly status: number | null
  readonly signal: string | null
  readonly output: string
  readonly milliseconds: number
}

function run(
  script: string,
  args: readonly string[],
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const started = performance.now()
  const command = [
    '--conditions=@enclavejs/source',
    ...flags,
    join(home, 'test/native', script),
    ...args,
  ]
  const child = spawn(process.execPath, command, {
    timeout: 50_000,
    env: { ...process.env, ...env },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      resolve({ status, signal, output, milliseconds: performance.now() - started })
    })
  })
}

describe.skipIf(fake.file === undefined)(`processes around the addon (${fake.output})`, () => {
  test.each([
    ['drain', 0, 'ERR_NSM_DEADLINE'],
    ['exit', 7, 'ERR_NSM_DEADLINE'],
    ['throw', 1, 'uncaught, on purpose'],
    ['worker', 0, 'terminated'],
  ])('a process with a stuck call ends by %s', async (end, status, said) => {
    const ended = await run('stuck.ts', [fake.file ?? '', end])
    expect(ended).toMatchObject({ status, signal: null })
    expect(ended.output).toContain(said)
    expect(ended.milliseconds).toBeLessThan(30_000) // the call takes an hour
  })

  test('nothing leaks: descriptors, threads, collected handles, terminated workers', async () => {
    const ended = await run('exercise.ts', [fake.file ?? '', '3'], ['--expose-gc'])
    expect(ended.output).toBe('clean\n')
    expect(ended).toMatchObject({ status: 0, signal: null })
  })

  test('400,000 calls leave less behind than one of their answers has', async () => {
    const env = { MALLOC_ARENA_MAX: '1' } // arenas of several threads grow for a while, and are no leak
    const ended = await run('leak.ts', [fake.file ?? ''], ['--expose-gc'], env)
    expect(ended).toMatchObject({ status: 0, signal: null })
    expect(Number(ended.output)).toBeLessThan(100) // bytes a call; an answer has 278
  })
})

describe('where there is no addon for this machine', () => {
  const source = `
    for (const [name, value] of Object.entries(JSON.parse(process.argv[1]))) {
      Object.defineProperty(process, name, { value })
    }
    const { openNsm } = await import('@enclavejs/nsm')
    try {
      openNsm()
    } catch (error) {
      console.log(error.code, error.message)
    }`

  test.each([
    [{ platform: 'darwin' }, /^ERR_NSM_BINDING The NSM is a Linux device and this is darwin/],
    [{ arch: 'riscv64' }, /^ERR_NSM_BINDING The native addon prebuilds\/linux-riscv64.node/],
  ])('%o: importing works, and opening says why it fails', (machine, message) => {
    const args = [
      '--conditions=@enclavejs/source',
      '--input-type=module',
      '-e',
      source,
      JSON.stringify(machine),
    ]
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: home, encoding: 'utf8' })
    expect(stdout + stderr).toMatch(message)
  })
})
