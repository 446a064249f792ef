import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { computeInstancePcr, computeRolePcr } from '@enclavejs/eif'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { CliError } from '../src/error.ts'
import { policy } from '../src/command/policy.ts'
import { enclavejs, pcrHex, Workspace, type Outcome } from './process.ts'

const workspace = new Workspace()
afterAll(() => workspace.remove())

const ROLE = 'arn:aws:iam::123456789012:role/enclave'
const ROOT = 'arn:aws:iam::123456789012:root'
const WHO = ['--role', ROLE, '--administrator', ROOT]
const image = join(workspace.path, 'one.eif')

/** Runs the command itself; a usage error becomes what `enclavejs` makes of it. */
async function run(...args: readonly string[]): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  const terminal = {
    print: (line = '') => void (stdout += `${line}\n`),
    write: () => undefined,
    warn: (line: string) => void (stderr += `${line}\n`),
    paint: (_style: string, text: string) => text,
    interactive: false,
  }
  try {
    return { status: await policy.run(args, terminal), stdout, stderr }
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    return { status: 2, stdout, stderr: `${stderr}${error.message}\n` }
  }
}

function build(name: string, cmdline: string): Promise<Outcome> {
  const args = ['eif', 'build', name, '--kernel', 'kernel', '--init', 'init']
  const more = ['--directory', 'root', '--cmd', '/run', '--cmdline', cmdline]
  return enclavejs([...args, ...more], { cwd: workspace.path })
}

type Pcrs = Record<`PCR${number}`, string>
let measured: Pcrs

beforeAll(async () => {
  await mkdir(join(workspace.path, 'root'))
  await writeFile(join(workspace.path, 'root', 'run'), 'run', { mode: 0o755 })
  workspace.file('kernel', 'a kernel')
  workspace.file('init', 'an init')
  const { status, stdout } = await build('one.eif', 'console=ttyS0')
  expect(status).toBe(0)
  const { Measurements } = JSON.parse(stdout) as { Measurements: Pcrs & { HashAlgorithm: string } }
  const { HashAlgorithm: _algorithm, ...pcrs } = Measurements
  measured = pcrs
})

