import { describe, expect, it } from 'vitest'
import { examine, type Examination } from '../src/doctor/examination.ts'
import type { Machine } from '../src/doctor/machine.ts'
import { enclavejs } from './process.ts'

const PARENT_FILES: Readonly<Record<string, string>> = {
  '/proc/net/protocols': 'protocol  size\nUNIX 1024\nAF_VSOCK  1240',
  '/proc/meminfo': 'MemTotal:       16000000 kB\nMemAvailable:    8000000 kB',
  '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages': '256',
  '/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages': '128',
  '/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages': '1',
  '/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages': '0',
  '/sys/module/nitro_enclaves/parameters/ne_cpus': '1,5',
}

interface Changes {
  readonly files?: Readonly<Record<string, string | undefined>>
  readonly devices?: Readonly<Record<string, 'usable' | 'denied' | 'absent'>>
  readonly programs?: readonly string[]
  readonly machine?: Partial<Machine>
}

/** A parent instance on which nothing is missing, with changes. */
function parent({
  files = {},
  devices = {},
  programs = ['nitro-cli'],
  machine,
}: Changes = {}): Machine {
  const contents: Readonly<Record<string, string | undefined>> = { ...PARENT_FILES, ...files }
  const nodes = { '/dev/nitro_enclaves': 'usable', '/dev/vsock': 'usable', ...devices } as const
  return {
    platform: 'linux',
    arch: 'x64',
    nodeVersion: '24.21.0',
    env: {},
    simulatorRegistered: false,
    simulatorPath: undefined,
    text: async (path) => contents[path],
    list: async (folder) => [
      ...new Set(
        Object.keys(contents)
          .filter((path) => path.startsWith(`${folder}/`) && contents[path] !== undefined)
          .map((path) => path.slice(folder.length + 1).split('/')[0] as string),
      ),
    ],
    device: async (path) =>
      (nodes as Record<string, 'usable' | 'denied' | 'absent'>)[path] ?? 'absent',
    program: async (name) => programs.includes(name),
    ...machine,
  }
}

/** What is not ok, by name. */
function complaints({ checks }: Examination): Record<string, string> {
  const bad = checks.filter(({ status }) => status !== 'ok')
  for (const { fix } of bad) expect(fix).toMatch(/\S/)
  return Object.fromEntries(bad.map(({ name, status, found }) => [name, `${status}: ${found}`]))
}

