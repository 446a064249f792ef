// The backend of nitro-cli on its protocol alone: against an executable that prints what nitro-cli prints.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findEnclave, listEnclaves, readConsole, runEnclave, stopEnclave } from '../src/index.ts'
import { explainNitroCode } from '../src/nitro-cli-explanation.ts'
import { collect, listening, Stand, typesOf } from './stand.ts'

let stand: Stand
beforeEach(() => void (stand = new Stand().nitro()))
afterEach(() => stand.remove())

const PCR = (byte: string): string => byte.repeat(48)

describe('an enclave of nitro-cli', () => {
  it('is started, found by its name, and terminated', async () => {
    const image = await stand.image()
    const { options, events } = listening(stand)
    const enclave = await runEnclave(image, options)
    expect(enclave).toMatchObject({
      ...{ name: 'app', backend: 'nitro-cli', cid: 16, vsock: { cid: 16 }, debugMode: false },
      ...{ memoryMib: 512, cpus: 2, enclaveId: 'i-0123456789abcdef0-enc0000000000000000' },
      admission: { by: 'none', pcrs: [], proven: 'nothing' },
    })
    expect(stand.calls.find((one) => one.startsWith('run'))).toBe(
      `run-enclave --eif-path ${image} --enclave-name app --cpu-count 2 --memory 512`,
    )
    const { enclaves, problem } = await listEnclaves(stand.surroundings)
    expect(problem).toBeUndefined()
    expect(enclaves).toMatchObject([
      { name: 'app', state: 'running', cid: 16, pcrs: enclave.pcrs, supervisorPid: process.pid },
    ])
    await expect(enclave.stop()).resolves.toMatchObject({ asked: true, forced: false, cut: 0 })
    expect(stand.calls).toContain(`terminate-enclave --enclave-id ${enclave.enclaveId}`)
    expect((await listEnclaves(stand.surroundings)).enclaves).toEqual([])
    expect(typesOf(events).filter((type) => type !== 'doubt')).toEqual([
      ...['backend', 'measured', 'starting', 'started', 'admitted', 'ready', 'stopping', 'ended'],
    ])
  })

  it('of a name that another has too is not guessed', async () => {
    const one = (EnclaveCID: number): object => ({
      ...{ EnclaveName: 'app', EnclaveID: `i-0-enc${EnclaveCID}`, ProcessID: 1, EnclaveCID },
      ...{ NumberOfCPUs: 2, CPUIDs: [1, 3], MemoryMiB: 512, State: 'RUNNING', Flags: 'NONE' },
    })
    writeFileSync(stand.state, JSON.stringify([one(16), one(17)]))
    await expect(findEnclave('app', stand.surroundings)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_NOT_FOUND',
      message: expect.stringMatching(
        /^2 enclaves are called app: CID 16 \(i-0-enc16\), CID 17 \(i-0-enc17\)/,
      ) as string,
    })
  })

  it('that ends by itself is noticed, and nothing of it is left', async () => {
    const enclave = await runEnclave(await stand.image(), listening(stand).options)
    writeFileSync(stand.state, '[]')
    await expect(enclave.ended).resolves.toMatchObject({ asked: false, status: undefined })
    expect((await listEnclaves(stand.surroundings)).enclaves).toEqual([])
  })

  it('is not taken for ended where nitro-cli cannot reach its process', async () => {
    const enclave = await runEnclave(await stand.image(), listening(stand).options)
    const listed = readFileSync(stand.state, 'utf8')
    writeFileSync(`${stand.state}.unreachable`, '')
    writeFileSync(stand.state, '[]')
    const early = await Promise.race([
      enclave.ended.then(() => 'ended'),
      new Promise((resolve) => setTimeout(resolve, 2500, 'runs')),
    ])
    expect(early).toBe('runs')
    const { enclaves, problem } = await listEnclaves(stand.surroundings)
    expect(enclaves).toMatchObject([{ name: 'app', state: 'running' }])
    expect(problem).toMatchObject({ code: 'ERR_LAUNCHER_NITRO_CLI' })
    writeFileSync(stand.state, listed)
    await enclave.stop()
  })

  it('compares what nitro-cli loaded with the image, and says that it proves no more', async () => {
    const image = await stand.image()
    const plain = await runEnclave(image, listening(stand).options)
    const pcrs = plain.pcrs ?? {}
    await plain.stop()
    const measurements = { PCR0: pcrs['0'], PCR1: pcrs['1'], PCR2: pcrs['2'] }
    stand.env['NITRO_MEASUREMENTS'] = JSON.stringify(measurements)
    const same = await runEnclave(image, listening(stand).options)
    expect(same.admission).toMatchObject({ by: 'file', pcrs: [0, 1, 2] })
    expect(same.admission.notProven).toContain('what the hypervisor measured')
    await same.stop()
    stand.env['NITRO_MEASUREMENTS'] = JSON.stringify({ ...measurements, PCR2: PCR('ab') })
    await expect(runEnclave(image, listening(stand).options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_MEASUREMENT',
      message: expect.stringContaining('PCR2') as string,
    })
    expect(JSON.parse(readFileSync(stand.state, 'utf8'))).toEqual([])
  })

  it('in debug mode has a console, whose control characters are shown', async () => {
    const { options } = listening(stand, { dangerouslyDebug: true, name: 'debugged' })
    const enclave = await runEnclave(await stand.image(), options)
    expect(enclave.debugMode).toBe(true)
    await expect
      .poll(() => collect(readConsole('debugged', { surroundings: stand.surroundings })))
      .toContain('booted\\u{1b}[2J')
    await enclave.stop()
  })

  it('in production has none', async () => {
    const enclave = await runEnclave(await stand.image(), listening(stand).options)
    const reading = collect(readConsole('app', { surroundings: stand.surroundings }))
    await expect(reading).rejects.toMatchObject({ code: 'ERR_LAUNCHER_NO_CONSOLE' })
    await enclave.stop()
  })

  it('of someone else is listed and can be ended', async () => {
    const other = {
      ...{ EnclaveID: 'i-0a-enc1', ProcessID: 7, EnclaveCID: 20, NumberOfCPUs: 2, CPUIDs: [1, 3] },
      ...{ MemoryMiB: 512, State: 'RUNNING', Flags: 'DEBUG_MODE' },
    }
    writeFileSync(stand.state, JSON.stringify([other]))
    const found = await findEnclave('i-0a-enc1', stand.surroundings)
    expect(found).toMatchObject({ state: 'unsupervised', cid: 20, debugMode: true })
    const stopped = await stopEnclave('i-0a-enc1', { surroundings: stand.surroundings })
    expect(stopped.how).toBe('forced')
    expect(JSON.parse(readFileSync(stand.state, 'utf8'))).toEqual([])
  })
})

