// What is written down of enclaves, and what happens when those who wrote it are gone.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findEnclave, listEnclaves, readConsole, runEnclave, stopEnclave } from '../src/index.ts'
import { ConsoleFile, readConsoleFile } from '../src/console-file.ts'
import { writeRecord, type EnclaveRecord } from '../src/enclave-record.ts'
import {
  endProcesses,
  identityOf,
  isRunning,
  type ProcessIdentity,
} from '../src/process-identity.ts'
import { RunDirectory } from '../src/run-directory.ts'
import { Host } from '../src/surroundings.ts'
import { collect, listening, Stand } from './stand.ts'

let stand: Stand
const children: ChildProcess[] = []
beforeEach(() => void (stand = new Stand()))
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  stand.remove()
})

async function sleeper(script = 'exec /bin/sleep 1000'): Promise<ProcessIdentity> {
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  children.push(child)
  await once(child, 'spawn')
  return identityOf(child.pid as number) as ProcessIdentity
}

async function gone(): Promise<ProcessIdentity> {
  const one = await sleeper()
  await endProcesses([one], 1000)
  return one
}

function leave(name: string, record: Partial<EnclaveRecord>): RunDirectory {
  const runs = RunDirectory.open(new Host(stand.surroundings))
  runs.claim(name)
  writeRecord(runs.folder(name), {
    ...{ version: 1, name, backend: 'qemu', state: 'running', startedAt: new Date().toISOString() },
    ...{ processes: [], cid: 16, debugMode: false, memoryMib: 512, cpus: 2, image: '/app.eif' },
    supervisor: { pid: 2 ** 22, startTime: '1', bootId: 'x' },
    ...record,
  })
  return runs
}

const options = (): { surroundings: Stand['surroundings'] } => ({
  surroundings: stand.surroundings,
})

describe('an enclave whose supervisor is gone', () => {
  it('and which is gone too is listed so, and its name can be used again', async () => {
    leave('app', { supervisor: await gone(), processes: [await gone()] })
    expect(await findEnclave('app', stand.surroundings)).toMatchObject({ state: 'gone' })
    stand.nitro()
    const enclave = await runEnclave(await stand.image(), listening(stand).options)
    expect(enclave.name).toBe('app')
    await enclave.stop()
  })

  it('is removed by stop', async () => {
    leave('app', { supervisor: await gone() })
    expect(await stopEnclave('app', options())).toEqual({ name: 'app', how: 'removed' })
    expect((await listEnclaves(stand.surroundings)).enclaves).toEqual([])
  })

  it('and which runs on is unsupervised, keeps its name, and is ended by stop', async () => {
    const machine = await sleeper()
    leave('app', { supervisor: await gone(), processes: [machine] })
    expect(await findEnclave('app', stand.surroundings)).toMatchObject({
      ...{ state: 'unsupervised', supervisorPid: undefined },
    })
    stand.nitro()
    await expect(runEnclave(await stand.image(), listening(stand).options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_NAME',
      message: expect.stringContaining('enclavejs stop app') as string,
    })
    expect(await stopEnclave(undefined, options())).toEqual({ name: 'app', how: 'forced' })
    expect(isRunning(machine)).toBe(false)
  })

  it('is not mistaken for a process that got its number', async () => {
    const other = await sleeper()
    leave('app', {
      supervisor: { ...other, startTime: '1' },
      processes: [{ ...other, bootId: 'another' }],
    })
    expect(await findEnclave('app', stand.surroundings)).toMatchObject({ state: 'gone' })
    await stopEnclave('app', options())
    expect(isRunning(other)).toBe(true)
  })

  it('leaves its CID to others', async () => {
    const runs = leave('app', { supervisor: await gone() })
    expect(runs.claimCid('app')).toBe(16)
    expect(runs.claimCid('other')).toBe(17)
    await stopEnclave('app', options())
    expect(runs.claimCid('third')).toBe(16)
  })
})

