import { generateKeyPairSync } from 'node:crypto'
import { Duplex } from 'node:stream'
import { createSimulatedAccount } from '@enclavejs/simulator/kms'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  createAcmCertificate,
  fromAssociatedCertificate,
  fromBytes,
  type AcmCertificate,
  type AcmCertificateOptions,
  type BundleObjectOptions,
} from '../src/index.ts'
import {
  ARN,
  BUCKET,
  failure,
  HOST,
  hours,
  KEY,
  keyPolicy,
  makeBundle,
  openScene,
  ownSource,
  store,
  type BundleRecipe,
  type Scene,
} from './scene.ts'

const QUICK = { requestTimeout: 700, handshakeTimeout: 700, connectTimeout: 700, maxAttempts: 1 }

let scene: Scene
const open: AcmCertificate[] = []
beforeAll(async () => {
  scene = await openScene()
})
afterAll(() => scene[Symbol.asyncDispose]())
afterEach(async () => {
  scene.acm.clearFaults()
  scene.kms.clearFaults()
  scene.credentials = scene.account.issueCredentials({ role: 'enclave' })
  for (const one of open.splice(0)) await one.close()
})

async function load(
  source: Partial<BundleObjectOptions> = {},
  options: Partial<AcmCertificateOptions> = {},
): Promise<AcmCertificate> {
  const certificate = await createAcmCertificate({
    source: ownSource(scene, { ...QUICK, ...source }),
    hostNames: [HOST],
    startTimeoutMs: 0,
    ...options,
  })
  open.push(certificate)
  return certificate
}

/** What becomes of a bundle at the start, and of the same in the place of a good one. */
async function refusal(recipe: BundleRecipe, options: Partial<AcmCertificateOptions> = {}) {
  store(scene, await makeBundle(scene, recipe))
  const atStart = await failure(load({}, options))
  store(scene, await makeBundle(scene, { version: 1 }))
  const certificate = await load({}, options)
  const { serialNumber } = certificate.state
  store(scene, await makeBundle(scene, { version: 2, ...recipe }))
  const asRenewal = await failure(certificate.refresh())
  expect(certificate.state).toMatchObject({ status: 'serving', serialNumber, failures: 1 })
  return [atStart, asRenewal]
}

