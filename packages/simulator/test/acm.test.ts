import {
  createHash,
  createPrivateKey,
  createSign,
  generateKeyPairSync,
  X509Certificate,
} from 'node:crypto'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { SignatureV4 } from '@smithy/signature-v4'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createCertificateAuthority } from '../src/index.ts'
import { createSimulatedAcm, type SimulatedAcm } from '../src/acm.ts'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedCredentials,
  type SimulatedKms,
} from '../src/kms.ts'
import { NodeSha256 } from '../../kms-enclave/src/signing.ts'

const account = createSimulatedAccount()
const other = createSimulatedAccount({ accountId: '222222222222' })
const serviceAccount = createSimulatedAccount({ accountId: '999999999999' })
const credentials = account.issueCredentials({ role: 'enclave' })
const role = credentials.principalArn
let kms: SimulatedKms
let acm: SimulatedAcm

beforeAll(async () => {
  const authority = await createCertificateAuthority()
  kms = await createSimulatedKms({
    accounts: [account, other, serviceAccount],
    attestationRoots: [authority.trustAnchor],
  })
  acm = await createSimulatedAcm({
    accounts: [account, other],
    kms,
    serviceAccount,
    imagePcr0: null,
  })
  acm.createBucket('bucket')
  acm.createBucket('dotted.bucket')
  acm.createBucket('elsewhere', { region: 'us-east-1' })
})
afterAll(async () => {
  await acm.close()
  await kms.close()
})
afterEach(() => acm.clearFaults())

interface Sent {
  readonly method?: string
  readonly host: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly who?: SimulatedCredentials
  readonly service?: string
  readonly region?: string
  readonly date?: Date
  /** Changes the signed request. */
  readonly change?: (headers: Record<string, string>) => void
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** Signs with AWS's signer and sends. */
async function send(sent: Sent): Promise<Answer> {
  const { method = 'GET', host, path = '/', headers = {}, body = '', who = credentials } = sent
  const { service = 's3', region = 'eu-west-1', date = new Date() } = sent
  const signer = new SignatureV4({
    ...{ region, service, credentials: who, sha256: NodeSha256 },
    ...{ uriEscapePath: service !== 's3', applyChecksum: service === 's3' },
  })
  const unsigned = { method, hostname: host, path, query: {}, headers: { ...headers, host }, body }
  const signed = await signer.sign({ ...unsigned, protocol: 'https:' }, { signingDate: date })
  sent.change?.(signed.headers)
  const socket = (await acm.connect(host, 443)) as Socket
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        ...{ method, host, path, socket, servername: host, ca: acm.ca },
        headers: signed.headers,
        agent: false,
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
        })
      },
    )
    request.on('error', reject).end(body)
  })
}

const S3 = 'bucket.s3.eu-west-1.amazonaws.com'
const codeOf = ({ status, text }: Answer): string =>
  `${status} ${/<Code>(\w[\w.]*)<\/Code>/.exec(text)?.[1] ?? ''}`

