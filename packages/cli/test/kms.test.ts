import { fileURLToPath } from 'node:url'
import { startSimulatedAws, type SimulatedAws } from '@enclavejs/simulator/aws'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enclavejs, enclavejsHere, pcrHex, Workspace, wrongUse, type Outcome } from './process.ts'

const workspace = new Workspace()
const register = fileURLToPath(import.meta.resolve('@enclavejs/simulator/register'))
let aws: SimulatedAws

beforeAll(async () => {
  aws = await startSimulatedAws()
})
afterAll(async () => {
  await aws.close()
  workspace.remove()
})

/** A command in a simulated enclave with the simulated KMS behind its parent. */
function inEnclave(args: readonly string[], input?: Uint8Array | string): Promise<Outcome> {
  return enclavejs(['kms', ...args, ...reach()], {
    node: ['--import', register],
    env: environment(),
    ...(input !== undefined && { input }),
  })
}

/** The same on a laptop, over TCP. */
function outside(args: readonly string[], input?: Uint8Array | string): Promise<Outcome> {
  const to = aws.environment['ENCLAVEJS_SIMULATED_KMS_ADDRESS'] as string
  return enclavejs(['kms', ...args, ...reach(), '--direct', '--connect-to', to], {
    env: { ...environment(), AWS_SHARED_CREDENTIALS_FILE: '/nonexistent' },
    ...(input !== undefined && { input }),
  })
}

function reach(): readonly string[] {
  const root = aws.environment['ENCLAVEJS_SIMULATED_KMS_CA'] as string
  return ['--key', aws.keyArn, '--root', root]
}

function environment(): Record<string, string> {
  return { ...aws.environment }
}

const CONTEXT = ['--context', 'purpose=test', '--context', 'object=a=b']

describe('enclavejs kms', () => {
  it('encrypts outside, and decrypts in the enclave alone', async () => {
    const encrypted = await outside(['encrypt', ...CONTEXT], 'a secret')
    expect(encrypted).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^AQICA\S+\n$/) as string,
    })
    const file = workspace.file('secret.b64', encrypted.stdout)
    const decrypted = await inEnclave(['decrypt', file, ...CONTEXT])
    expect(decrypted).toMatchObject({ status: 0, stdout: 'a secret' })
    const other = await inEnclave(['decrypt', file, '--context', 'purpose=other', '--json'])
    expect(other.status).toBe(1)
    expect(other.stderr).toContain('failed: ERR_KMS_SERVICE')
    expect(JSON.parse(other.stdout)).toMatchObject({ error: { code: 'ERR_KMS_SERVICE' } })
    const laptop = await outside(['decrypt', file, ...CONTEXT])
    expect(laptop).toMatchObject({ status: 1, stdout: '' })
    expect(laptop.stderr).toContain('failed: ERR_KMS_EVIDENCE')
  })

  it('makes data keys', async () => {
    const { status, stdout } = await inEnclave([
      'data-key',
      '--no-context',
      '--bytes',
      '20',
      '--json',
    ])
    expect(status).toBe(0)
    const made = JSON.parse(stdout) as Record<string, string>
    expect(made['KeyId']).toBe(aws.keyArn)
    expect(Buffer.from(made['Plaintext'] as string, 'base64')).toHaveLength(20)
  })

  it('checks and explains policies', async () => {
    const administrator = `arn:aws:iam::${aws.account.accountId}:root`
    const role = aws.environment['ENCLAVEJS_SIMULATOR_ROLE_ARN'] as string
    const pcrs = { PCR0: pcrHex(1), PCR1: pcrHex(2), PCR2: pcrHex(3) }
    const reference = workspace.json('reference.json', { pcrs })
    const { json } = createKeyPolicy({
      account: aws.account.accountId,
      images: { pcrs },
      enclaveRoles: [role],
      administrators: [administrator],
      locked: false,
    })
    await aws.kms.setKeyPolicy(aws.keyArn, json)
    const who = ['--role', role, '--administrator', administrator, '--reference', reference]
    const good = await outside(['check-policy', ...who, '--replaceable'])
    expect(good.status, good.stderr).toBe(0)
    expect(good.stdout).toMatch(/^verified\n/)
    expect(good.stdout).toContain('Decrypt')
    const bad = await outside(['check-policy', ...who, '--locked'])
    expect(bad.status).toBe(1)
    expect(bad.stderr).toContain('failed: ERR_KMS_POLICY_NOT_LOCKED')
    const denied = await inEnclave(['explain', '--role', role, '--json'])
    expect(denied.status).toBe(1)
    expect(JSON.parse(denied.stdout)).toMatchObject({ verdict: 'denied' })
    expect(denied.stdout).toContain(pcrHex(1))
    const allowed = await outside(['explain', '--role', role, '--reference', reference])
    expect(allowed).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^allowed/) as string,
    })
  })

  it.each<[string, string[], RegExp]>([
    ['no action', [], /expected; see/],
    ['another action', ['re-encrypt'], /expected; see/],
    ['no key', ['encrypt', '--no-context'], /--key ARN is missing/],
    ['an alias', ['encrypt', '--no-context', '--key', 'alias/x'], /--key must be the full ARN/],
    ['no context', ['decrypt', '--key', 'KEY'], /--context NAME=VALUE is missing/],
    [
      'both contexts',
      ['decrypt', '--key', 'KEY', '--no-context', '--context', 'a=b'],
      /contradict/,
    ],
    ['a context without value', ['decrypt', '--key', 'KEY', '--context', 'a'], /NAME=VALUE/],
    [
      'a context twice',
      ['decrypt', '--key', 'KEY', '--context', 'a=b', '--context', 'a=c'],
      /twice/,
    ],
    [
      'a flag of another action',
      ['encrypt', '--key', 'KEY', '--spec', 'AES_256'],
      /--spec does not/,
    ],
    ['too many files', ['encrypt', 'a', 'b', '--key', 'KEY'], /"b" is too many/],
    ['an unknown spec', ['data-key', '--key', 'KEY', '--no-context', '--spec', 'x'], /--spec: AES/],
    ['an unknown format', ['encrypt', '--key', 'KEY', '--no-context', '--format', 'x'], /--format/],
    [
      'JSON and raw',
      ['decrypt', '--key', 'KEY', '--no-context', '--format', 'raw', '--json'],
      /contradict/,
    ],
    [
      'an unknown endpoint',
      ['encrypt', '--key', 'KEY', '--no-context', '--endpoint', 'x'],
      /--endpoint must/,
    ],
    [
      '--connect-to alone',
      ['encrypt', '--key', 'KEY', '--no-context', '--connect-to', 'a:1'],
      /goes with --direct/,
    ],
    [
      '--direct and a vsock port',
      ['encrypt', '--key', 'KEY', '--direct', '--kms-port', '1'],
      /do not go with --direct/,
    ],
    [
      'no reference',
      ['check-policy', '--key', 'KEY', '--role', 'r', '--locked'],
      /--reference FILE/,
    ],
    ['no root', ['check-policy', '--key', 'KEY', '--root', 'package.json'], /--root: .*PEM/],
  ])('is used wrongly with %s', async (_name, args, message) => {
    const key = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
    const outcome = await enclavejsHere(['kms', ...args.map((one) => (one === 'KEY' ? key : one))])
    expect({ ...outcome, stdout: '' }).toMatchObject(wrongUse(message))
  })

  it('tells its flags', async () => {
    const { status, stdout } = await enclavejsHere(['kms', '--help'])
    expect(status).toBe(0)
    expect(stdout).toContain('--connect-to')
  })
})