describe('a parent', () => {
  it('that lacks nothing is well, in production too', async () => {
    const examination = await examine(parent(), { production: true })
    expect(examination).toMatchObject({ role: 'parent', production: true, ok: true })
    expect(complaints(examination)).toEqual({})
    const found = Object.fromEntries(examination.checks.map((check) => [check.name, check.found]))
    expect(found).toEqual({
      device: '/dev/nitro_enclaves',
      hugepages: '256 MiB of 1536 MiB free',
      cpus: 'for enclaves: 1,5',
      'nitro-cli': 'on the PATH',
      node: '24.21.0 on linux-x64',
      vsock: 'AF_VSOCK and /dev/vsock',
      memory: '7812 MiB of 15625 MiB available',
      simulator: 'not installed',
    })
  })

  const hugepages = '/sys/kernel/mm/hugepages/hugepages-2048kB'
  it.each<[string, Changes, Record<string, string>]>([
    [
      'rights',
      { devices: { '/dev/nitro_enclaves': 'denied' } },
      { device: 'fail: /dev/nitro_enclaves may not be opened by this user' },
    ],
    [
      'the driver',
      { devices: { '/dev/nitro_enclaves': 'absent' } },
      { device: 'fail: no /dev/nitro_enclaves' },
    ],
    [
      'hugepages',
      {
        files: {
          [`${hugepages}/nr_hugepages`]: '0',
          '/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages': '0',
        },
      },
      { hugepages: 'fail: none reserved: enclaves have no memory' },
    ],
    [
      'free hugepages',
      { files: { [`${hugepages}/free_hugepages`]: '31' } },
      { hugepages: 'warn: 62 MiB of 1536 MiB free' },
    ],
    [
      'cpus',
      { files: { '/sys/module/nitro_enclaves/parameters/ne_cpus': '' } },
      { cpus: 'fail: none set aside for enclaves' },
    ],
    ['nitro-cli', { programs: [] }, { 'nitro-cli': 'warn: not on the PATH' }],
    [
      'vsock',
      { files: { '/proc/net/protocols': 'UNIX 1\nNOT_AF_VSOCK 1' } },
      { vsock: 'fail: the kernel has no AF_VSOCK' },
    ],
    [
      'rights on /dev/vsock',
      { devices: { '/dev/vsock': 'denied' } },
      { vsock: 'warn: AF_VSOCK; /dev/vsock may not be opened by this user' },
    ],
    [
      '/dev/vsock',
      { devices: { '/dev/vsock': 'absent' } },
      { vsock: 'warn: AF_VSOCK, without /dev/vsock' },
    ],
    [
      'memory',
      { files: { '/proc/meminfo': 'MemTotal: 524288 kB\nMemAvailable: 131071 kB' } },
      { memory: 'warn: 127 MiB of 512 MiB available' },
    ],
    [
      'proc',
      { files: { '/proc/meminfo': undefined } },
      { memory: 'warn: /proc/meminfo cannot be read' },
    ],
    ['a new Node', { machine: { nodeVersion: '22.18.0' } }, { node: 'fail: 22.18.0 on linux-x64' }],
    [
      'the right machine',
      { machine: { arch: 'riscv64' } },
      { node: 'warn: 24.21.0 on linux-riscv64' },
    ],
  ])('without %s', async (_name, changes, expected) => {
    const role = 'parent'
    const examination = await examine(parent(changes), { role, production: false })
    expect(complaints(examination)).toEqual(expected)
    expect(examination.ok).toBe(!Object.values(expected)[0]?.startsWith('fail'))
  })
})

describe('the simulator', () => {
  it.each<[string, Partial<Machine>, string, 'ok' | 'warn']>([
    ['registered', { simulatorRegistered: true }, 'registered in this process', 'warn'],
    [
      'in NODE_OPTIONS',
      { env: { NODE_OPTIONS: '--import @enclavejs/simulator/register' } },
      'in NODE_OPTIONS',
      'warn',
    ],
    [
      'in the environment',
      { env: { ENCLAVEJS_SIMULATOR_DIR: '/x' } },
      'ENCLAVEJS_SIMULATOR_DIR is set',
      'warn',
    ],
    ['installed', { simulatorPath: '/app/x.js' }, 'installed', 'ok'],
  ])('%s fails in production, and only there', async (_name, machine, found, otherwise) => {
    const role = 'parent'
    const check = async (production: boolean) => {
      const examination = await examine(parent({ machine }), { role, production })
      expect(examination.ok).toBe(!production)
      return examination.checks.find(({ name }) => name === 'simulator')
    }
    expect(await check(true)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining(found),
    })
    expect(await check(false)).toMatchObject({
      status: otherwise,
      found: expect.stringContaining(found),
    })
  })

  it('is not taken for one because a variable is there and empty', async () => {
    const machine = { env: { ENCLAVEJS_SIMULATOR_DIR: '', NODE_OPTIONS: '--no-warnings' } }
    expect(await examine(parent({ machine }), { production: true })).toMatchObject({ ok: true })
  })
})

