import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { connect as tlsConnect } from 'node:tls'
import { Agent, request as httpsRequest } from 'node:https'
import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms'
import {
  createCertificateAuthority,
  issueAttestationDocument,
  type CertificateAuthority,
} from '../../src/index.ts'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedAccount,
  type SimulatedCredentials,
  type SimulatedKms,
  type SimulatedKmsOptions,
} from '../../src/kms.ts'

/** AWS's own client, with a connection of its own to the simulated KMS. */
export function sdkClient(
  kms: SimulatedKms,
  credentials: SimulatedCredentials,
  options: KMSClientConfig & { servername?: string } = {},
): KMSClient {
  const { servername = `kms.${kms.region}.amazonaws.com`, ...config } = options
  const agent = new Agent({ keepAlive: true, ca: kms.ca, servername })
  agent.createConnection = () => {
    const address = kms.address()
    return tlsConnect({ ...address, servername, ca: kms.ca })
  }
  return new KMSClient({
    region: kms.region,
    credentials,
    maxAttempts: 1,
    requestHandler: { httpsAgent: agent, requestTimeout: 20_000 },
    ...config,
  })
}

/** A recipient: an RSA key and what is needed for documents over it. */
export interface TestRecipient {
  readonly privateKey: KeyObject
  readonly publicKey: Uint8Array
  document(change?: Partial<Parameters<typeof issueAttestationDocument>[0]>): Uint8Array
}

export function testRecipient(
  authority: CertificateAuthority,
  modulusLength = 2048,
): TestRecipient {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  return {
    privateKey,
    publicKey: spki,
    document: (change = {}) =>
      issueAttestationDocument(
        {
          moduleId: authority.moduleId,
          timestamp: authority.now().getTime(),
          pcrs: pcrs(1),
          publicKey: spki,
          ...change,
        },
        authority.issueLeaf(),
      ),
  }
}

/** PCR0 to PCR15; each of 48 octets, `seed` and the index. */
export function pcrs(seed: number): Map<number, Uint8Array> {
  return new Map(
    Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(seed * 16 + index)]),
  )
}

export function pcrHex(seed: number, index: number): string {
  return Buffer.from(pcrs(seed).get(index) ?? []).toString('hex')
}

export interface Setup {
  readonly kms: SimulatedKms
  readonly account: SimulatedAccount
  readonly other: SimulatedAccount
  readonly authority: CertificateAuthority
  readonly credentials: SimulatedCredentials
}

export const ROLE = 'arn:aws:iam::123456789012:role/enclave'

/** A KMS with two accounts and the credentials of a role of the first. */
export async function setup(options: Partial<SimulatedKmsOptions> = {}): Promise<Setup> {
  const clock = options.now === undefined ? {} : { now: options.now }
  const authority = await createCertificateAuthority(clock)
  const account = createSimulatedAccount(clock)
  const other = createSimulatedAccount({ accountId: '999999999999', ...clock })
  const kms = await createSimulatedKms({
    accounts: [account, other],
    attestationRoots: [authority.trustAnchor],
    ...options,
  })
  const credentials = account.issueCredentials({ role: 'enclave' })
  return { kms, account, other, authority, credentials }
}

/** The `__type`, or the name that the SDK makes of it. */
export async function refusal(
  promise: Promise<unknown>,
): Promise<{ name: string; message: string }> {
  try {
    await promise
  } catch (error) {
    const { name, message } = error as Error
    return { name, message }
  }
  throw new Error('a refusal was expected')
}

export interface WireAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** One request as it is given, on a connection of its own. */
export async function wire(
  kms: SimulatedKms,
  input: {
    readonly headers: Record<string, string>
    readonly body: string | Uint8Array
    readonly method?: string
    readonly path?: string
  },
): Promise<WireAnswer> {
  const { headers, body, method = 'POST', path = '/' } = input
  const servername = `kms.${kms.region}.amazonaws.com`
  const socket = await kms.connect(servername, 443)
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      method,
      path,
      headers,
      setHost: false,
      createConnection: () => tlsConnect({ socket, servername, ca: kms.ca }),
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts).toString(),
        }),
      )
    })
    request.end(body)
  })
}
