import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { vectors } from '../../../../test/vectors.ts'
import type { SimulatedCredentials } from '../../src/kms.ts'
import { KmsException } from '../../src/kms/exception.ts'
import { verifySigV4, type SigV4Expectations } from '../../src/kms/sigv4.ts'
import { setup, wire, type Setup, type WireAnswer } from './bench-of-kms.ts'
import { signHeaders } from './signer.ts'

interface KmsVector {
  readonly name: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly amzDate: string
  readonly region: string
  readonly host: string
  readonly operation: string
  readonly body: string
  readonly contentSha256?: boolean
  readonly authorization: string
}

interface SuiteCase {
  readonly id: string
  readonly files: Readonly<Record<string, string>>
}

function read<T>(path: string): T | undefined {
  const file = vectors(path)
  return file === undefined ? undefined : (JSON.parse(readFileSync(file, 'utf8')) as T)
}

/** What the vectors are checked against: their own credentials, their own time. */
function expectations(
  vector: { accessKeyId: string; secretAccessKey: string; sessionToken?: string | undefined },
  scope: { region: string; service: string; amzDate: string },
): SigV4Expectations {
  const { accessKeyId, secretAccessKey, sessionToken } = vector
  const credentials: SimulatedCredentials = {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    principalArn: 'arn:aws:iam::123456789012:role/x',
    sessionArn: 'arn:aws:sts::123456789012:assumed-role/x/y',
  }
  const principal = {
    accountId: '123456789012',
    partition: 'aws',
    type: 'AssumedRole' as const,
    principalArn: credentials.principalArn,
    sessionArn: credentials.sessionArn,
  }
  return {
    region: scope.region,
    service: scope.service,
    now: date(scope.amzDate),
    maxSkewMs: 300_000,
    find: (id) => (id === accessKeyId ? { credentials, principal } : undefined),
  }
}

