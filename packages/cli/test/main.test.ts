import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { main } from '../src/main.ts'
import type { Terminal } from '../src/terminal.ts'
import { enclavejs } from './process.ts'

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string }

describe('enclavejs', () => {
  it.each([[['--help']], [['-h']], [['help']]])('%j lists the commands', async (args) => {
    const { status, stdout, stderr } = await enclavejs(args)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const command of ['verify', 'decode', 'nsm', 'doctor', 'simulate'])
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    expect(stdout).toContain('Exit status')
  })

  it('prints its version', async () => {
    expect(await enclavejs(['--version'])).toEqual({
      status: 0,
      stdout: `${version}\n`,
      stderr: '',
    })
  })

  it.each([
    ['no command', [], /a command is missing/],
    ['an unknown command', ['verfy'], /no command "verfy"/],
    ['the name of something inherited', ['constructor'], /no command "constructor"/],
    ['help for an unknown command', ['help', 'verfy'], /no command "verfy"/],
  ])('%s is wrong use', async (_name, args, message) => {
    const outcome = await enclavejs(args)
    expect(outcome).toMatchObject({ status: 2, stdout: '' })
    expect(outcome.stderr).toMatch(message)
  })

  it.each([
    ['verify', /--max-age/],
    ['decode', /Nothing of it is verified/],
    ['nsm', /--user-data HEX/],
    ['doctor', /--production/],
    ['simulate', /NODE_OPTIONS/],
  ])('%s has help of its own, by flag and by command', async (command, text) => {
    const byFlag = await enclavejs([command, '--help'])
    expect(byFlag).toMatchObject({ status: 0, stderr: '' })
    expect(byFlag.stdout).toMatch(text)
    expect(byFlag.stdout).toContain('Exit status')
    expect(await enclavejs(['help', command])).toEqual(byFlag)
    expect(await enclavejs([command, 'file', '-h'])).toEqual(byFlag)
  })

  it('says in its help every flag that verify knows', async () => {
    const { APPRAISAL_FLAGS } = await import('../src/appraisal.ts')
    const { stdout } = await enclavejs(['verify', '--help'])
    for (const flag of Object.keys(APPRAISAL_FLAGS)) expect(stdout).toContain(`--${flag}`)
  })

  it('lets through what is neither a refusal nor wrong use', async () => {
    const broken: Terminal = {
      print: () => {
        throw new Error('a defect')
      },
      warn: () => undefined,
      write: () => undefined,
      paint: (_style, text) => text,
      interactive: false,
    }
    await expect(main(['--version'], broken)).rejects.toThrow('a defect')
  })

  it('ends with 70 for a defect, which is no verdict', async () => {
    const broken = 'data:text/javascript,JSON.parse=()=>{throw new Error("a defect")}'
    const { status, stderr } = await enclavejs(['--version'], { node: ['--import', broken] })
    expect(status).toBe(70)
    expect(stderr).toMatch(/nothing was accepted[\s\S]*Error: a defect/)
  })

  const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
  const command = [process.execPath, '--conditions=@enclavejs/source', bin, '--help'] as const

  it('ends with 70 where the result cannot be written', () => {
    const shell = ['-c', '"$@" > /dev/full', 'sh', ...command]
    const { status, stderr } = spawnSync('sh', shell, { encoding: 'utf8' })
    expect(status).toBe(70)
    expect(stderr).toContain('stdout cannot be written: ENOSPC')
  })

  it('keeps its verdict where nobody reads the result', async () => {
    const [node, ...args] = command
    const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    const status = await new Promise((resolve) => child.on('close', resolve))
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })
})