describe('a bundle that somebody else put there', () => {
  it('under another KMS key', async () => {
    const { arn } = await scene.kms.createKey({ policy: keyPolicy(scene.account, scene.role) })
    expect(await refusal({ keyArn: arn })).toEqual(['ERR_ACM_FOREIGN_KEY', 'ERR_ACM_FOREIGN_KEY'])
  })

  it('under a key of another account', async () => {
    const { arn } = await scene.kms.createKey({
      accountId: '999999999999',
      policy: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }],
      }),
    })
    expect(await refusal({ keyArn: arn })).toEqual(['ERR_ACM_FOREIGN_KEY', 'ERR_ACM_FOREIGN_KEY'])
  })

  it.each<[string, BundleRecipe]>([
    ['for another object', { contextArn: `${ARN}.other` }],
    ['of another version than it says', { contextVersion: 9 }],
    [
      'changed in its ciphertext',
      {
        change: (bundle) => {
          const blob = Buffer.from(bundle['encryptedPrivateKey'] as string, 'base64')
          blob[blob.length - 1] = (blob[blob.length - 1] ?? 0) ^ 1
          bundle['encryptedPrivateKey'] = blob.toString('base64')
        },
      },
    ],
    [
      'cut in its ciphertext',
      {
        change: (bundle) => {
          const blob = Buffer.from(bundle['encryptedPrivateKey'] as string, 'base64')
          bundle['encryptedPrivateKey'] = blob.subarray(0, 80).toString('base64')
        },
      },
    ],
  ])('%s', async (_name, recipe) => {
    expect(await refusal(recipe)).toEqual(['ERR_ACM_CIPHERTEXT', 'ERR_ACM_CIPHERTEXT'])
  })

  it('for another name', async () => {
    const code = 'ERR_ACM_NAME'
    expect(await refusal({ names: ['www.example.net'] })).toEqual([code, code])
  })

  it('that has ended, or has not begun', async () => {
    const now = Date.now()
    const ended = { notBefore: new Date(now - hours(9)), notAfter: new Date(now - hours(1)) }
    expect(await refusal(ended)).toEqual(['ERR_ACM_EXPIRED', 'ERR_ACM_EXPIRED'])
    const code = 'ERR_ACM_NOT_YET_VALID'
    expect(await refusal({ notBefore: new Date(now + hours(1)) })).toEqual([code, code])
  })

  it('below another root', async () => {
    const other = await openScene()
    const anchors = { trustAnchors: [other.acm.issuerRoot] }
    store(scene, await makeBundle(scene))
    expect(await failure(load({}, anchors))).toBe('ERR_ACM_PATH')
    expect((await load({}, { trustAnchors: [scene.acm.issuerRoot] })).state.status).toBe('serving')
    await other[Symbol.asyncDispose]()
  })

  it('with the certificate of another key', async () => {
    const notBefore = new Date(Date.now() - hours(0.5))
    const other = new TextDecoder().decode(await makeBundle(scene, { notBefore }))
    const { certificate } = JSON.parse(other) as Record<string, string>
    const code = 'ERR_ACM_KEY_MISMATCH'
    const change = (bundle: Record<string, unknown>): void => {
      bundle['certificate'] = certificate
    }
    expect(await refusal({ change })).toEqual([code, code])
  })

  it('with what is no key, or none for a server', async () => {
    const form = 'ERR_ACM_KEY_FORM'
    expect(await refusal({ privateKeyPem: 'text' })).toEqual([form, form])
    const ed25519 = generateKeyPairSync('ed25519').privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    })
    const kind = 'ERR_ACM_KEY_KIND'
    expect(await refusal({ privateKeyPem: ed25519.toString() })).toEqual([kind, kind])
  })

  it('without a version', async () => {
    const change = (bundle: Record<string, unknown>): void => void delete bundle['version']
    const code = 'ERR_ACM_BUNDLE_VERSION'
    expect(await refusal({ change })).toEqual([code, code])
  })

  it('cut off, and beyond measure', async () => {
    const bundle = await makeBundle(scene)
    store(scene, bundle.subarray(0, bundle.length - 9))
    expect(await failure(load())).toBe('ERR_ACM_BUNDLE_JSON')
    store(scene, new Uint8Array(70_000).fill(0x20))
    expect(await failure(load())).toBe('ERR_ACM_BUNDLE_SIZE')
  })
})

describe('an old bundle', () => {
  it('is not taken after a renewal, by its version', async () => {
    const first = await makeBundle(scene, { version: 1 })
    store(scene, first)
    const certificate = await load()
    store(scene, await makeBundle(scene, { version: 2 }))
    await certificate.refresh()
    const { serialNumber } = certificate.state
    const { Decrypt: before } = scene.kms.counters.operations
    store(scene, first)
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_ROLLBACK')
    expect(scene.kms.counters.operations['Decrypt']).toBe(before)
    expect(certificate.state).toMatchObject({ serialNumber, version: 2 })
  })

  it('is not taken with a version that it does not have', async () => {
    const first = await makeBundle(scene, { version: 1, change: (one) => (one['version'] = '3') })
    store(scene, await makeBundle(scene, { version: 2 }))
    const certificate = await load()
    store(scene, first)
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_CIPHERTEXT')
  })

  it('is not taken with the newest key, by the begin of its certificate', async () => {
    const older = new Date(Date.now() - hours(100))
    store(scene, await makeBundle(scene, { version: 5 }))
    const certificate = await load()
    store(scene, await makeBundle(scene, { version: 6, notBefore: older }))
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_ROLLBACK')
  })

  it('is not taken beside another of its version', async () => {
    store(scene, await makeBundle(scene, { version: 5 }))
    const certificate = await load()
    store(scene, await makeBundle(scene, { version: 5 }))
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_ROLLBACK')
  })

  it('is taken at the start, unless the image says a least version', async () => {
    store(scene, await makeBundle(scene, { version: 3 }))
    expect((await load()).state.version).toBe(3)
    expect(await failure(load({}, { leastVersion: 4 }))).toBe('ERR_ACM_ROLLBACK')
  })

  it('of AWS is told by its certificate', async () => {
    await using aws = await openScene({ imagePcr0: null })
    const certificateArn = await aws.acm.createCertificate({ names: [HOST] })
    const { associateCertificate } = await import('../src/index.ts')
    const way = { connect: aws.connect, credentials: aws.credentials }
    const at = await associateCertificate({ certificateArn, roleArn: aws.role, ...way })
    const source = fromAssociatedCertificate({
      ...{ certificateArn, roleArn: aws.role, getEvidence: aws.getEvidence, ...way },
      encryptionKmsKeyId: at.EncryptionKmsKeyId,
    })
    const { CertificateS3BucketName: bucket, CertificateS3ObjectKey: key } = at
    const first = aws.acm.getObject(bucket, key) as Uint8Array
    await using certificate = await createAcmCertificate({ source, hostNames: [HOST] })
    await aws.acm.renew(certificateArn)
    await certificate.refresh()
    const { serialNumber } = certificate.state
    aws.acm.putObject(bucket, key, first)
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_ROLLBACK')
    expect(certificate.state.serialNumber).toBe(serialNumber)
  })
})