describe('nitro-cli fails', () => {
  it('with its code, what it means, and its log', async () => {
    stand.env['NITRO_RUN'] = 'E36'
    await expect(runEnclave(await stand.image(), listening(stand).options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_NITRO_CLI',
      nitroCode: 'E36',
      message: expect.stringMatching(/\[E36\] Enclave boot failure.*--debug.*err2026/) as string,
    })
    expect((await listEnclaves(stand.surroundings)).enclaves).toEqual([])
  })

  it('with something that is not its JSON', async () => {
    stand.env['NITRO_RUN'] = 'text'
    await expect(runEnclave(await stand.image(), listening(stand).options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_NITRO_CLI',
      nitroCode: undefined,
    })
  })

  it('too slowly: the enclave that it may have started is terminated', async () => {
    stand.env['NITRO_RUN'] = 'slow'
    const { options } = listening(stand, { timeout: 2000 })
    await expect(runEnclave(await stand.image(), options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_READY',
    })
    expect(stand.calls.some((one) => one.startsWith('terminate-enclave'))).toBe(true)
    expect(JSON.parse(readFileSync(stand.state, 'utf8'))).toEqual([])
  })

  it('says something to do for each code that an operator meets', () => {
    for (const code of ['E19', 'E22', 'E26', 'E27', 'E29', 'E35', 'E36', 'E39', 'E44']) {
      expect(explainNitroCode(code)).not.toBe('')
    }
    expect(explainNitroCode('E99')).toBe('')
  })
})

describe('an enclave that cannot be terminated', () => {
  it('is said to run on, and stays in the list', async () => {
    const enclave = await runEnclave(await stand.image(), listening(stand).options)
    writeFileSync(`${stand.state}.stubborn`, '')
    await expect(enclave.stop()).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_STOP',
      message: expect.stringMatching(/enc0+ runs on: .*\[E29\]/) as string,
    })
    await expect(enclave.ended).rejects.toMatchObject({ code: 'ERR_LAUNCHER_STOP' })
    expect(await findEnclave('app', stand.surroundings)).toMatchObject({ state: 'stopping' })
  })
})

describe('before anything is started', () => {
  it('less memory than four times the image is refused', async () => {
    const image = await stand.image('large.eif', 40 * 2 ** 20)
    const { options } = listening(stand, { memoryMib: 128 })
    await expect(runEnclave(image, options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_MEMORY',
      message: expect.stringContaining('161 MiB at least') as string,
    })
    expect(stand.calls).toEqual([])
  })

  it('more memory than is free is refused, with what the allocator says', async () => {
    stand.nitro(256, '- memory_mib: 128\n  cpu_count: 2\n- memory_mib: 128\n  cpu_pool: 3\n')
    await expect(runEnclave(await stand.image(), listening(stand).options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_MEMORY',
      message: expect.stringMatching(/512 MiB are needed and 256 MiB.*says 256/) as string,
    })
    expect(stand.calls.some((one) => one.startsWith('run-enclave'))).toBe(false)
  })

  it('more CPUs than are left is refused', async () => {
    const { options } = listening(stand, { cpus: 4 })
    await expect(runEnclave(await stand.image(), options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_CPUS',
      message: expect.stringContaining('4 CPUs are needed and 2 of the 2') as string,
    })
  })

  it('a name that nitro-cli runs already is refused', async () => {
    const other = {
      EnclaveName: 'app',
      EnclaveID: 'i-0a-enc1',
      EnclaveCID: 20,
      NumberOfCPUs: 0,
      MemoryMiB: 1,
    }
    writeFileSync(stand.state, JSON.stringify([other]))
    await expect(runEnclave(await stand.image(), listening(stand).options)).rejects.toMatchObject({
      code: 'ERR_LAUNCHER_NAME',
    })
    expect(existsSync(`${stand.env['ENCLAVEJS_RUN_DIR']}/app`)).toBe(false)
  })
})
