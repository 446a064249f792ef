// The parent instance as what an enclave has nobody else for: its network, its credentials, its clock, and, where the enclave let it,
// its caller of KMS. Each lie ends in a refusal of its own. The parts are taken one by one in packages/kms-enclave/test.
import { createServer } from 'node:http'
import { request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  createKmsClient,
  createUnsafeParentClient,
  KmsError,
  type Connect,
  type Credentials,
  type KmsClientOptions,
} from '@enclavejs/kms-enclave'
import {
  createCertificateAuthority,
  issueAttestationDocument,
  type CertificateAuthority,
} from '@enclavejs/simulator'
import {
  createSimulatedAccount,
  createSimulatedKms,
  type SimulatedAccount,
  type SimulatedCredentials,
  type SimulatedKms,
  type SimulatedKmsOptions,
} from '@enclavejs/simulator/kms'
import { RequestSigner } from '../../packages/kms-enclave/src/signing.ts'

const EncryptionContext = { purpose: 'hostile parent' }
const SECRET = Buffer.from('the plaintext that never leaves the enclave')

let authority: CertificateAuthority
let account: SimulatedAccount
let credentials: SimulatedCredentials
let kms: SimulatedKms
let keyArn: string
let ciphertext: Uint8Array
let age = 0
const others: SimulatedKms[] = []

const over =
  (one: SimulatedKms): Connect =>
  (host, port, options) =>
    one.connect(host, port, options)

async function another(options: Partial<SimulatedKmsOptions>): Promise<SimulatedKms> {
  const one = await createSimulatedKms({
    accounts: [account],
    attestationRoots: [authority.trustAnchor],
    ...options,
  })
  others.push(one)
  return one
}

const getEvidence: KmsClientOptions['getEvidence'] = async ({ publicKey }) =>
  issueAttestationDocument(
    {
      moduleId: authority.moduleId,
      timestamp: Date.now() - age,
      pcrs: new Map([[0, new Uint8Array(48).fill(7)]]),
      publicKey,
    },
    authority.issueLeaf(),
  )

beforeAll(async () => {
  authority = await createCertificateAuthority()
  account = createSimulatedAccount()
  credentials = account.issueCredentials({ role: 'enclave' })
  kms = await another({})
  keyArn = (await kms.createKey()).arn
  ciphertext = kms.encrypt(keyArn, SECRET, EncryptionContext)
})
afterEach(() => {
  age = 0
  kms.clearFaults()
})
afterAll(() => Promise.all(others.map((one) => one.close())))

/** What an enclave gets out of one Decrypt: the code, with KMS's own where KMS refused; the plaintext where nobody did. */
async function outcome(options: Partial<KmsClientOptions> = {}): Promise<string> {
  const given = { keyArn, connect: over(kms), credentials, getEvidence, roots: [kms.ca] }
  await using client = createKmsClient({ ...given, maxAttempts: 1, deadline: 10_000, ...options })
  const input = { CiphertextBlob: ciphertext, EncryptionContext }
  return await client
    .decrypt(input)
    .then(({ Plaintext }) => Buffer.from(Plaintext).toString(), told)
}

function told(error: unknown): string {
  expect(error).toBeInstanceOf(KmsError)
  const { code, message, kmsCode } = error as KmsError & { kmsCode?: string }
  for (const secret of [SECRET.toString(), credentials.secretAccessKey]) {
    expect(message).not.toContain(secret)
  }
  return kmsCode === undefined ? code : `${code} ${kmsCode}`
}

test('an honest parent', async () => {
  expect(await outcome()).toBe(SECRET.toString())
})