describe('S3', () => {
  it('keeps what was put, with its MD5 as ETag', async () => {
    const path = '/a%3Ab/c%20d'
    const put = await send({ method: 'PUT', host: S3, path, body: 'hello' })
    const etag = `"${createHash('md5').update('hello').digest('hex')}"`
    expect(put).toMatchObject({ status: 200, headers: { etag } })
    expect(acm.getObject('bucket', 'a:b/c d')).toEqual(new Uint8Array(Buffer.from('hello')))
    expect(await send({ host: S3, path })).toMatchObject({
      status: 200,
      text: 'hello',
      headers: { etag },
    })
    expect(await send({ method: 'HEAD', host: S3, path })).toMatchObject({ status: 200, text: '' })
    const again = { host: S3, path, headers: { 'if-none-match': etag } }
    expect(await send(again)).toMatchObject({ status: 304, text: '', headers: { etag } })
    const byPath = { host: 's3.eu-west-1.amazonaws.com', path: `/bucket${path}` }
    expect((await send(byPath)).text).toBe('hello')
  })

  const path = '/key'
  it.each<[string, Sent, string]>([
    ['an unknown key', { host: S3, path: '/none' }, '404 NoSuchKey'],
    ['an unknown bucket', { host: `none.s3.eu-west-1.amazonaws.com`, path }, '404 NoSuchBucket'],
    [
      'a bucket of another region',
      { host: 'elsewhere.s3.eu-west-1.amazonaws.com', path },
      '301 PermanentRedirect',
    ],
    [
      'another account',
      { host: S3, path, who: other.issueCredentials({ role: 'enclave' }) },
      '403 AccessDenied',
    ],
    [
      'another owner',
      { host: S3, path, headers: { 'x-amz-expected-bucket-owner': '222222222222' } },
      '403 AccessDenied',
    ],
    [
      'an expired set',
      { host: S3, path, who: account.issueCredentials({ role: 'enclave', lifetimeMs: 0 }) },
      '400 ExpiredToken',
    ],
    [
      'an unknown set',
      { host: S3, path, who: createSimulatedAccount().issueCredentials({ role: 'enclave' }) },
      '403 InvalidAccessKeyId',
    ],
    [
      'an old signature',
      { host: S3, path, date: new Date(Date.now() - 960_000) },
      '403 RequestTimeTooSkewed',
    ],
    ['another region', { host: S3, path, region: 'us-east-1' }, '403 SignatureDoesNotMatch'],
    [
      'a changed header',
      { host: S3, path, change: (headers) => (headers['x-amz-date'] = '20300101T000000Z') },
      '403 SignatureDoesNotMatch',
    ],
    [
      'no signature',
      { host: S3, path, change: (headers) => delete headers['authorization'] },
      '403 AccessDenied',
    ],
    ['another method', { method: 'DELETE', host: S3, path }, '400 InvalidAction'],
    ['another host', { host: 'x.eu-west-1.amazonaws.com', path }, '400 InvalidAction'],
  ])('refuses %s', async (_name, sent, code) => {
    const answer = sent.host.startsWith('x.')
      ? await send({ ...sent, host: S3, change: (headers) => (headers['host'] = sent.host) })
      : await send(sent)
    expect(codeOf(answer)).toBe(code)
  })

  it('fails as it is told', async () => {
    acm.fault({ kind: 'error', type: 'SlowDown', status: 503, operation: 'PutObject' })
    acm.putObject('bucket', 'key', Buffer.from('x'))
    expect((await send({ host: S3, path })).text).toBe('x')
    expect(codeOf(await send({ method: 'PUT', host: S3, path, body: 'y' }))).toBe('503 SlowDown')
    acm.fault({ kind: 'refuse' })
    await expect(send({ host: S3, path })).rejects.toThrow()
    acm.fault({ kind: 'truncate', afterBytes: 0 })
    await expect(send({ host: S3, path })).rejects.toThrow()
  })
})