describe('the place', () => {
  it('is told by the devices', async () => {
    const role = async (changes: Changes): Promise<unknown> =>
      (await examine(parent(changes), { production: false })).role
    expect(await role({})).toBe('parent')
    expect(await role({ devices: { '/dev/nitro_enclaves': 'denied' } })).toBe('parent')
    expect(await role({ devices: { '/dev/nsm': 'denied' } })).toBe('enclave')
    expect(await role({ devices: { '/dev/nitro_enclaves': 'absent' } })).toBeNull()
    expect(await role({ machine: { simulatorRegistered: true } })).toBe('enclave')
  })

  it('that is neither fails', async () => {
    const nowhere = parent({ devices: { '/dev/nitro_enclaves': 'absent' } })
    const examination = await examine(nowhere, { production: false })
    expect(examination.ok).toBe(false)
    expect(complaints(examination)).toHaveProperty('place')
  })

  it('that is an enclave without rights on its device fails in that line', async () => {
    const machine = parent({
      devices: { '/dev/nsm': 'denied' },
      files: { '/sys/class/net/lo/flags': '0x8' },
    })
    expect(complaints(await examine(machine, { production: false }))).toEqual({
      device: 'fail: /dev/nsm may not be opened by this user',
      loopback: 'warn: lo is down',
    })
  })
})

describe('enclavejs doctor', () => {
  const simulated = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    enclavejs(['doctor', ...args], { node: ['--import', '@enclavejs/simulator/register'], env })

  it('on a simulated enclave asks the device, on one screen, each complaint with its fix', async () => {
    const { status, stdout } = await simulated([])
    const lines = stdout.trimEnd().split('\n')
    expect(lines.length).toBeLessThanOrEqual(24)
    expect(lines.filter((line) => line.length > 200)).toEqual([])
    for (const [index, line] of lines.entries()) {
      expect(line).toMatch(/^(?:ok  |warn|fail) {2}\S| +→ \S/)
      if (/^(?:warn|fail)/.test(line)) expect(lines[index + 1]).toMatch(/^ +→ /)
    }
    for (const name of [
      'device',
      'nsm',
      'pcrs',
      'debug-mode',
      'entropy',
      'clocksource',
      'clock',
      'vsock',
      'memory',
    ]) {
      expect(stdout).toMatch(new RegExp(`^(?:ok  |warn|fail)  ${name} `, 'm'))
    }
    expect(status).toBe(stdout.includes('fail  ') ? 1 : 0)
  })

  it('takes debug mode as a warning, and as a failure in production', async () => {
    const env = { ENCLAVEJS_SIMULATOR_DEBUG_MODE: '1' }
    const mode = async (...flags: string[]) => {
      const { stdout } = await simulated(['--json', ...flags], env)
      const { checks, role } = JSON.parse(stdout) as Examination
      expect(role).toBe('enclave')
      return checks.find(({ name }) => name === 'debug-mode')
    }
    expect(await mode()).toMatchObject({
      status: 'warn',
      fix: expect.stringContaining('--debug-mode'),
    })
    expect(await mode('--production')).toMatchObject({ status: 'fail' })
  })

  it('fails in production on a simulator', async () => {
    const { status, stdout } = await simulated(['--production'])
    expect(status).toBe(1)
    expect(stdout).toMatch(/^fail {2}simulator +registered in this process$/m)
  })

  it('without a device says what to do, and does not make the checks behind it', async () => {
    const { status, stdout } = await enclavejs(['doctor', '--as', 'enclave'])
    expect(status).toBe(1)
    expect(stdout).toMatch(/^fail {2}device +no \/dev\/nsm\n +→ .*enclavejs simulate/m)
    expect(stdout).not.toMatch(/^.{6}(?:nsm|pcrs|clock) /m)
  })

  it('says in JSON the same', async () => {
    const { status, stdout } = await enclavejs(['doctor', '--as', 'parent', '--json'])
    const examination = JSON.parse(stdout) as Examination
    expect(examination).toMatchObject({ role: 'parent', production: false, ok: status === 0 })
    expect(examination.checks.map(({ name }) => name)).toEqual([
      'device',
      'hugepages',
      'cpus',
      'nitro-cli',
      'node',
      'vsock',
      'memory',
      'simulator',
    ])
  })

  it.each([
    [['--as', 'guest'], /--as: enclave or parent/],
    [['now'], /"now" is too many/],
    [['--strict'], /--strict/],
  ])('is wrong use: %j', async (args, message) => {
    const outcome = await enclavejs(['doctor', ...args])
    expect(outcome).toMatchObject({ status: 2, stdout: '' })
    expect(outcome.stderr).toMatch(message)
  })
})