function date(amzDate: string): Date {
  return new Date(amzDate.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}

describe('KMS-shaped vectors', () => {
  const file = read<{ vectors: KmsVector[] }>('sigv4/kms-vectors.json')

  it('hold, and one changed octet anywhere does not', (ctx) => {
    if (file === undefined) return void ctx.skip('the vectors are not here')
    expect(file.vectors).toHaveLength(4)
    for (const vector of file.vectors) {
      const body = Buffer.from(vector.body)
      const rawHeaders = [
        ...['Content-Type', 'application/x-amz-json-1.1', 'Host', vector.host],
        ...(vector.contentSha256 === true
          ? ['x-amz-content-sha256', createHash('sha256').update(body).digest('hex')]
          : []),
        ...['X-Amz-Date', vector.amzDate, 'X-Amz-Target', `TrentService.${vector.operation}`],
        ...(vector.sessionToken === undefined ? [] : ['X-Amz-Security-Token', vector.sessionToken]),
        ...['Authorization', vector.authorization],
      ]
      const request = { method: 'POST', url: '/', rawHeaders, body }
      const expected = expectations(vector, { ...vector, service: 'kms' })
      expect(verifySigV4(request, expected).credentials.accessKeyId).toBe('AKIDEXAMPLE')
      const other = Buffer.from(body)
      other[3] = (other[3] ?? 0) ^ 1
      expect(() => verifySigV4({ ...request, body: other }, expected)).toThrow(KmsException)
      expect(() => verifySigV4({ ...request, method: 'PUT' }, expected)).toThrow(KmsException)
      const target = rawHeaders.map((one) => one.replace('TrentService.', 'TrentServicf.'))
      expect(() => verifySigV4({ ...request, rawHeaders: target }, expected)).toThrow(KmsException)
    }
  })
})

describe("AWS's own suite", () => {
  const suite = read<SuiteCase[]>('sigv4/aws-c-auth-v4.json')

  it('holds where a path is / and nothing is left unsigned', (ctx) => {
    if (suite === undefined) return void ctx.skip('the vectors are not here')
    const checked: string[] = []
    for (const { id, files } of suite) {
      const signed = files['header-signed-request.txt'] ?? ''
      const context = JSON.parse(files['context.json'] ?? '{}') as {
        credentials: { access_key_id: string; secret_access_key: string; token?: string }
        region: string
        service: string
        omit_session_token?: boolean
      }
      const [start = '', ...lines] = signed.split('\n\n')[0]?.split('\n') ?? []
      const [, method = '', url = ''] = /^(\S+) (.*) HTTP\/1\.1$/.exec(start) ?? []
      // KMS has one path; the others are about paths and about headers that node:http does not fold.
      if (!/^\/(?:\?|$)/.test(url) || lines.some((line) => line.startsWith(' '))) continue
      if (context.omit_session_token === true) continue
      const rawHeaders = lines.flatMap((line) => {
        const [name = '', value = ''] = line.split(/:(.*)/s)
        return [name, value]
      })
      const amzDate = rawHeaders[rawHeaders.indexOf('X-Amz-Date') + 1] ?? ''
      const { access_key_id: accessKeyId, secret_access_key: secretAccessKey } = context.credentials
      const sessionToken = context.credentials.token
      const expected = expectations(
        { accessKeyId, secretAccessKey, sessionToken },
        { ...context, amzDate },
      )
      const body = Buffer.from(signed.split('\n\n').slice(1).join('\n\n'))
      expect(() => verifySigV4({ method, url, rawHeaders, body }, expected), id).not.toThrow()
      checked.push(id)
    }
    expect(checked.length).toBeGreaterThanOrEqual(10)
  })
})

describe('one access key', () => {
  const expected = expectations(
    { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
    { region: '', service: '', amzDate: '20260101T120000Z' },
  )
  const accessKey = expected.find('AKIDEXAMPLE')
  if (accessKey === undefined) throw new Error('no access key')
  const [today, tomorrow] = [new Date('2026-01-01T12:00:00Z'), new Date('2026-01-02T12:00:00Z')]
  const body = '{}'

  function verifyOne(
    scope: { at: Date; region: string; service: string },
    credentials: Pick<SimulatedCredentials, 'accessKeyId' | 'secretAccessKey'>,
  ): unknown {
    const given = { host: 'kms.eu-west-1.amazonaws.com', 'x-amz-target': 'TrentService.Decrypt' }
    const headers = signHeaders(given, body, { credentials, ...scope })
    const request = { method: 'POST', url: '/', body: Buffer.from(body) }
    return verifySigV4(
      { ...request, rawHeaders: Object.entries(headers).flat() },
      { ...expected, ...scope, now: scope.at, find: () => accessKey },
    )
  }

  it.each([
    ['today', today, 'eu-west-1', 'kms'],
    ['again', today, 'eu-west-1', 'kms'],
    ['tomorrow', tomorrow, 'eu-west-1', 'kms'],
    ['in another region', today, 'us-east-1', 'kms'],
    ['for another service', today, 'us-east-1', 's3'],
    ['at last as at first', today, 'eu-west-1', 'kms'],
  ])('holds %s, and one with another secret does not', (_when, at, region, service) => {
    const { credentials } = accessKey
    const scope = { at, region, service }
    expect(verifyOne(scope, credentials)).toBe(accessKey)
    const other = { ...credentials, secretAccessKey: `${credentials.secretAccessKey}x` }
    expect(() => verifyOne(scope, other)).toThrow(/signature we calculated does not match/)
    expect(verifyOne(scope, credentials)).toBe(accessKey)
  })
})

describe('on the wire', () => {
  let scene: Setup
  beforeAll(async () => {
    scene = await setup()
  })
  afterAll(() => scene.kms.close())

  type Headers = Record<string, string>

  async function signed(
    change: {
      credentials?: Pick<SimulatedCredentials, 'accessKeyId' | 'secretAccessKey' | 'sessionToken'>
      region?: string
      service?: string
      at?: Date
      before?: (headers: Headers) => void
      after?: (headers: Headers) => void
      body?: string
      sentBody?: string
    } = {},
  ): Promise<WireAnswer> {
    const { credentials = scene.credentials, region = 'eu-west-1', service = 'kms' } = change
    const body = change.body ?? '{"NumberOfBytes":8}'
    const headers: Headers = {
      'content-type': 'application/x-amz-json-1.1',
      host: 'kms.eu-west-1.amazonaws.com',
      'x-amz-target': 'TrentService.GenerateRandom',
    }
    change.before?.(headers)
    const signedHeaders = signHeaders(headers, body, {
      credentials,
      region,
      service,
      at: change.at ?? new Date(),
    })
    change.after?.(signedHeaders)
    return wire(scene.kms, { headers: signedHeaders, body: change.sentBody ?? body })
  }

  const typeOf = ({ body }: WireAnswer): string => (JSON.parse(body) as { __type: string }).__type
  const messageOf = ({ body }: WireAnswer): string =>
    (JSON.parse(body) as { message: string }).message

  it('a good signature', async () => {
    const answer = await signed()
    expect(answer.status).toBe(200)
    expect(answer.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/)
    expect(answer.headers['content-type']).toBe('application/x-amz-json-1.1')
    expect(Math.abs(Date.parse(String(answer.headers['date'])) - Date.now())).toBeLessThan(2500)
  })

  it('a good signature without a session token, of a user', async () => {
    const credentials = scene.account.issueUserCredentials({ user: 'admin' })
    expect((await signed({ credentials })).status).toBe(200)
  })

  it('no Authorization: MissingAuthenticationTokenException', async () => {
    const answer = await signed({ after: (headers) => delete headers['authorization'] })
    expect([answer.status, typeOf(answer)]).toEqual([400, 'MissingAuthenticationTokenException'])
  })

  it.each([
    ['another algorithm', (text: string) => text.replace('AWS4-HMAC-SHA256', 'AWS4-X')],
    ['no Signature', (text: string) => text.replace(/, Signature=.*/, '')],
    ['no Credential', (text: string) => text.replace(/Credential=[^,]*, /, '')],
    ['a short scope', (text: string) => text.replace('/kms/aws4_request', '/kms')],
  ])('%s: IncompleteSignatureException', async (_name, change) => {
    const answer = await signed({
      after: (headers) => {
        headers['authorization'] = change(headers['authorization'] ?? '')
      },
    })
    expect(typeOf(answer)).toBe('IncompleteSignatureException')
  })

  it.each([
    ['no X-Amz-Date', undefined],
    ['a date that is none', '20269999T000000Z'],
    ['another form of date', '2026-01-01T00:00:00Z'],
  ])('%s: IncompleteSignatureException', async (_name, value) => {
    const answer = await signed({
      after: (headers) => {
        if (value === undefined) delete headers['x-amz-date']
        else headers['x-amz-date'] = value
      },
    })
    expect(typeOf(answer)).toBe('IncompleteSignatureException')
  })

  it.each([
    ['another body', { sentBody: '{"NumberOfBytes":9}' }, 'The request signature we calculated'],
    ['another region', { region: 'us-east-1' }, 'valid region'],
    ['another service', { service: 's3' }, "correct service: 'kms'"],
    [
      'another terminator',
      {
        after: (h: Headers) =>
          void (h['authorization'] = h['authorization']?.replace('aws4_request', 'x') ?? ''),
      },
      'valid terminator',
    ],
    [
      'a date that is not that of the scope',
      { after: (h: Headers) => void (h['x-amz-date'] = '20200101T000000Z') },
      'Date in Credential scope',
    ],
    [
      'a changed target',
      { after: (h: Headers) => void (h['x-amz-target'] = 'TrentService.Decrypt') },
      'The request signature we calculated',
    ],
    [
      'a header that is not signed',
      { after: (h: Headers) => void (h['x-amz-new'] = 'x') },
      "'x-amz-new' must be a 'SignedHeader'",
    ],
    [
      'a token that is not signed',
      {
        after: (h: Headers) =>
          void (h['authorization'] =
            h['authorization']?.replace('x-amz-security-token;', '') ?? ''),
      },
      "'x-amz-security-token' must be a 'SignedHeader'",
    ],
    [
      'a host that is not signed',
      {
        after: (h: Headers) =>
          void (h['authorization'] = h['authorization']?.replace('host;', '') ?? ''),
      },
      "'Host' or ':authority'",
    ],
    [
      'signed headers out of order',
      {
        after: (h: Headers) =>
          void (h['authorization'] =
            h['authorization']?.replace('content-type;host', 'host;content-type') ?? ''),
      },
      'in order',
    ],
    [
      'a declared hash that is not that of the body',
      { before: (h: Headers) => void (h['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD') },
      'The request signature we calculated',
    ],
    [
      'a signature six minutes old',
      { at: new Date(Date.now() - 360_000) },
      /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)$/,
    ],
    [
      'a signature of six minutes hence',
      { at: new Date(Date.now() + 360_000) },
      /^Signature not yet current: /,
    ],
  ])('%s: InvalidSignatureException', async (_name, change, message) => {
    const answer = await signed(change)
    expect([answer.status, typeOf(answer)]).toEqual([400, 'InvalidSignatureException'])
    expect(messageOf(answer)).toMatch(message)
  })

  it('another secret: InvalidSignatureException', async () => {
    const credentials = { ...scene.credentials, secretAccessKey: 'not it' }
    expect(typeOf(await signed({ credentials }))).toBe('InvalidSignatureException')
  })

  it('an access key that is unknown or revoked: UnrecognizedClientException', async () => {
    const credentials = scene.account.issueCredentials({ role: 'enclave' })
    const unknown = { ...credentials, accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' }
    expect(typeOf(await signed({ credentials: unknown }))).toBe('UnrecognizedClientException')
    expect((await signed({ credentials })).status).toBe(200)
    scene.account.revoke(credentials.accessKeyId)
    expect(typeOf(await signed({ credentials }))).toBe('UnrecognizedClientException')
  })

  it('another session token, or none: UnrecognizedClientException', async () => {
    const { accessKeyId, secretAccessKey } = scene.credentials
    const none = { accessKeyId, secretAccessKey }
    expect(typeOf(await signed({ credentials: none }))).toBe('UnrecognizedClientException')
    const other = { ...none, sessionToken: 'another' }
    expect(typeOf(await signed({ credentials: other }))).toBe('UnrecognizedClientException')
  })

  it('credentials that have expired: ExpiredTokenException', async () => {
    const credentials = scene.account.issueCredentials({ role: 'enclave', lifetimeMs: -1000 })
    const answer = await signed({ credentials })
    expect(typeOf(answer)).toBe('ExpiredTokenException')
    expect(messageOf(answer)).toBe('The security token included in the request is expired')
  })

  it('an operation, a path, a method, a host that KMS does not have', async () => {
    const headers = { host: 'kms.eu-west-1.amazonaws.com', 'x-amz-target': 'TrentService.Dance' }
    expect(typeOf(await wire(scene.kms, { headers, body: '{}' }))).toBe('UnknownOperationException')
    const good = { ...headers, 'x-amz-target': 'TrentService.GenerateRandom' }
    for (const change of [
      { path: '/x' },
      { method: 'PUT' },
      { headers: { ...good, host: 'kms.us-east-1.amazonaws.com' } },
    ]) {
      const answer = await wire(scene.kms, { headers: good, body: '{}', ...change })
      expect([answer.status, typeOf(answer)]).toEqual([400, 'UnknownOperationException'])
    }
  })

  it('a body that is not a JSON object: SerializationException', async () => {
    for (const body of ['', '[]', '{', 'null', '{"NumberOfBytes":"8"}', '{"Recipient":"x"}']) {
      expect(typeOf(await signed({ body })), body).toBe('SerializationException')
    }
  })

  it('members of another type: SerializationException', async () => {
    const recipient = (document: unknown): string =>
      JSON.stringify({
        NumberOfBytes: 8,
        Recipient: {
          KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
          AttestationDocument: document,
        },
      })
    for (const body of [
      recipient('no base64'),
      recipient('AAA'),
      recipient(7),
      '{"NumberOfBytes":8.5}',
      '{"NumberOfBytes":8,"GrantTokens":"one"}',
      '{"NumberOfBytes":8,"GrantTokens":[1]}',
      '{"NumberOfBytes":8,"Recipient":{"KeyEncryptionAlgorithm":7}}',
    ]) {
      expect(typeOf(await signed({ body })), body).toBe('SerializationException')
    }
    expect(typeOf(await signed({ body: recipient('') }))).toBe('ValidationException')
    const tokens = JSON.stringify({ NumberOfBytes: 8, GrantTokens: Array(11).fill('x') })
    expect(typeOf(await signed({ body: tokens }))).toBe('ValidationException')
  })

  it('a body of more than a mebibyte: RequestEntityTooLargeException', async () => {
    const answer = await signed({ body: ' '.repeat(1024 * 1024 + 1) })
    expect([answer.status, typeOf(answer)]).toEqual([413, 'RequestEntityTooLargeException'])
  })
})