describe('enclavejs policy', () => {
  it('prints the policy of an image file', async () => {
    const { status, stdout, stderr } = await run(image, ...WHO, '--locked')
    const { policy: expected } = createKeyPolicy({
      account: '123456789012',
      images: { pcrs: measured },
      enclaveRoles: [ROLE],
      administrators: [ROOT],
      locked: true,
    })
    expect({ status, policy: JSON.parse(stdout) as unknown }).toEqual({
      status: 0,
      policy: expected,
    })
    expect(stderr).toMatch(/^locked: .*BypassPolicyLockoutSafetyCheck/)
  })

  it('prints what CreateKey needs', async () => {
    const flags = ['--encrypter', ROOT, '--key-agreement', '--json']
    const { status, stdout, stderr } = await run(image, ...WHO, '--replaceable', ...flags)
    const { json } = createKeyPolicy({
      account: '123456789012',
      images: { pcrs: measured },
      enclaveRoles: [ROLE],
      administrators: [ROOT],
      encrypters: [ROOT],
      locked: false,
      keyUsage: 'KEY_AGREEMENT',
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      Policy: json,
      BypassPolicyLockoutSafetyCheck: false,
      KeyUsage: 'KEY_AGREEMENT',
    })
  })

  it('takes reference files beside images, and pins more', async () => {
    const other = workspace.json('other.json', {
      Measurements: {
        HashAlgorithm: 'Sha384 { ... }',
        ...{ PCR0: pcrHex(1), PCR1: pcrHex(2), PCR2: pcrHex(3), PCR8: pcrHex(4) },
      },
    })
    const pins = [
      '--parent-role',
      '--parent-instance',
      'i-0123456789abcdef0',
      '--pcr',
      `16=${pcrHex(9)}`,
    ]
    const args = [image, ...WHO, '--locked', '--reference', other, '--pin', 'image', ...pins]
    const { status, stdout } = await run(...args)
    expect(status).toBe(0)
    const hash = { createHash: () => createHash('sha384') }
    const more = {
      PCR3: computeRolePcr(ROLE, hash),
      PCR4: computeInstancePcr('i-0123456789abcdef0', hash),
      PCR16: pcrHex(9),
    }
    const { policy: expected } = createKeyPolicy({
      account: '123456789012',
      images: [
        { label: 'a', pcrs: { ...measured, ...more } },
        { label: 'b', pcrs: { PCR0: pcrHex(1), PCR1: pcrHex(2), PCR2: pcrHex(3), ...more } },
      ],
      enclaveRoles: [ROLE],
      administrators: [ROOT],
      locked: true,
    })
    expect(JSON.parse(stdout)).toEqual(expected)
  })

  it('pins the signer alone when told', async () => {
    const signed = workspace.json('signed.json', {
      label: 'signed',
      pcrs: { 0: pcrHex(1), 1: pcrHex(2), 2: pcrHex(3), 8: pcrHex(4) },
    })
    const { stdout } = await run(...WHO, '--locked', '--reference', signed, '--pin', 'signer')
    expect(stdout).toContain(pcrHex(4))
    expect(stdout).not.toContain(pcrHex(1))
    expect(stdout).toContain('DenyDebugMode')
  })

  it('leaves the spaces out of a policy that would be too large with them', async () => {
    const sets = (count: number) =>
      workspace.json(
        'many.json',
        Array.from({ length: count }, (_, index) => ({
          label: `${index}`,
          pcrs: { 0: pcrHex(3 * index + 1), 1: pcrHex(3 * index + 2), 2: pcrHex(3 * index + 3) },
        })),
      )
    const { status, stdout } = await run(...WHO, '--locked', '--reference', sets(32))
    expect(status).toBe(0)
    expect(stdout.split('\n')).toHaveLength(2)
    const refused = await run(...WHO, '--locked', '--json', '--reference', sets(60))
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('refused: ERR_KMS_POLICY_SIZE\n') as string,
    })
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'ERR_KMS_POLICY_SIZE' } })
  })

  it('refuses what is no image, and a doubtful one unless it is taken', async () => {
    const refused = await run(workspace.file('text', 'no image'), ...WHO, '--locked')
    expect(refused).toMatchObject({ status: 1, stdout: '' })
    expect(refused.stderr).toContain('refused: ERR_EIF_TRUNCATED')
    expect(await build('odd.eif', 'rdinit=/x')).toMatchObject({ status: 0 })
    const odd = [join(workspace.path, 'odd.eif'), ...WHO, '--locked']
    const doubtful = await run(...odd)
    expect(doubtful).toMatchObject({ status: 1, stdout: '' })
    expect(doubtful.stderr).toContain('refused: ERR_EIF_DOUBTFUL')
    expect(await run(...odd, '--allow-doubtful')).toMatchObject({ status: 0 })
  })

  it.each<[string, readonly string[], RegExp]>([
    ['no image', [...WHO, '--locked'], /IMAGE is missing/],
    ['no role', ['x', '--administrator', ROOT, '--locked'], /--role ARN is missing/],
    ['no administrator', ['x', '--role', ROLE, '--locked'], /--administrator ARN is missing/],
    ['no choice', ['x', ...WHO], /--locked or --replaceable/],
    ['both', ['x', ...WHO, '--locked', '--replaceable'], /--locked or --replaceable/],
    [
      'an administrator without account',
      ['x', '--role', ROLE, '--administrator', '*', '--locked'],
      /--administrator: arn/,
    ],
    ['more labels than images', [...WHO, '--locked', '--label', 'x'], /more labels/],
    [
      'an instance',
      ['x', ...WHO, '--locked', '--parent-instance', 'i'],
      /--parent-instance must be/,
    ],
    [
      'two roles for one PCR3',
      ['x', ...WHO, '--role', `${ROLE}2`, '--locked', '--parent-role'],
      /one --role/,
    ],
    [
      'PCR3 twice',
      ['x', ...WHO, '--locked', '--parent-role', '--pcr', `3=${pcrHex(1)}`],
      /PCR3 is given twice/,
    ],
    ['a PCR', ['x', ...WHO, '--locked', '--pcr', '40=00'], /--pcr: INDEX=HEX/],
    ['a short PCR', ['x', ...WHO, '--locked', '--pcr', '16=00'], /96 hex digits/],
    [
      'a foreign administrator',
      ['IMAGE', ...WHO, '--administrator', ROOT.replace('1', '2'), '--locked'],
      /--administrator: .* not in the account/,
    ],
    ['another PCR0', ['IMAGE', ...WHO, '--locked', '--pcr', `0=${pcrHex(1)}`], /PCR0 contradicts/],
    ['an unsigned image', ['IMAGE', ...WHO, '--locked', '--pin', 'signer'], /is not signed/],
    [
      'another pin',
      ['IMAGE', ...WHO, '--locked', '--pin', 'kernel'],
      /--pin: both, image or signer/,
    ],
    ['an image twice', ['IMAGE', 'IMAGE', ...WHO, '--locked'], /own label/],
    ['an unknown flag', ['IMAGE', ...WHO, '--lock'], /--lock/],
  ])('wrong use: %s', async (_name, args, message) => {
    const { status, stdout, stderr } = await run(
      ...args.map((one) => (one === 'IMAGE' ? image : one)),
    )
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })
})
