import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { fromContainer } from '../src/credentials/container.ts'
import { ordinaryCredentials, type Credentials } from '../src/index.ts'
import { failure } from './simulated-kms.ts'

const SET = {
  AccessKeyId: 'ASIACONTAINER0000000',
  SecretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  Token: 'session-token',
  Expiration: '2099-01-01T00:00:00Z',
  RoleArn: 'arn:aws:iam::123456789012:role/task',
}
const FOUND = {
  accessKeyId: SET.AccessKeyId,
  secretAccessKey: SET.SecretAccessKey,
  sessionToken: SET.Token,
  expiration: new Date(SET.Expiration),
}

let server: Server
let port: number
let folder: string
let answer: (request: IncomingMessage, response: ServerResponse) => void
const asked: { readonly url: string | undefined; readonly headers: IncomingMessage['headers'] }[] =
  []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kms-container-'))
  server = createServer((request, response) => {
    asked.push({ url: request.url, headers: request.headers })
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
  answer = genuine
})
afterEach(() => {
  answer = genuine
  asked.length = 0
})
afterAll(() => {
  server.close()
  server.closeAllConnections()
  rmSync(folder, { recursive: true })
})

const genuine: typeof answer = (_request, response) => void response.end(JSON.stringify(SET))
const at = (path: string, host = '127.0.0.1'): string => `http://${host}:${port}${path}`
/** As a program in a container has it: nothing else configured. */
const ask = (environment: Readonly<Record<string, string>>): Promise<Credentials> =>
  ordinaryCredentials({
    environment: { AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'), ...environment },
  })()
const refusal = async (environment: Readonly<Record<string, string>>): Promise<string> => {
  try {
    await ask(environment)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_KMS_CREDENTIALS' })
    return (error as Error).message
  }
  throw new Error('was not refused')
}
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

describe('the endpoint of a container', () => {
  it.each(['127.0.0.1', 'localhost'])('is asked at the full URI: %s', async (host) => {
    const found = await ask({ AWS_CONTAINER_CREDENTIALS_FULL_URI: at('/role?of=task', host) })
    expect(found).toEqual(FOUND)
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatchObject({ url: '/role?of=task', headers: { host: `${host}:${port}` } })
    expect(asked[0]?.headers).not.toHaveProperty('authorization')
  })

  it('below 169.254.170.2 where the URI is relative, which goes before the full one', async () => {
    const dialed: [string, number][] = []
    const found = await fromContainer(
      {
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/4711',
        AWS_CONTAINER_CREDENTIALS_FULL_URI: at('/other'),
        AWS_CONTAINER_AUTHORIZATION_TOKEN: 'a token',
      },
      new Date(),
      {
        connect: (...[host, at]) => {
          dialed.push([host, at])
          return Promise.resolve(connect(port, '127.0.0.1'))
        },
      },
    )
    expect(found).toEqual(FOUND)
    expect(dialed).toEqual([['169.254.170.2', 80]])
    expect(asked).toMatchObject([
      { url: '/v2/credentials/4711', headers: { host: '169.254.170.2', authorization: 'a token' } },
    ])
  })

  it('is given the token of the file, read anew each time, before that of the environment', async () => {
    const environment = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: at('/'),
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file('token', 'first'),
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'of the environment',
    }
    await ask(environment)
    file('token', 'Bearer second')
    await ask(environment)
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['first', 'Bearer second'])
  })

  it.each([
    ['http://169.254.170.2', true],
    ['http://169.254.170.23/v1/credentials', true],
    ['http://[fd00:ec2::23]/v1/credentials', true],
    ['http://[::1]:1338/', true],
    ['http://127.9.8.7/', true],
    ['http://127.1/', true], // which is how URLs write 127.0.0.1 too
    ['http://169.254.169.254/', false],
    ['http://169.254.170.24/', false],
    ['http://10.0.0.1/', false],
    ['http://[fd00:ec2::254]/', false],
    ['http://example.com/', false],
    ['http://localhost.example.com/', false],
    ['http://127.0.0.1.example.com/', false],
    ['http://169.254.170.2@example.com/', false],
    ['http://user@127.0.0.1/', false],
    ['http://:password@127.0.0.1/', false],
    ['https://127.0.0.1/', false],
    ['https://example.com/', false],
    ['ftp://127.0.0.1/', false],
    ['file:///etc/passwd', false],
    ['127.0.0.1', false],
    ['', false],
  ])('%s: %s', async (uri, allowed) => {
    let dialed = 0
    const given = fromContainer(
      {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: uri,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file('token', 'a token'),
      },
      new Date(),
      {
        connect: () => {
          dialed++
          return Promise.reject(new Error('no route'))
        },
      },
    )
    expect(await failure(given)).toBe('ERR_KMS_CREDENTIALS')
    expect(dialed).toBe(allowed ? 1 : 0)
  })

  it.each(['no-slash', '/with space', '/with\nbreak', `/${'x'.repeat(1025)}`, ''])(
    'a relative URI that is none: %j',
    async (path) => {
      expect(await refusal({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: path })).toMatch(/path/)
    },
  )

  it.each<[string, () => string]>([
    ['is missing', () => join(folder, 'missing')],
    ['is a folder', () => folder],
    ['is a pipe that nobody writes to', pipe],
    ['is a device', () => '/dev/zero'],
    ['is empty', () => file('token', '')],
    ['is larger than a header may be', () => file('token', 'x'.repeat(8193))],
    ['ends in a line break', () => file('token', 'token\n')],
    ['would add a header', () => file('token', 'token\r\nx-other: 1')],
    ['is not ASCII', () => file('token', Uint8Array.of(0xc3, 0xa9))],
  ])('is not asked where the file of its token %s', async (_, path) => {
    const message = await refusal({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: at('/'),
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: path(),
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'good',
    })
    expect(message).toMatch(/needs a token/)
    expect(asked).toHaveLength(0)
  })

  it.each<[string, typeof answer]>([
    [
      'with a redirect',
      (_, response) => void response.writeHead(302, { location: at('/2') }).end(),
    ],
    ['with an error', (_, response) => void response.writeHead(500).end(JSON.stringify(SET))],
    ['with more than 64 KiB', (_, response) => void response.end('x'.repeat(65_537))],
    ['with half', (_, response) => void response.end(JSON.stringify({ ...SET, Token: 1 }))],
    [
      'with what has ended',
      (_, response) =>
        void response.end(JSON.stringify({ ...SET, Expiration: '2020-01-01T00:00:00Z' })),
    ],
    ...['null', '5', '[]', '{}', 'x', ''].map((text): [string, typeof answer] => [
      `with ${JSON.stringify(text)}`,
      (_, response) => void response.end(text),
    ]),
    ['by hanging up', (request) => void request.socket.destroy()],
  ])('is refused when it answers %s', async (_, wrong) => {
    answer = wrong
    const message = await refusal({ AWS_CONTAINER_CREDENTIALS_FULL_URI: at('/') })
    expect(message).toMatch(/^The endpoint of the container/)
    expect(message).not.toContain(SET.SecretAccessKey)
    expect(asked).toHaveLength(1)
  })

  it('is left after four seconds when it does not answer', async () => {
    answer = () => undefined
    const begin = performance.now()
    expect(await refusal({ AWS_CONTAINER_CREDENTIALS_FULL_URI: at('/') })).toMatch(/4000 ms/)
    expect(performance.now() - begin).toBeLessThan(10_000)
  })
})

function pipe(): string {
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  return path
}
