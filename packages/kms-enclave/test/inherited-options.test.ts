// What something else in the process put into Object.prototype is no option that anybody gave.
import { createServer } from 'node:net'
import { KMSClient } from '@aws-sdk/client-kms'
import { afterEach, describe, expect, it } from 'vitest'
import { attestKmsClient } from '../src/aws-sdk.ts'
import { openEnvelopeStream } from '../src/envelope/open.ts'
import { sealedEnvelopeStream } from '../src/envelope/seal.ts'
import {
  createEnclaveKmsClient,
  createKmsClient,
  createUnsafeParentClient,
  createVsockCredentials,
  fromImds,
  openAwsEndpoint,
  serveCredentials,
} from '../src/index.ts'
import { createKeyPolicy, verifyKeyPolicy } from '../src/policy.ts'
import { RecipientSource } from '../src/recipient.ts'
import { CREDENTIALS, KEY_ARN } from './kms-server.ts'

const prototype = Object.prototype as Record<string, unknown>
const polluted: string[] = []
afterEach(() => {
  for (const name of polluted.splice(0)) delete prototype[name]
})

function pollute(name: string, value: unknown): void {
  polluted.push(name)
  prototype[name] = value
}

const connect = (): Promise<never> => Promise.reject(new Error('not told'))
const getEvidence = async (): Promise<Uint8Array> => new Uint8Array(1)
const given = { connect, getEvidence, credentials: CREDENTIALS }
const ROLE = 'arn:aws:iam::111122223333:role/enclave'
const PCR = 'ab'.repeat(48)
const pcrs = { 0: PCR, 1: PCR, 2: PCR }

function verify(images: object, condition: object): unknown {
  const statement = {
    ...{ Effect: 'Allow', Principal: { AWS: ROLE }, Action: 'kms:Decrypt', Resource: '*' },
    Condition: { StringEquals: condition },
  }
  return verifyKeyPolicy({
    policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
    grants: { Grants: [], Truncated: false },
    key: {
      Arn: KEY_ARN,
      ...{ KeyManager: 'CUSTOMER', KeyUsage: 'ENCRYPT_DECRYPT', Origin: 'AWS_KMS' },
      MultiRegion: false,
    },
    expected: {
      keyArn: KEY_ARN,
      images: images as { pcrs: typeof pcrs },
      enclaveRoles: [ROLE],
      administrators: [ROLE],
      locked: true,
    },
  })
}

