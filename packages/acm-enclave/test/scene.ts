import { generateKeyPairSync } from 'node:crypto'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import { createSimulatedAcm, type SimulatedAcm } from '@enclavejs/simulator/acm'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedAccount,
  type SimulatedCredentials,
  type SimulatedKms,
} from '@enclavejs/simulator/kms'
import type { Connect, GetEvidence } from '@enclavejs/kms-enclave'
import { encodeBundle } from '../src/bundle.ts'
import { writeCertificationRequest } from '../src/certification-request.ts'
import { bundleContext } from '../src/encryption-context.ts'
import { fromBundleObject, type BundleObjectOptions, type CertificateSource } from '../src/index.ts'

export const BUCKET = 'own-bucket'
export const KEY = 'www/bundle.json'
export const ARN: string = `arn:aws:s3:::${BUCKET}/${KEY}`
export const HOST = 'www.example.com'
const PCRS = new Map(
  Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(16 + index)]),
)
const PCR0: string = '10'.repeat(48)
const HOUR = 3_600_000

/** Simulated KMS, S3, ACM and EC2, a role that calls, and an own key for its enclave. */
export interface Scene extends AsyncDisposable {
  readonly account: SimulatedAccount
  readonly kms: SimulatedKms
  readonly acm: SimulatedAcm
  readonly role: string
  credentials: SimulatedCredentials
  readonly getEvidence: GetEvidence
  readonly connect: Connect
  readonly keyArn: string
  /** The clock of everything but TLS. */
  offset: number
  now(): Date
}

export async function openScene(options: { imagePcr0?: string | null } = {}): Promise<Scene> {
  const authority = await createCertificateAuthority()
  const account = createSimulatedAccount()
  const serviceAccount = createSimulatedAccount({ accountId: '999999999999' })
  const kms = await createSimulatedKms({
    accounts: [account, serviceAccount],
    attestationRoots: [authority.trustAnchor],
  })
  const acm = await createSimulatedAcm({ accounts: [account], kms, serviceAccount, ...options })
  acm.createBucket(BUCKET)
  const role = `arn:aws:iam::${account.accountId}:role/enclave`
  const { arn: keyArn } = await kms.createKey({ policy: keyPolicy(account, role) })
  const scene: Scene = {
    ...{ account, kms, acm, role, keyArn },
    credentials: account.issueCredentials({ role: 'enclave' }),
    connect: acm.connect as Connect,
    offset: 0,
    now: () => new Date(Date.now() + scene.offset),
    getEvidence: async ({ publicKey }) =>
      issueAttestationDocument(
        {
          moduleId: authority.moduleId,
          timestamp: authority.now().getTime(),
          pcrs: PCRS,
          publicKey,
        },
        authority.issueLeaf(),
      ),
    async [Symbol.asyncDispose]() {
      await acm.close()
      await kms.close()
    },
  }
  return scene
}

/** Decrypt with PCR0 alone; Encrypt for the account. */
export function keyPolicy(account: SimulatedAccount, role: string, pcr0: string = PCR0): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal: { AWS: role }, Action: 'kms:Encrypt', Resource: '*' },
      {
        Effect: 'Allow',
        Principal: { AWS: role },
        Action: 'kms:Decrypt',
        Resource: '*',
        Condition: { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:PCR0': pcr0 } },
      },
      {
        Effect: 'Allow',
        Principal: { AWS: account.rootArn },
        Action: 'kms:PutKeyPolicy',
        Resource: '*',
      },
    ],
  })
}

/** What a bundle of a test is made of; one thing of it is changed. */
export interface BundleRecipe {
  readonly version?: number
  readonly names?: readonly string[]
  readonly type?: 'rsa' | 'ec'
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** The version and ARN in the encryption context, where they are to be others than the bundle's. */
  readonly contextVersion?: number
  readonly contextArn?: string
  readonly keyArn?: string
  readonly privateKeyPem?: string
  readonly change?: (bundle: Record<string, unknown>) => void
}

/** A bundle as publishing makes it, made without the code that is tested. */
export async function makeBundle(scene: Scene, recipe: BundleRecipe = {}): Promise<Uint8Array> {
  const { version = 1, names = [HOST], type = 'ec', notBefore, notAfter } = recipe
  const { privateKey } =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const request = writeCertificationRequest(privateKey, names)
  const { certificate, certificateChain } = await scene.acm.answerRequest(request, {
    ...(notBefore !== undefined && { notBefore }),
    ...(notAfter !== undefined && { notAfter }),
  })
  const pem = recipe.privateKeyPem ?? privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const encryptedPrivateKey = scene.kms.encrypt(
    recipe.keyArn ?? scene.keyArn,
    Buffer.from(pem),
    bundleContext(recipe.contextArn ?? ARN, recipe.contextVersion ?? version),
  )
  const bytes = encodeBundle({
    ...{ certificate, certificateChain, encryptedPrivateKey, version },
    encryptionMethod: 'SYMMETRIC_DEFAULT',
  })
  if (recipe.change === undefined) return bytes
  const bundle = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
  recipe.change(bundle)
  return new TextEncoder().encode(JSON.stringify(bundle))
}

export function store(scene: Scene, bundle: Uint8Array): void {
  scene.acm.putObject(BUCKET, KEY, bundle)
}

export function ownSource(
  scene: Scene,
  more: Partial<BundleObjectOptions> = {},
): CertificateSource {
  return fromBundleObject({
    bucket: BUCKET,
    key: KEY,
    expectedBucketOwner: scene.account.accountId,
    keyArn: scene.keyArn,
    connect: scene.connect,
    credentials: async () => scene.credentials,
    getEvidence: scene.getEvidence,
    ...more,
  })
}

export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A web server that answers with what it was asked. */
export function webServer(): Server {
  return createServer((request, response) => response.end(`hello ${request.url ?? ''}`))
}

/** Connects, checks the certificate below the simulator's root, and gives the socket. */
export function dialTls(scene: Scene, port: number, servername: string = HOST): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, servername, ca: scene.acm.issuerRoot })
    socket.once('error', reject)
    socket.once('secureConnect', () => resolve(socket))
  })
}

/** One request over an open connection. */
export function ask(socket: TLSSocket, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const done = (error?: Error): void => {
      socket.off('data', read)
      socket.off('error', done)
      socket.off('close', ended)
      if (error === undefined) resolve(text)
      else reject(error)
    }
    const ended = (): void => done(new Error('the connection ended'))
    const read = (chunk: Buffer): void => {
      text += chunk.toString()
      if (text.includes(`hello ${path}`)) done()
    }
    socket.on('data', read)
    socket.once('error', done)
    socket.once('close', ended)
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  })
}

/** What a promise is rejected with: the code of our errors, else the whole as text. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    const { code } = error as { code?: unknown }
    return typeof code === 'string' ? code : String(error)
  }
  return 'nothing'
}

export const hours = (count: number): number => count * HOUR