describe('a parent that gives other credentials', () => {
  it('of another account cannot read the bucket', async () => {
    store(scene, await makeBundle(scene))
    const stranger = createSimulatedAccount({ accountId: '555555555555' })
    const credentials = stranger.issueCredentials({ role: 'enclave' })
    expect(await failure(load({ credentials }))).toBe('ERR_ACM_CREDENTIALS')
  })

  it('of another role cannot decrypt', async () => {
    store(scene, await makeBundle(scene))
    const credentials = scene.account.issueCredentials({ role: 'other' })
    expect(await failure(load({ credentials }))).toBe('ERR_ACM_DENIED')
  })

  it('never, or none at all', async () => {
    store(scene, await makeBundle(scene))
    const never = (): Promise<never> => new Promise(() => undefined)
    expect(await failure(load({ credentials: never, deadline: 700 }))).toBe('ERR_ACM_STORE')
    const none = (): Promise<never> => Promise.reject(new Error('none'))
    expect(await failure(load({ credentials: none }))).toBe('ERR_ACM_CREDENTIALS')
  })

  it('cannot put another’s bucket in its place', async () => {
    store(scene, await makeBundle(scene))
    expect(await failure(load({ expectedBucketOwner: '555555555555' }))).toBe(
      'ERR_ACM_OBJECT_DENIED',
    )
    const last = scene.acm.requests.at(-1)
    expect(last?.headers['x-amz-expected-bucket-owner']).toBe('555555555555')
  })
})

describe('a parent in the middle', () => {
  it('cannot answer for S3: the certificate must be below the roots', async () => {
    store(scene, await makeBundle(scene))
    await using other = await openScene()
    store(other, await makeBundle(other))
    const roots = [scene.acm.ca, scene.kms.ca]
    const connect = Object.assign(other.connect.bind(undefined), { roots })
    expect(await failure(load({ connect, roots }))).toBe('ERR_ACM_STORE')
    expect(other.acm.requests).toEqual([])
  })

  it.each<[string, (stream: Duplex) => Duplex]>([
    ['that ends every stream', (stream) => stream.destroy()],
    [
      'that never says a byte',
      (stream) => {
        stream.destroy()
        return new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
      },
    ],
  ])('%s', async (_name, change) => {
    store(scene, await makeBundle(scene))
    const connect = Object.assign(
      async (...args: Parameters<typeof scene.connect>) => change(await scene.connect(...args)),
      { roots: scene.connect.roots ?? [] },
    )
    expect(await failure(load({ connect }))).toBe('ERR_ACM_STORE')
  })

  it('that never opens a stream', async () => {
    const connect = Object.assign(() => new Promise<never>(() => undefined), {
      roots: scene.connect.roots ?? [],
    })
    expect(await failure(load({ connect }))).toBe('ERR_ACM_STORE')
  })

  it.each<[string, Parameters<Scene['acm']['fault']>[0], string]>([
    ['a stall in the head', { kind: 'stall', part: 'head' }, 'ERR_ACM_STORE'],
    ['a stall in the body', { kind: 'stall', part: 'body' }, 'ERR_ACM_STORE'],
    ['a cut in the body', { kind: 'truncate' }, 'ERR_ACM_STORE'],
    ['a reset in the body', { kind: 'reset' }, 'ERR_ACM_STORE'],
    ['a byte now and then', { kind: 'slow', chunkBytes: 1, chunkDelayMs: 50 }, 'ERR_ACM_STORE'],
    ['a body without end', { kind: 'huge-body', bytes: 10_000_000 }, 'ERR_ACM_BUNDLE_SIZE'],
    ['a head without end', { kind: 'huge-headers', bytes: 1_000_000 }, 'ERR_ACM_BUNDLE_SIZE'],
    ['a page of HTML', { kind: 'raw-body', body: '<html>', status: 502 }, 'ERR_ACM_STORE'],
    ['a page of HTML that says 200', { kind: 'raw-body', body: '<html>' }, 'ERR_ACM_BUNDLE_JSON'],
    ['a redirect', { kind: 'error', type: 'PermanentRedirect', status: 301 }, 'ERR_ACM_OBJECT'],
  ])('of S3, %s', async (_name, fault, code) => {
    store(scene, await makeBundle(scene))
    scene.acm.fault({ ...fault, times: Infinity })
    expect(await failure(load())).toBe(code)
  })

  it.each<[string, Parameters<Scene['kms']['fault']>[0], string]>([
    ['a stall in the head', { kind: 'stall', part: 'head' }, 'ERR_ACM_KMS'],
    ['a stall in the body', { kind: 'stall', part: 'body' }, 'ERR_ACM_KMS'],
    ['a cut in the body', { kind: 'truncate' }, 'ERR_ACM_KMS'],
    ['a reset in the body', { kind: 'reset' }, 'ERR_ACM_KMS'],
    ['a byte now and then', { kind: 'slow', chunkBytes: 1, chunkDelayMs: 50 }, 'ERR_ACM_KMS'],
    ['a body without end', { kind: 'huge-body', bytes: 10_000_000 }, 'ERR_ACM_KMS'],
    ['a key in the open', { kind: 'ignore-recipient' }, 'ERR_ACM_KMS'],
    ['another key’s answer', { kind: 'wrong-key-id' }, 'ERR_ACM_FOREIGN_KEY'],
    ['a changed envelope', { kind: 'malformed-cms' }, 'ERR_ACM_KMS'],
  ])('of KMS, %s', async (_name, fault, code) => {
    store(scene, await makeBundle(scene))
    scene.kms.fault({ ...fault, times: Infinity, operation: 'Decrypt' })
    expect(await failure(load())).toBe(code)
  })
})

