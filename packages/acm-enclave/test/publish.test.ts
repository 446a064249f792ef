import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  associateCertificate,
  associatedRoleStatements,
  createAcmCertificate,
  createCertificateRequest,
  decodeBundle,
  disassociateCertificate,
  fromAssociatedCertificate,
  getAssociatedRoles,
  importExportableCertificate,
  ownRoleStatements,
  publishCertificate,
  type AcmCertificate,
  type PublishOptions,
} from '../src/index.ts'
import { storeBundle } from '../src/publish.ts'
import {
  ARN,
  ask,
  BUCKET,
  dialTls,
  failure,
  HOST,
  hours,
  KEY,
  listen,
  openScene,
  ownSource,
  webServer,
  type Scene,
} from './scene.ts'

let scene: Scene
let folder: string
const open: { close(): unknown }[] = []
beforeAll(async () => {
  scene = await openScene()
  folder = mkdtempSync(join(tmpdir(), 'acm-'))
})
afterAll(async () => {
  await scene[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})
afterEach(async () => {
  scene.acm.clearFaults()
  for (const one of open.splice(0)) await one.close()
})

function at(more: Partial<PublishOptions> = {}): PublishOptions {
  return {
    bucket: BUCKET,
    key: KEY,
    expectedBucketOwner: scene.account.accountId,
    keyArn: scene.keyArn,
    connect: scene.connect,
    credentials: scene.credentials,
    getEvidence: scene.getEvidence,
    ...more,
  }
}

async function load(source = ownSource(scene)): Promise<AcmCertificate> {
  const certificate = await createAcmCertificate({ source, hostNames: [HOST], startTimeoutMs: 0 })
  open.push(certificate)
  return certificate
}

describe('a request', () => {
  it.each(['EC_prime256v1', 'EC_secp384r1', 'RSA_2048'] as const)(
    'of %s is one that OpenSSL verifies',
    async (keyAlgorithm) => {
      const hostNames = [HOST, '*.example.org']
      const request = await createCertificateRequest({ hostNames, keyAlgorithm })
      const file = join(folder, 'request.pem')
      writeFileSync(file, request.pem)
      const text = execFileSync('openssl', ['req', '-in', file, '-verify', '-noout', '-text'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      expect(text).toContain('DNS:www.example.com, DNS:*.example.org')
      expect(text).toMatch(/Subject: CN ?= ?www\.example\.com/)
      expect(JSON.stringify(request)).not.toContain('PRIVATE')
    },
  )

  it('leaves a name of more than 64 characters to subjectAltName', async () => {
    const name = `${'a'.repeat(60)}.${'b'.repeat(20)}.example.com`
    const { pem } = await createCertificateRequest({ hostNames: [name] })
    const { certificate } = await scene.acm.answerRequest(pem)
    expect(new X509Certificate(certificate).checkHost(name)).toBe(name)
  })

  it.each([[[]], [['a b']], [['example']], [Array.from({ length: 101 }, () => HOST)]])(
    'is not made for %j',
    async (hostNames) => {
      await expect(createCertificateRequest({ hostNames })).rejects.toThrow('hostNames')
    },
  )

  it('is not made with a key that ACM does not know', async () => {
    const keyAlgorithm = 'RSA_1024' as 'RSA_2048'
    const made = createCertificateRequest({ hostNames: [HOST], keyAlgorithm })
    await expect(made).rejects.toThrow('keyAlgorithm')
  })
})

describe('publishing', () => {
  it.each(['EC_secp384r1', 'RSA_2048', 'RSA_4096'] as const)(
    'stores what is then served, %s',
    async (keyAlgorithm) => {
      const request = await createCertificateRequest({ hostNames: [HOST], keyAlgorithm })
      const issued = await scene.acm.answerRequest(request.pem)
      const published = await publishCertificate(request, issued, at())
      expect(published).toMatchObject({ arn: ARN, bucket: BUCKET, key: KEY })
      const certificate = await load()
      expect(certificate.state.version).toBe(published.version)
      const server = webServer()
      open.push(server)
      await certificate.attach(server)
      const port = await listen(server)
      const socket = await dialTls(scene, port)
      expect(await ask(socket, '/published')).toContain('200 OK')
      socket.destroy()
    },
  )

  it('counts versions, and is a renewal for those who serve', async () => {
    const first = await createCertificateRequest({ hostNames: [HOST] })
    const { version } = await publishCertificate(
      first,
      await scene.acm.answerRequest(first.pem),
      at(),
    )
    const certificate = await load()
    const second = await createCertificateRequest({ hostNames: [HOST] })
    const issued = await scene.acm.answerRequest(second.pem)
    expect((await publishCertificate(second, issued, at())).version).toBe(version + 1)
    await certificate.refresh()
    expect(certificate.state.version).toBe(version + 1)
    const stored = decodeBundle(scene.acm.getObject(BUCKET, KEY) as Uint8Array)
    expect(stored).toMatchObject({ version: version + 1, encryptionMethod: 'SYMMETRIC_DEFAULT' })
    const sent = scene.kms.requests.filter(({ operation }) => operation === 'Encrypt').at(-1)
    const { EncryptionContext } = JSON.parse(new TextDecoder().decode(sent?.body)) as {
      EncryptionContext: unknown
    }
    expect(EncryptionContext).toEqual({
      'enclavejs:purpose': 'tls-private-key',
      'enclavejs:arn': ARN,
      'enclavejs:version': String(version + 1),
    })
  })

  it('is refused with the certificate of another request', async () => {
    const request = await createCertificateRequest({ hostNames: [HOST] })
    const other = await createCertificateRequest({ hostNames: [HOST] })
    const issued = await scene.acm.answerRequest(other.pem)
    expect(await failure(publishCertificate(request, issued, at()))).toBe('ERR_ACM_REQUEST')
  })

  it('is refused with a certificate for other names, or that has ended', async () => {
    const request = await createCertificateRequest({ hostNames: [HOST] })
    const ended = { notBefore: new Date(Date.now() - hours(9)), notAfter: new Date(0) }
    const issued = await scene.acm.answerRequest(request.pem, ended)
    expect(await failure(publishCertificate(request, issued, at()))).toBe('ERR_ACM_EXPIRED')
  })

  it('is refused into another account’s bucket, and with a role that may not', async () => {
    const request = await createCertificateRequest({ hostNames: [HOST] })
    const issued = await scene.acm.answerRequest(request.pem)
    const owner = at({ expectedBucketOwner: '555555555555' })
    expect(await failure(publishCertificate(request, issued, owner))).toBe('ERR_ACM_OBJECT_DENIED')
    const credentials = scene.account.issueCredentials({ role: 'other' })
    const denied = publishCertificate(request, issued, at({ credentials }))
    expect(await failure(denied)).toBe('ERR_ACM_DENIED')
  })

  it('needs bucket, owner and key by name', async () => {
    const request = await createCertificateRequest({ hostNames: [HOST] })
    const issued = await scene.acm.answerRequest(request.pem)
    for (const [name, value] of [
      ['bucket', 'A_B'],
      ['key', ''],
      ['expectedBucketOwner', '1'],
      ['keyArn', 'alias/x'],
      ['region', '..'],
      ['arn', 'x'],
      ['version', 0],
    ] as const) {
      const options = at({ [name]: value })
      await expect(publishCertificate(request, issued, options), name).rejects.toThrow(name)
    }
  })
})

describe('an associated certificate', () => {
  const way = () => ({ connect: scene.connect, credentials: scene.credentials })

  it('is associated, said, and disassociated', async () => {
    const certificateArn = await scene.acm.createCertificate({ names: [HOST] })
    const one = { certificateArn, roleArn: scene.role, ...way() }
    const made = await associateCertificate(one)
    expect(made).toEqual({
      AssociatedRoleArn: scene.role,
      CertificateS3BucketName: 'aws-ec2-enclave-certificate-eu-west-1-prod',
      CertificateS3ObjectKey: `${scene.role}/${certificateArn}`,
      EncryptionKmsKeyId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    })
    expect(await getAssociatedRoles({ certificateArn, ...way() })).toEqual([made])
    expect(associatedRoleStatements(made, 'eu-west-1').map(({ Resource }) => Resource)).toEqual([
      `arn:aws:s3:::${made.CertificateS3BucketName}/${made.CertificateS3ObjectKey}`,
      `arn:aws:kms:eu-west-1:*:key/${made.EncryptionKmsKeyId}`,
    ])
    await disassociateCertificate(one)
    expect(await getAssociatedRoles({ certificateArn, ...way() })).toEqual([])
    await expect(disassociateCertificate(one)).rejects.toMatchObject({
      code: 'ERR_ACM_SERVICE',
      serviceCode: 'InvalidAssociation.NotFound',
    })
  })

  it('is one of sixteen at most, and of this account', async () => {
    const certificateArn = await scene.acm.createCertificate({ names: [HOST] })
    for (let index = 0; index < 16; index++) {
      await associateCertificate({ certificateArn, roleArn: `${scene.role}${index}`, ...way() })
    }
    const more = associateCertificate({ certificateArn, roleArn: scene.role, ...way() })
    await expect(more).rejects.toMatchObject({ serviceCode: 'AssociationLimitExceeded' })
    const other = certificateArn.replace(/[^/]*$/, 'none')
    const missing = associateCertificate({ certificateArn: other, roleArn: scene.role, ...way() })
    await expect(missing).rejects.toThrow('is not in this account and region')
  })

  it('cannot be decrypted by an image that is not AWS’s, and the error says why', async () => {
    const certificateArn = await scene.acm.createCertificate({ names: [HOST] })
    const at = await associateCertificate({ certificateArn, roleArn: scene.role, ...way() })
    const source = fromAssociatedCertificate({
      ...{ certificateArn, roleArn: scene.role, getEvidence: scene.getEvidence, ...way() },
      encryptionKmsKeyId: at.EncryptionKmsKeyId,
    })
    await expect(load(source)).rejects.toMatchObject({
      code: 'ERR_ACM_ASSOCIATED_KEY',
      message: expect.stringContaining('enclavejs acm publish') as string,
    })
  })

  it.each(['EC_prime256v1', 'RSA_2048'] as const)(
    'is served and renewed where the policy lets it, %s',
    async (keyAlgorithm) => {
      await using aws = await openScene({ imagePcr0: '10'.repeat(48) })
      const certificateArn = await aws.acm.createCertificate({ names: [HOST], keyAlgorithm })
      const reached = { connect: aws.connect, credentials: aws.credentials }
      const at = await associateCertificate({ certificateArn, roleArn: aws.role, ...reached })
      const source = fromAssociatedCertificate({
        ...{ certificateArn, roleArn: aws.role, getEvidence: aws.getEvidence, ...reached },
        encryptionKmsKeyId: at.EncryptionKmsKeyId,
      })
      const certificate = await load(source)
      const { serialNumber } = certificate.state
      await aws.acm.renew(certificateArn)
      await certificate.refresh()
      expect(certificate.state.serialNumber).not.toBe(serialNumber)
      const decrypt = aws.kms.requests.find(({ operation }) => operation === 'Decrypt')
      const sent = JSON.parse(new TextDecoder().decode(decrypt?.body)) as Record<string, unknown>
      expect(sent).not.toHaveProperty('KeyId')
      expect(sent).not.toHaveProperty('EncryptionContext')
    },
  )

  it('under another key than the one it should be is refused', async () => {
    await using aws = await openScene({ imagePcr0: null })
    const certificateArn = await aws.acm.createCertificate({ names: [HOST] })
    const reached = { connect: aws.connect, credentials: aws.credentials }
    await associateCertificate({ certificateArn, roleArn: aws.role, ...reached })
    const source = fromAssociatedCertificate({
      ...{ certificateArn, roleArn: aws.role, getEvidence: aws.getEvidence, ...reached },
      encryptionKmsKeyId: '00000000-0000-0000-0000-000000000000',
    })
    expect(await failure(load(source))).toBe('ERR_ACM_FOREIGN_KEY')
  })

  it('needs ARNs', () => {
    const options = { certificateArn: 'x', roleArn: 'x', encryptionKmsKeyId: 'x' }
    expect(() => fromAssociatedCertificate(options)).toThrow('certificateArn')
    const certificateArn = 'arn:aws:acm:eu-west-1:123456789012:certificate/x'
    expect(() => fromAssociatedCertificate({ ...options, certificateArn })).toThrow('roleArn')
    const more = { ...options, certificateArn, roleArn: scene.role }
    expect(() => fromAssociatedCertificate(more)).toThrow('keyArn')
  })
})

describe('an exportable certificate', () => {
  it('is imported under its ARN, and served', async () => {
    const certificateArn = await scene.acm.createCertificate({ names: [HOST], exportable: true })
    const published = await importExportableCertificate({ certificateArn, ...at() })
    expect(published.arn).toBe(certificateArn)
    const certificate = await load(ownSource(scene, { arn: certificateArn }))
    expect(certificate.state.version).toBe(published.version)
  })

  it('that is not exportable is refused by ACM', async () => {
    const certificateArn = await scene.acm.createCertificate({ names: [HOST] })
    await expect(importExportableCertificate({ certificateArn, ...at() })).rejects.toMatchObject({
      code: 'ERR_ACM_SERVICE',
      serviceCode: 'ValidationException',
    })
  })

  it('with a key that no server has is not stored', async () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const issued = { certificate: '', certificateChain: '' }
    const stored = storeBundle(privateKey, [HOST], issued, at({ key: 'none' }))
    expect(await failure(stored)).toBe('ERR_ACM_KEY_KIND')
    expect(scene.acm.getObject(BUCKET, 'none')).toBeUndefined()
  })

  it('is refused where ACM answers with something else', async () => {
    const certificateArn = await scene.acm.createCertificate({ names: [HOST], exportable: true })
    const body = JSON.stringify({ Certificate: 'x', CertificateChain: '', PrivateKey: 'x' })
    scene.acm.fault({ kind: 'raw-body', body, operation: 'ExportCertificate' })
    expect(await failure(importExportableCertificate({ certificateArn, ...at() }))).toBe(
      'ERR_ACM_SERVICE',
    )
  })
})

it('the role of an own bundle needs these permissions', () => {
  const statements = ownRoleStatements(at(), { publish: true })
  expect(statements).toEqual([
    {
      Sid: 'Bundle',
      Effect: 'Allow',
      Action: ['s3:GetObject', 's3:PutObject'],
      Resource: `arn:aws:s3:::${BUCKET}/${KEY}`,
    },
    { Sid: 'Key', Effect: 'Allow', Action: ['kms:Decrypt', 'kms:Encrypt'], Resource: scene.keyArn },
  ])
  expect(ownRoleStatements(at())[1]?.Action).toEqual(['kms:Decrypt'])
})
