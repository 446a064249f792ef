import { existsSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { enclavejs, Workspace } from './process.ts'

const node = process.execPath
const workspace = new Workspace()
afterAll(() => workspace.remove())

const TELL = `
import { existsSync, readFileSync } from 'node:fs'
const { env } = process
const endpoint = env.AWS_EC2_METADATA_SERVICE_ENDPOINT
const answer = endpoint && await fetch(endpoint + '/latest/api/token', {
  method: 'PUT', headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '60' } })
console.log(JSON.stringify({
  names: Object.keys(env).filter((name) => /SIMULAT|METADATA/.test(name)).sort(),
  key: env.ENCLAVEJS_SIMULATED_KMS_KEY,
  role: env.ENCLAVEJS_SIMULATOR_ROLE_ARN,
  directory: env.ENCLAVEJS_SIMULATOR_DIR,
  ca: env.ENCLAVEJS_SIMULATED_KMS_CA && readFileSync(env.ENCLAVEJS_SIMULATED_KMS_CA, 'utf8').slice(0, 27),
  ports: [8000, 8002].map((port) => existsSync(env.ENCLAVEJS_SIMULATOR_DIR + '/vsock/3_' + port)),
  imds: answer && answer.status,
}))
process.exitCode = 7
`

interface Told {
  readonly names: readonly string[]
  readonly key?: string
  readonly role?: string
  readonly directory?: string
  readonly ca?: string
  readonly ports: readonly boolean[]
  readonly imds?: number
}

async function tell(...flags: string[]): Promise<Told> {
  const file = workspace.file('tell.mjs', TELL)
  const { status, stdout } = await enclavejs(['simulate', ...flags, '--', node, file], {
    env: { NODE_OPTIONS: '--conditions=@enclavejs/source' },
  })
  expect(status).toBe(7)
  return JSON.parse(stdout) as Told
}

describe('enclavejs simulate', () => {
  it('without --kms starts no KMS', async () => {
    const told = await tell('--dir', join(workspace.path, 'plain'))
    expect(told.names).toEqual(['ENCLAVEJS_SIMULATOR_DIR'])
    expect(told.ports).toEqual([false, false])
  })

  it('with --kms tells the command where KMS, its CA, its key and IMDS are, and removes what it made', async () => {
    const told = await tell('--kms', '--role', 'team/worker', '--region', 'us-west-2')
    expect(told).toMatchObject({
      role: 'arn:aws:iam::123456789012:role/team/worker',
      ca: '-----BEGIN CERTIFICATE-----',
      ports: [true, true],
      imds: 200,
    })
    expect(told.key).toMatch(/^arn:aws:kms:us-west-2:123456789012:key\//)
    expect(existsSync(told.directory ?? '')).toBe(false)
  })

  it('keeps the key where --dir keeps the rest', async () => {
    const directory = join(workspace.path, 'kept')
    const { key } = await tell('--kms', '--dir', directory)
    expect((await tell('--kms', '--dir', directory)).key).toBe(key)
    expect(statSync(join(directory, 'kms', 'kms.json')).mode & 0o777).toBe(0o600)
    await expect(
      new Promise((resolve, reject) => {
        connect(join(directory, 'vsock', '3_8000'))
          .on('connect', resolve)
          .on('error', reject)
      }),
    ).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it.each([
    [['--role', 'x'], '--role goes with --kms'],
    [['--region', 'x'], '--region goes with --kms'],
    [['--key-policy', 'x'], '--key-policy goes with --kms'],
    [['--kms', '--role', 'not one'], '--kms: role: expected a name'],
    [['--kms', '--region', 'X'], '--kms: region: expected'],
    [['--kms', '--key-policy', 'none.json'], '--key-policy: none.json cannot be read'],
  ])('%j is wrong use', async (flags, message) => {
    const { status, stderr } = await enclavejs(['simulate', ...flags, '--', node, '--version'])
    expect(stderr).toContain(message)
    expect(status).toBe(2)
  })

  it('refuses a key policy that is none', async () => {
    const file = workspace.file('policy.json', '{"Statement":[]}')
    const args = ['simulate', '--kms', '--key-policy', file, '--', node, '--version']
    const { status, stderr } = await enclavejs(args)
    expect(stderr).toContain('--kms: Syntax errors in policy.')
    expect(status).toBe(2)
  })
})