describe('bytes that the parent hands in', () => {
  const fromParent = (read: () => Promise<Uint8Array>, more: object = {}) =>
    load(
      {},
      {
        source: fromBytes({
          ...{ read, keyArn: scene.keyArn, arn: ARN, connect: scene.connect, ...QUICK },
          ...{ credentials: scene.credentials, getEvidence: scene.getEvidence },
          ...more,
        }),
      },
    )

  it('are served, and renewed, without S3', async () => {
    let bytes = await makeBundle(scene)
    scene.acm.clearRequests()
    const certificate = await fromParent(async () => bytes)
    const { serialNumber } = certificate.state
    await certificate.refresh()
    expect(certificate.state.serialNumber).toBe(serialNumber)
    const first = bytes
    bytes = await makeBundle(scene, { version: 2 })
    await certificate.refresh()
    expect(certificate.state.version).toBe(2)
    bytes = first
    expect(await failure(certificate.refresh())).toBe('ERR_ACM_ROLLBACK')
    expect(scene.acm.requests).toEqual([])
  })

  it('are copied', async () => {
    const bytes = await makeBundle(scene)
    const certificate = fromParent(async () => {
      setImmediate(() => bytes.fill(0))
      return bytes
    })
    expect((await certificate).state.status).toBe('serving')
  })

  it.each<[string, () => Promise<Uint8Array>, string]>([
    ['not there', async () => Promise.reject(new Error('no')), 'ERR_ACM_BYTES'],
    ['never there', () => new Promise(() => undefined), 'ERR_ACM_BYTES'],
    ['a text', async () => 'text' as unknown as Uint8Array, 'ERR_ACM_BYTES'],
    ['too many', async () => new Uint8Array(70_000), 'ERR_ACM_BUNDLE_SIZE'],
    ['another’s', async () => new Uint8Array(70), 'ERR_ACM_BUNDLE_JSON'],
  ])('are refused: %s', async (_name, read, code) => {
    expect(await failure(fromParent(read, { readTimeout: 200 }))).toBe(code)
  })
})

it('an object that is not there is said to be so', async () => {
  expect(await failure(load({ key: 'other' }))).toBe('ERR_ACM_OBJECT_MISSING')
  expect(await failure(load({ bucket: 'no-such-bucket' }))).toBe('ERR_ACM_OBJECT_MISSING')
  expect(scene.acm.getObject(BUCKET, KEY)).toBeDefined()
})
