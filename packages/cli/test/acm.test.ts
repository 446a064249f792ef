import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createCertificateAuthority } from '@enclavejs/simulator'
import { createSimulatedAcm, type SimulatedAcm } from '@enclavejs/simulator/acm'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedKms,
} from '@enclavejs/simulator/kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enclavejs, Workspace, type Outcome } from './process.ts'

const HOST = 'www.example.com'
const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const workspace = new Workspace()
const account = createSimulatedAccount()
const serviceAccount = createSimulatedAccount({ accountId: '999999999999' })
const role = `arn:aws:iam::${account.accountId}:role/enclave`
let kms: SimulatedKms
let acm: SimulatedAcm
let keyArn: string
let way: string[]
let env: Record<string, string>

beforeAll(async () => {
  const authority = await createCertificateAuthority()
  kms = await createSimulatedKms({
    accounts: [account, serviceAccount],
    attestationRoots: [authority.trustAnchor],
  })
  acm = await createSimulatedAcm({ accounts: [account], kms, serviceAccount })
  acm.createBucket('own-bucket')
  keyArn = (await kms.createKey()).arn
  const at = (one: SimulatedKms | SimulatedAcm): string => {
    const address = one.address()
    return 'path' in address ? address.path : `${address.host}:${address.port}`
  }
  way = [
    ...['--connect-to', at(acm), '--connect-to', `kms=${at(kms)}`],
    ...['--root', workspace.file('acm.pem', acm.ca), '--root', workspace.file('kms.pem', kms.ca)],
  ]
  const credentials = account.issueCredentials({ role: 'enclave' })
  env = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken ?? '',
  }
})
afterAll(async () => {
  workspace.remove()
  await acm.close()
  await kms.close()
})

/** Runs `acm publish`, certifies its request with whatever answers, and gives what it left behind. */
function publish(
  args: readonly string[],
  answer: (request: string) => Promise<string> | string,
): Promise<Outcome> {
  const all = ['--conditions=@enclavejs/source', bin, 'acm', 'publish', '--direct', ...way, ...args]
  const child = spawn(process.execPath, all, {
    env: { PATH: process.env['PATH'], NO_COLOR: '1', ...env },
    timeout: 50_000,
  })
  let stdout = ''
  let stderr = ''
  let isAnswered = false
  child.stdin.on('error', () => undefined)
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
    if (isAnswered || !stdout.includes('-----END CERTIFICATE REQUEST-----')) return
    isAnswered = true
    const [request = ''] = /-----BEGIN CERTIFICATE REQUEST[\s\S]*REQUEST-----/.exec(
      stdout.replaceAll('\\n', '\n'),
    ) ?? ['']
    void Promise.resolve(answer(request)).then((text) => child.stdin.end(text))
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
}

const certify = async (request: string): Promise<string> => {
  const { certificate, certificateChain } = await acm.answerRequest(request)
  return certificate + certificateChain
}
const where = (): string[] => [
  ...['--host', HOST, '--bucket', 'own-bucket', '--object', 'www.json'],
  ...['--owner', account.accountId, '--key', keyArn],
]

describe('enclavejs acm publish', () => {
  it('asks for a certificate and stores it, each time with the next version', async () => {
    const { status, stdout, stderr } = await publish(where(), certify)
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: 'the certificate, leaf and then issuers, PEM, on stdin:\n',
    })
    expect(stdout).toMatch(/^stored {4}s3:\/\/own-bucket\/www\.json, version 1$/m)
    expect(stdout).toMatch(/^bound to {2}arn:aws:s3:::own-bucket\/www\.json$/m)
    const stored = Buffer.from(acm.getObject('own-bucket', 'www.json') ?? []).toString()
    expect(stored).not.toContain('PRIVATE')
    const again = await publish([...where(), '--json'], certify)
    expect(again.status).toBe(0)
    expect(again.stdout).toContain('"version": 2')
  })

  it('stores nothing without a certificate, and nothing of another request', async () => {
    const before = acm.getObject('own-bucket', 'www.json')
    const none = await publish(where(), () => 'no certificate')
    expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining('nothing was stored') })
    const first = await acm.createCertificate({ names: [HOST] })
    const other = await publish(where(), () => getCertificate(first))
    expect(other).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('failed: ERR_ACM_REQUEST'),
    })
    expect(acm.getObject('own-bucket', 'www.json')).toEqual(before)
  })

  it.each<[string[], string]>([
    [['--owner', '1', '--bucket', 'b', '--object', 'o'], '--key ARN'],
    [['--bucket', 'b'], '--object is missing'],
  ])('refuses %j', async (args, said) => {
    const { status, stderr } = await enclavejs(['acm', 'publish', '--direct', ...args])
    expect(status).toBe(2)
    expect(stderr).toContain(said.replace('--key ARN', '--key is missing'))
  })

  it.each([
    [['--host', 'a b'], '--host'],
    [['--key', 'alias/x'], '--key'],
    [['--key-algorithm', 'DSA'], '--key-algorithm'],
  ])('refuses %j before it asks', async (change, flag) => {
    const args = [...where()]
    const at = args.indexOf(change[0] as string)
    if (at === -1) args.push(...change)
    else args.splice(at, 2, ...change)
    const { status, stderr, stdout } = await publish(args, certify)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(flag)
  })
})