describe('stopEnclave', () => {
  it('uses force where the supervisor does not answer, on the enclave and then on it', async () => {
    const machine = await sleeper('trap "" TERM; while :; do /bin/sleep 1; done')
    const supervisor = await sleeper('trap "" TERM; while :; do /bin/sleep 1; done')
    leave('app', { supervisor, processes: [machine] })
    const began = performance.now()
    const stopped = await stopEnclave('app', { ...options(), timeout: 100 })
    expect(stopped).toEqual({ name: 'app', how: 'forced' })
    expect([isRunning(machine), isRunning(supervisor)]).toEqual([false, false])
    expect(performance.now() - began).toBeLessThan(20_000)
  })

  it('says that there is none of the name', async () => {
    for (const doing of [stopEnclave('x', options()), collect(readConsole('x', options()))]) {
      await expect(doing).rejects.toMatchObject({
        code: 'ERR_LAUNCHER_NOT_FOUND',
        message: 'there is no enclave called x: none is known',
      })
    }
  })

  it('refuses what runs in spite of SIGKILL', async () => {
    const { refuseLeft } = await import('../src/qemu-machine.ts')
    expect(() => refuseLeft(1)).toThrow(expect.objectContaining({ code: 'ERR_LAUNCHER_STOP' }))
  })
})

describe('the run directory', () => {
  const refused = async (message: RegExp): Promise<void> => {
    await expect(listEnclaves(stand.surroundings)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_RUN_DIRECTORY',
      message: expect.stringMatching(message) as string,
    })
  }
  const path = (): string => stand.env['ENCLAVEJS_RUN_DIR'] as string

  it('is made when something is put there, for this user alone', async () => {
    await listEnclaves(stand.surroundings)
    expect(existsSync(path())).toBe(false)
    RunDirectory.open(new Host(stand.surroundings))
    chmodSync(path(), 0o755)
    await refused(/chmod 700/)
  })

  it('is no link that another user could have laid', async () => {
    mkdirSync(join(stand.folder, 'elsewhere'), { mode: 0o700 })
    symlinkSync(join(stand.folder, 'elsewhere'), path())
    await refused(/expected a folder/)
  })

  it('must be possible and short enough for sockets', async () => {
    writeFileSync(path(), '')
    await refused(/cannot be made/)
    rmSync(path())
    stand.env['ENCLAVEJS_RUN_DIR'] = join(stand.folder, 'x'.repeat(60))
    expect(() => RunDirectory.open(new Host(stand.surroundings))).toThrow(/too long/)
  })

  it('keeps a folder that is being filled, and not a record that is none', async () => {
    const runs = RunDirectory.open(new Host(stand.surroundings))
    runs.claim('app')
    writeFileSync(join(runs.folder('app'), 'enclave.json'), '{"version":2}')
    expect((await listEnclaves(stand.surroundings)).enclaves).toEqual([])
    stand.nitro()
    const image = await stand.image()
    const again = runEnclave(image, listening(stand).options)
    await expect(again).rejects.toMatchObject({ code: 'ERR_LAUNCHER_NAME' })
    utimesSync(runs.folder('app'), 0, 0)
    await (await runEnclave(image, listening(stand).options)).stop()
  })
})

describe('the kept console', () => {
  it('is bounded, and a follower gets what is written meanwhile, once', async () => {
    const file = new ConsoleFile(stand.folder)
    const block = Buffer.alloc(2 ** 19, 'a')
    for (let count = 0; count < 9; count++) file.write(block)
    let ended = false
    const following = collect(readConsoleFile(stand.folder, true, () => ended))
    await new Promise((resolve) => setTimeout(resolve, 250))
    file.write(Buffer.from('first'))
    await new Promise((resolve) => setTimeout(resolve, 250))
    for (let count = 0; count < 2; count++) file.write(block)
    file.write(Buffer.from('last'))
    ended = true
    file.close()
    const text = Buffer.concat(await following).toString()
    expect(text.length).toBeLessThanOrEqual(2 ** 21 + 2 ** 20 + 9)
    expect(text.match(/first/g)).toHaveLength(1)
    expect(text.endsWith('last')).toBe(true)
  })
})