const recipient = ['singleUse', 'maxAgeMs', 'maxCalls', 'modulusLength', 'evidenceDeadlineMs']
const way = ['roots', 'minTlsVersion', 'maxSockets']
const client = ['endpoint', 'dangerouslyUnboundKey', 'maxAttempts', 'now', ...way, ...recipient]
/** Each door, and the options that it does without. */
const doors: Readonly<Record<string, readonly [names: readonly string[], open: () => unknown]>> = {
  createKmsClient: [client, () => createKmsClient({ ...given, keyArn: KEY_ARN }).close()],
  createEnclaveKmsClient: [
    ['connect', 'getEvidence', ...client],
    () => createEnclaveKmsClient({ keyArn: KEY_ARN }).close(),
  ],
  attestKmsClient: [
    [
      ...['endpoint', 'dangerouslyUnboundKey', 'dangerouslyKeepRequestHandler', ...way],
      ...recipient.slice(1),
    ],
    () => {
      const sdk = new KMSClient({ region: 'eu-west-1', credentials: CREDENTIALS })
      attestKmsClient(sdk, { keyArn: KEY_ARN, connect, getEvidence }).destroy()
    },
  ],
  createUnsafeParentClient: [
    ['requestTimeout', 'endpoint', 'dangerouslyUnboundKey', 'maxAgeMs', 'modulusLength'],
    () =>
      createUnsafeParentClient({
        keyArn: KEY_ARN,
        getEvidence,
        unsafeParentTransport: connect,
      }).close(),
  ],
  openAwsEndpoint: [
    ['maxAttempts', 'connectTimeout', 'deadline', ...way],
    () => {
      const where = { host: 'x.s3.eu-west-1.amazonaws.com', region: 'eu-west-1', service: 's3' }
      return openAwsEndpoint({ ...where, connect, credentials: CREDENTIALS }).close()
    },
  ],
  RecipientSource: [['now', ...recipient], () => new RecipientSource({ getEvidence }).close()],
  createVsockCredentials: [['timeout'], () => createVsockCredentials({ connect })],
  fromImds: [['connect', 'role', 'timeout'], () => fromImds()],
  serveCredentials: [
    ['maxConnections', 'timeout'],
    () => serveCredentials(createServer(), async () => CREDENTIALS),
  ],
  sealedEnvelopeStream: [
    ['frameLength'],
    () =>
      sealedEnvelopeStream({
        generateDataKey: connect,
        context: { a: 'b' },
        plaintext: (async function* () {})(),
      }),
  ],
  openEnvelopeStream: [
    ['keyId'],
    () =>
      openEnvelopeStream({
        decrypt: connect,
        context: { a: 'b' },
        envelope: (async function* () {})(),
      }),
  ],
  createKeyPolicy: [
    ['encrypters', 'keyUsage', 'allowDebugMode', 'label'],
    () =>
      createKeyPolicy({
        account: '111122223333',
        images: { pcrs },
        enclaveRoles: [ROLE],
        administrators: [ROLE],
        locked: true,
      }),
  ],
  verifyKeyPolicy: [
    ['currentDate', 'encrypters', 'origin', 'allowMultiRegion', 'allowDebugMode', 'label'],
    () =>
      verify(
        { pcrs },
        Object.fromEntries([0, 1, 2].map((one) => [`kms:RecipientAttestation:PCR${one}`, PCR])),
      ),
  ],
}

describe.each(Object.entries(doors))('%s', (_door, [names, open]) => {
  it.each(names)('does not inherit %s', (name) => {
    // None of these options may be an empty object: read, it would be refused.
    pollute(name, {})
    expect(open).not.toThrow()
  })
})

it('an inherited leave to accept debug mode is none', () => {
  pollute('allowDebugMode', true)
  const signed = { 'kms:RecipientAttestation:PCR8': PCR }
  expect(() => verify({ pcrs: { 8: PCR } }, signed)).toThrow(
    expect.objectContaining({ code: 'ERR_KMS_POLICY_DEBUG_MODE' }) as Error,
  )
})

it('an inherited leave to name an alias is none', () => {
  pollute('dangerouslyUnboundKey', { region: 'eu-west-1' })
  expect(() => createKmsClient({ ...given, keyArn: 'alias/x' })).toThrow(/dangerouslyUnboundKey/)
})

it('an inherited leave to take a key of any account is none', () => {
  const dangerouslyUnboundKey = { region: 'eu-west-1' }
  pollute('anyAccount', true)
  expect(() =>
    createKmsClient({ ...given, keyArn: 'alias/x', dangerouslyUnboundKey }),
  ).not.toThrow()
})

it('an inherited grantee is none', () => {
  pollute('GranteePrincipal', ROLE)
  const grants = { Grants: [{ KeyId: KEY_ARN, Operations: ['Encrypt'] }], Truncated: false }
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [] })
  expect(() =>
    verifyKeyPolicy({
      policy,
      grants,
      key: {
        Arn: KEY_ARN,
        ...{ KeyManager: 'CUSTOMER', KeyUsage: 'ENCRYPT_DECRYPT', Origin: 'AWS_KMS' },
        MultiRegion: false,
      },
      expected: {
        ...{ keyArn: KEY_ARN, images: { pcrs }, enclaveRoles: [ROLE], administrators: [ROLE] },
        locked: true,
      },
    }),
  ).toThrow(expect.objectContaining({ code: 'ERR_KMS_POLICY_GRANT' }) as Error)
})