describe('enclavejs acm import', () => {
  const importing = (certificateArn: string): string[] => {
    const all = ['acm', 'import', '--direct', '--certificate', certificateArn, ...way]
    return [...all, ...where().slice(2, 4), '--object', 'imported.json', ...where().slice(6)]
  }

  it('stores what ACM gives out, and says whose the key is', async () => {
    const arn = await acm.createCertificate({ names: [HOST], exportable: true })
    const { status, stdout, stderr } = await enclavejs(importing(arn), { env })
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr:
        'this key was outside of the enclave: whoever may call acm:ExportCertificate has it\n',
    })
    expect(stdout).toMatch(/^stored {4}s3:\/\/own-bucket\/imported\.json, version 1$/m)
    expect(stdout).toContain(`bound to  ${arn}\n`)
    const stored = Buffer.from(acm.getObject('own-bucket', 'imported.json') ?? []).toString()
    expect(stored).not.toContain('PRIVATE')
    const again = await enclavejs([...importing(arn), '--json'], { env })
    expect(JSON.parse(again.stdout)).toMatchObject({ imported: { version: 2, arn } })
  })

  it('says so where ACM gives nothing out', async () => {
    const arn = await acm.createCertificate({ names: [HOST] })
    const { status, stderr } = await enclavejs(importing(arn), { env })
    expect(status).toBe(1)
    expect(stderr).toContain('failed: ERR_ACM_SERVICE')
  })

  it.each<[string[], string]>([
    [['--bucket', 'b'], '--certificate is missing'],
    [
      [
        '--certificate',
        'x',
        '--bucket',
        'own-bucket',
        '--object',
        'o',
        '--owner',
        '123456789012',
        '--key',
        'k',
      ],
      '--certificate must be arn:PARTITION:acm',
    ],
    [['--host', HOST], '--host does not belong to acm import'],
    [['--key-algorithm', 'RSA_2048'], '--key-algorithm does not belong to acm import'],
  ])('refuses %j', async (args, said) => {
    const { status, stderr } = await enclavejs(['acm', 'import', '--direct', ...args])
    expect(status).toBe(2)
    expect(stderr).toContain(said)
  })
})

/** Leaf and issuers of a certificate in ACM. */
async function getCertificate(arn: string): Promise<string> {
  const args = ['acm', 'associate', '--certificate', arn, '--role', role, ...way]
  expect((await enclavejs(args, { env })).status).toBe(0)
  const bundle = Buffer.from(acm.getObject(acm.bucketName, `${role}/${arn}`) ?? []).toString()
  const { certificate, certificateChain } = JSON.parse(bundle) as Record<string, string>
  return `${certificate ?? ''}${certificateChain ?? ''}`
}

describe('enclavejs acm associate, status, disassociate', () => {
  it('do what they say', async () => {
    const certificateArn = await acm.createCertificate({ names: [HOST] })
    const one = ['--certificate', certificateArn, ...way]
    const associated = await enclavejs(['acm', 'associate', ...one, '--role', role], { env })
    expect(associated.status).toBe(0)
    expect(associated.stdout).toContain(`bucket  ${acm.bucketName}\n`)
    expect(associated.stdout).toContain('  kms:Decrypt on arn:aws:kms:eu-west-1:*:key/')
    const status = await enclavejs(['acm', 'status', ...one, '--json'], { env })
    expect(JSON.parse(status.stdout)).toMatchObject({
      AssociatedRoles: [{ AssociatedRoleArn: role, CertificateS3BucketName: acm.bucketName }],
    })
    const done = await enclavejs(['acm', 'disassociate', ...one, '--role', role], { env })
    expect(done).toMatchObject({ status: 0, stdout: 'disassociated\n' })
    const after = await enclavejs(['acm', 'status', ...one], { env })
    expect(after.stdout).toBe('associated with no role\n')
    const again = await enclavejs(['acm', 'disassociate', ...one, '--role', role, '--json'], {
      env,
    })
    expect(again.status).toBe(1)
    expect(JSON.parse(again.stdout)).toMatchObject({ error: { code: 'ERR_ACM_SERVICE' } })
  })

  it.each<[string[], string]>([
    [[], 'publish, import, associate, status or disassociate expected'],
    [['status', '--role', 'x'], '--role does not belong to acm status'],
    [['status', '--host', 'x'], '--host does not belong to acm status'],
    [['status', 'x'], 'is too many'],
    [['status', '--certificate', 'x'], '--certificate must be arn:PARTITION:acm'],
    [['status', '--certificate', 'x', '--connect-to', 'x'], '--connect-to'],
    [['publish', '--connect-to', 'a:1'], '--bucket is missing'],
  ])('%j is wrong use', async (args, said) => {
    const { status, stderr } = await enclavejs(['acm', ...args])
    expect(status).toBe(2)
    expect(stderr).toContain(said)
  })
})