describe('a parent that ends TLS itself', () => {
  test.each<[string, () => Promise<Partial<KmsClientOptions>>]>([
    [
      'with an authority of its own, and the very same service behind it',
      async () => ({ connect: over(await another({})) }),
    ],
    [
      'with a genuine certificate of another Region',
      async () => {
        const other = await another({ region: 'eu-west-2' })
        return { connect: over(other), roots: [other.ca] }
      },
    ],
    [
      'in version 1.2',
      async () => {
        const old = await another({ maxVersion: 'TLSv1.2' })
        return { connect: over(old), roots: [old.ca] }
      },
    ],
  ])('%s', async (_, attack) => {
    const options = await attack()
    expect(await outcome(options)).toBe('ERR_KMS_TLS')
    expect(others.at(-1)?.requests).toHaveLength(0)
  })

  test('by leaving it out', async () => {
    const seen: string[] = []
    const server = createServer(({ url }, response) => {
      seen.push(String(url))
      response.end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const connect: Connect = () => Promise.resolve(connectTcp(port, '127.0.0.1'))
    expect(await outcome({ connect })).toBe('ERR_KMS_TLS')
    expect(seen).toEqual([])
    server.close()
  })
})

describe('a parent that gives credentials', () => {
  const given = (
    changes: Partial<Record<keyof Credentials, unknown>>,
  ): Partial<KmsClientOptions> => ({
    credentials: () => Promise.resolve({ ...credentials, ...changes } as Credentials),
  })
  test.each<[string, () => Partial<KmsClientOptions>, string]>([
    ['malformed', () => given({ accessKeyId: 'a\r\nx: y' }), 'ERR_KMS_CREDENTIALS'],
    ['without a key', () => given({ secretAccessKey: undefined }), 'ERR_KMS_CREDENTIALS'],
    ['expired', () => given({ expiration: new Date(Date.now() - 1000) }), 'ERR_KMS_CREDENTIALS'],
    [
      'stale, said to be good',
      () => {
        const old = account.issueCredentials({ role: 'enclave', lifetimeMs: 0 })
        return given({ ...old, expiration: new Date(Date.now() + 3_600_000) })
      },
      'ERR_KMS_SERVICE ExpiredTokenException',
    ],
    [
      'of nobody',
      () => given({ accessKeyId: 'ASIANOBODYNOBODY0000' }),
      'ERR_KMS_SERVICE UnrecognizedClientException',
    ],
    [
      'with another secret',
      () => given({ secretAccessKey: 'x'.repeat(40) }),
      'ERR_KMS_SERVICE InvalidSignatureException',
    ],
    [
      'never',
      () => ({ credentials: () => new Promise(() => undefined), deadline: 500 }),
      'ERR_KMS_DEADLINE',
    ],
  ])('%s', async (_, attack, code) => {
    expect(await outcome(attack())).toBe(code)
  })

  test('of its own account, whose key it would like to be used', async () => {
    const own = createSimulatedAccount({ accountId: '999999999999' })
    const both = await another({ accounts: [account, own] })
    const { arn } = await both.createKey({ accountId: account.accountId })
    const foreign = await both.createKey({ accountId: own.accountId, alias: 'alias/secret' })
    const theirs = own.issueCredentials({ role: 'attacker' })
    const common = { connect: over(both), roots: [both.ca], credentials: theirs }
    // The ARN is the enclave's: the parent's own key does not come in, and its role has no right to the enclave's.
    ciphertext = both.encrypt(foreign.arn, Buffer.from('chosen'), EncryptionContext)
    expect(await outcome({ ...common, keyArn: arn })).toMatch(
      /^ERR_KMS_SERVICE (?:IncorrectKey|AccessDenied)Exception$/,
    )
    ciphertext = kms.encrypt(keyArn, SECRET, EncryptionContext)
    // An alias is what it would take, and that is refused before anything is sent.
    await expect(
      outcome({ ...common, keyArn: 'arn:aws:kms:eu-west-1:123456789012:alias/secret' }),
    ).rejects.toThrow(TypeError)
    kms.fault({ kind: 'wrong-key-id', keyId: foreign.arn })
    expect(await outcome()).toBe('ERR_KMS_KEY_MISMATCH')
  })
})

describe('a parent that lies about time', () => {
  test.each([-2, 2])('by %i hours: the signature is corrected by what KMS says', async (hours) => {
    const now = (): Date => new Date(Date.now() + hours * 3_600_000)
    const { expiration: _, ...lasting } = credentials
    expect(await outcome({ now, credentials: lasting })).toBe(SECRET.toString())
  })

  test('so that the document is an old one: once more, and then it is said', async () => {
    age = 301_000
    expect(await outcome()).toBe('ERR_KMS_SERVICE ValidationException')
  })
})

describe('a parent that was let call KMS', () => {
  interface Caught {
    readonly body: Uint8Array
    readonly answer: (body: Uint8Array) => void
  }

  /** Sends an enclave's request as the enclave wrote it. */
  async function send(body: Uint8Array): Promise<Uint8Array> {
    const [host = ''] = kms.hostNames
    const headers = await new RequestSigner('eu-west-1').sign(
      {
        ...{ host, body },
        headers: {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': 'TrentService.Decrypt',
        },
      },
      credentials,
      new Date(),
    )
    const { port } = kms.address() as { port: number }
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, servername: host, ca: kms.ca, headers }
      const sent = request({ ...options, method: 'POST', agent: false }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () => resolve(Buffer.concat(parts)))
      })
      sent.on('error', reject).end(body)
    })
  }

  function enclave(caught: Caught[]): ReturnType<typeof createUnsafeParentClient> {
    return createUnsafeParentClient({
      keyArn,
      getEvidence,
      unsafeParentTransport: ({ body }) => new Promise((answer) => caught.push({ body, answer })),
    })
  }

  test('and swaps the answers of two requests, replays one, flips bytes of one', async () => {
    const caught: Caught[] = []
    using unsafe = enclave(caught)
    const call = (): Promise<string> =>
      unsafe
        .decrypt({ CiphertextBlob: ciphertext, EncryptionContext })
        .then(({ Plaintext }) => Buffer.from(Plaintext).toString(), told)
    const next = async (): Promise<Caught> => {
      while (caught.length === 0) await sleep(5)
      return caught.shift() as Caught
    }
    const [one, two] = [call(), call()]
    const [first, second] = [await next(), await next()]
    const [answer, other] = [await send(first.body), await send(second.body)]
    first.answer(other)
    second.answer(answer)
    expect(await Promise.all([one, two])).toEqual(['ERR_KMS_CMS', 'ERR_KMS_CMS'])
    const replayed = call()
    ;(await next()).answer(answer)
    expect(await replayed).toBe('ERR_KMS_CMS')
    const genuine = call()
    const third = await next()
    third.answer(await send(third.body))
    expect(await genuine).toBe(SECRET.toString())
    // What does not open, here in form and there behind it, is told in one code.
    for (const place of ['form', 'version', 'rid', 'encryptedKey'] as const) {
      const changed = call()
      const asked = await next()
      const members = JSON.parse(Buffer.from(await send(asked.body)).toString()) as Record<
        string,
        string
      >
      const blob = Buffer.from(members['CiphertextForRecipient'] ?? '', 'base64')
      const at = {
        form: 0,
        version: 19,
        rid: blob.indexOf('8020', 'hex') + 2,
        encryptedKey: blob.indexOf('04820100', 'hex') + 104,
      }[place]
      blob[at] = (blob[at] as number) ^ 0x80
      members['CiphertextForRecipient'] = blob.toString('base64')
      asked.answer(Buffer.from(JSON.stringify(members)))
      expect(await changed, place).toBe('ERR_KMS_CMS')
    }
  })
})