describe('EC2 and ACM', () => {
  const ec2 = (parameters: Record<string, string>, who = credentials): Promise<Answer> =>
    send({
      ...{ method: 'POST', host: 'ec2.eu-west-1.amazonaws.com', service: 'ec2', who },
      body: new URLSearchParams({ Version: '2016-11-15', ...parameters }).toString(),
    })
  const call = async (operation: string, input: object, who = credentials) => {
    const { status, text } = await send({
      ...{ method: 'POST', host: 'acm.eu-west-1.amazonaws.com', service: 'acm', who },
      headers: { 'x-amz-target': `CertificateManager.${operation}` },
      body: JSON.stringify(input),
    })
    return { status, body: JSON.parse(text) as Record<string, unknown> }
  }

  it('stores a bundle where AWS stores it, which the role alone can read, and renews it', async () => {
    const DomainName = 'www.example.com'
    const { body } = await call('RequestCertificate', { DomainName, KeyAlgorithm: 'EC_prime256v1' })
    const CertificateArn = body['CertificateArn'] as string
    const Action = 'AssociateEnclaveCertificateIamRole'
    const answer = await ec2({ Action, CertificateArn, RoleArn: role })
    expect(answer.text).toContain(
      `<certificateS3ObjectKey>${role}/${CertificateArn}</certificateS3ObjectKey>`,
    )
    const [, bucket = ''] = /<certificateS3BucketName>(.*?)</.exec(answer.text) ?? []
    expect(bucket).toBe('aws-ec2-enclave-certificate-eu-west-1-prod')
    const host = `${bucket}.s3.eu-west-1.amazonaws.com`
    const path = `/${`${role}/${CertificateArn}`.split('/').map(encodeURIComponent).join('/')}`
    const read = async (): Promise<Record<string, string>> =>
      JSON.parse((await send({ host, path })).text) as Record<string, string>
    const first = await read()
    expect(Object.keys(first)).toEqual([
      ...['certificate', 'certificateChain', 'encryptedPrivateKey', 'encryptionMethod'],
    ])
    const leaf = new X509Certificate(first['certificate'] ?? '')
    expect(leaf.checkHost('www.example.com')).toBe('www.example.com')
    const [middle = '', root = ''] = (first['certificateChain'] ?? '').split(
      /(?<=END CERTIFICATE-----\n)/,
    )
    expect(leaf.verify(new X509Certificate(middle).publicKey)).toBe(true)
    expect(root).toBe(acm.issuerRoot)
    for (const who of [
      account.issueCredentials({ role: 'else' }),
      other.issueCredentials({ role: 'enclave' }),
    ]) {
      expect(codeOf(await send({ host, path, who }))).toBe('403 AccessDenied')
    }
    expect(codeOf(await send({ method: 'PUT', host, path, body: '{}' }))).toBe('403 AccessDenied')
    await call('RenewCertificate', { CertificateArn })
    const second = await read()
    expect(new X509Certificate(second['certificate'] ?? '').serialNumber).not.toBe(
      leaf.serialNumber,
    )
    expect(second['encryptedPrivateKey']).not.toBe(first['encryptedPrivateKey'])
    await ec2({ Action: 'DisassociateEnclaveCertificateIamRole', CertificateArn, RoleArn: role })
    expect(codeOf(await send({ host, path }))).toBe('404 NoSuchKey')
  })

  it('exports what is exportable, encrypted, and nothing else', async () => {
    const Passphrase = Buffer.from('passphrase').toString('base64')
    const exportable = await acm.createCertificate({ names: ['a.example'], exportable: true })
    const { body } = await call('ExportCertificate', { CertificateArn: exportable, Passphrase })
    const key = createPrivateKey({ key: body['PrivateKey'] as string, passphrase: 'passphrase' })
    expect(new X509Certificate(body['Certificate'] as string).checkPrivateKey(key)).toBe(true)
    const fixed = await acm.createCertificate({ names: ['a.example'] })
    expect(await call('ExportCertificate', { CertificateArn: fixed, Passphrase })).toMatchObject({
      status: 400,
      body: { __type: 'ValidationException' },
    })
    const short = { CertificateArn: exportable, Passphrase: 'YQ==' }
    expect((await call('ExportCertificate', short)).status).toBe(400)
  })

  it('describes a certificate', async () => {
    const CertificateArn = await acm.createCertificate({ names: ['a.example', 'b.example'] })
    const { body } = await call('DescribeCertificate', { CertificateArn })
    expect(body['Certificate']).toMatchObject({
      DomainName: 'a.example',
      SubjectAlternativeNames: ['a.example', 'b.example'],
      Status: 'ISSUED',
    })
    const given = await call('GetCertificate', { CertificateArn })
    expect(new X509Certificate(given.body['Certificate'] as string).checkHost('b.example')).toBe(
      'b.example',
    )
  })

  it('refuse what AWS refuses', async () => {
    const CertificateArn = await acm.createCertificate({ names: ['a.example'] })
    const Action = 'AssociateEnclaveCertificateIamRole'
    const who = other.issueCredentials({ role: 'enclave' })
    expect(codeOf(await ec2({ Action, CertificateArn, RoleArn: role }, who))).toBe(
      '400 InvalidCertificateArn.NotFound',
    )
    expect(codeOf(await ec2({ Action, CertificateArn, RoleArn: 'x' }))).toBe(
      '400 InvalidRoleArn.Malformed',
    )
    expect(codeOf(await ec2({ Action, CertificateArn }))).toBe('400 MissingParameter')
    expect(codeOf(await ec2({ Action: 'RunInstances' }))).toBe('400 InvalidAction')
    const missing = await call('DescribeCertificate', { CertificateArn }, who)
    expect(missing.body['__type']).toBe('ResourceNotFoundException')
    expect((await call('DeleteCertificate', {})).body['__type']).toBe('UnknownOperationException')
    expect(
      (await call('RequestCertificate', { DomainName: 'x', KeyAlgorithm: 'RSA_1024' })).status,
    ).toBe(400)
  })
})

describe('the CA', () => {
  it('answers no request whose signature does not hold, and none without names', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const signer = createSign('sha256').update('something else').sign(privateKey)
    await expect(acm.answerRequest(signer)).rejects.toThrow()
    await expect(acm.answerRequest('text')).rejects.toThrow('expected PKCS #10')
  })
})
