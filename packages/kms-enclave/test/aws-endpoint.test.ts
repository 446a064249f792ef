import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { createKmsClient, openAwsEndpoint, type AwsEndpointOptions } from '../src/index.ts'
import { failure } from './simulated-kms.ts'

interface TlsVectors {
  readonly root: string
  readonly host: string
  readonly certificate_cases: readonly {
    readonly id: string
    readonly expect: 'accept' | 'reject'
    readonly key: string
    readonly chain: string
  }[]
}

const file = vectors('tls-client/tls.json')
const read = file === undefined ? undefined : (JSON.parse(readFileSync(file, 'utf8')) as TlsVectors)
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one()
})

type Answer = Readonly<{ status: number; body?: string; headers?: Record<string, string> }>

/** A server with a certificate of the vectors, and an endpoint of S3 that is led there. */
async function open(
  { key, chain: cert }: { key: string; chain: string },
  answers: Answer[],
  more: Partial<AwsEndpointOptions> = {},
) {
  const { host, root } = read as TlsVectors
  const seen: { method: string; url: string; headers: Record<string, unknown> }[] = []
  const ciphers = 'DEFAULT@SECLEVEL=0'
  const server = createServer({ key, cert, ciphers }, (request, response) => {
    const { method = '', url = '', headers } = request
    seen.push({ method, url, headers })
    const { status, body = '', headers: given = {} } = answers.shift() ?? { status: 200 }
    request.resume().on('end', () => response.writeHead(status, given).end(body))
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const endpoint = openAwsEndpoint({
    ...{ host, region: 'us-east-1', service: 's3', roots: [root], maxAttempts: 1 },
    connect: async () => connectTcp(port, '127.0.0.1'),
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret/secret/secret' },
    ...more,
  })
  closing.push(
    () => endpoint.close(),
    () => server.closeAllConnections(),
    () => server.close(),
  )
  return { endpoint, seen }
}

const get = { method: 'GET', path: '/a%3Ab', headers: {} } as const
const xml = (code: string): string => `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`

describe.skipIf(read === undefined)('a certificate of others, shown by S3', () => {
  it.each((read?.certificate_cases ?? []).map((one) => [one.id, one] as const))(
    '%s',
    async (_id, one) => {
      const { endpoint } = await open(one, [])
      const outcome = await failure(endpoint.request(get))
      expect(outcome).toBe(one.expect === 'accept' ? 'nothing' : 'ERR_KMS_TLS')
    },
  )
})

describe.skipIf(read === undefined)('an endpoint', () => {
  const good = read?.certificate_cases.find(({ id }) => id === 'good-rsa2048') as {
    key: string
    chain: string
  }

  it('sends what was asked for, signed for its service', async () => {
    const { endpoint, seen } = await open(good, [{ status: 200, body: 'hello' }])
    const answer = await endpoint.request(get)
    expect(new TextDecoder().decode(answer.body)).toBe('hello')
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/a%3Ab' })
    expect(seen[0]?.headers['authorization']).toContain('/us-east-1/s3/aws4_request')
    expect(seen[0]?.headers['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/)
  })

  it('tries again where that can help', async () => {
    const { endpoint, seen } = await open(good, [{ status: 503 }, { status: 200 }], {
      maxAttempts: 2,
    })
    expect((await endpoint.request(get)).status).toBe(200)
    expect(seen).toHaveLength(2)
  })

  it('gives what is left where it cannot', async () => {
    const answers = [{ status: 403, body: xml('AccessDenied') }, { status: 200 }]
    const { endpoint, seen } = await open(good, answers, { maxAttempts: 3 })
    expect((await endpoint.request(get)).status).toBe(403)
    expect(seen).toHaveLength(1)
  })

  it('asks for other credentials once', async () => {
    const asked: unknown[] = []
    const credentials = async (request?: { forceRefresh?: boolean }) => {
      asked.push(request?.forceRefresh ?? false)
      return { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret/secret/secret' }
    }
    const refused = { status: 403, body: xml('InvalidAccessKeyId') }
    const { endpoint, seen } = await open(good, [refused, refused, refused], { credentials })
    expect((await endpoint.request(get)).status).toBe(403)
    expect(seen).toHaveLength(2)
    expect(asked).toEqual([false, true])
  })

  it('signs by the clock of the service once it knows it', async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString()
    const skewed = { status: 403, body: xml('RequestTimeTooSkewed'), headers: { date } }
    const { endpoint, seen } = await open(good, [skewed, { status: 200, headers: { date } }])
    expect((await endpoint.request(get)).status).toBe(200)
    const [before, after] = seen.map(({ headers }) => String(headers['x-amz-date']))
    expect(after).not.toBe(before)
  })

  it('is closed', async () => {
    const { endpoint } = await open(good, [])
    await endpoint.close()
    expect(await failure(endpoint.request(get))).toBe('ERR_KMS_CLOSED')
  })

  it('ends when it is told', async () => {
    const { endpoint } = await open(good, [])
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(endpoint.request({ ...get, signal })).rejects.toBe(reason)
  })
})

describe('a key of an account that is not known', () => {
  const options = {
    connect: async () => Promise.reject(new Error('none')),
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret/secret/secret' },
    getEvidence: async () => new Uint8Array(1),
  }
  it.each([
    'alias/x',
    'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  ])('is named by its id alone, not by %s', (keyArn) => {
    const dangerouslyUnboundKey = { region: 'eu-west-1', anyAccount: true }
    expect(() => createKmsClient({ ...options, keyArn, dangerouslyUnboundKey })).toThrow('bare id')
  })
})
