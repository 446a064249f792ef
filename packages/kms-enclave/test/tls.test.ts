import { execFile } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { createServer as createTlsServer, rootCertificates } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AMAZON_ROOTS, createKmsClient, type Connect, type KmsClientOptions } from '../src/index.ts'
import { CREDENTIALS, dial, HOST, json, KEY_ARN, KmsServer } from './kms-server.ts'
import { failure } from './simulated-kms.ts'
import { TlsAuthority, type Identity } from './tls-authority.ts'

let authority: TlsAuthority
let rogue: TlsAuthority
let good: Identity

beforeAll(async () => {
  ;[authority, rogue] = await Promise.all([TlsAuthority.create(), TlsAuthority.create()])
  good = await authority.issue({ names: [HOST] })
})
afterAll(() => {
  authority.remove()
  rogue.remove()
})

const answer = { KeyMetadata: { KeyId: 'x', Arn: KEY_ARN } }

/** How one call to a server ends: `nothing` is that it succeeded. */
async function outcome(options: Partial<KmsClientOptions>): Promise<string> {
  await using client = createKmsClient({
    keyArn: KEY_ARN,
    connect: () => Promise.reject(new Error('not told')),
    credentials: CREDENTIALS,
    getEvidence: async () => new Uint8Array(1),
    roots: [authority.root],
    maxAttempts: 1,
    ...options,
  })
  return await failure(client.describeKey())
}

async function withServer(
  identity: Identity,
  tls: Parameters<typeof KmsServer.start>[2],
  use: (server: KmsServer) => Promise<void>,
): Promise<void> {
  const server = await KmsServer.start(
    identity,
    (_seen, response) => json(response, 200, answer),
    tls,
  )
  try {
    await use(server)
  } finally {
    await server.close()
  }
}

describe('the roots', () => {
  // Amazon Trust Services, amazontrust.com/repository.
  const FINGERPRINTS = [
    '8ECDE6884F3D87B1125BA31AC3FCB13D7016DE7F57CC904FE1CB97C6AE98196E',
    '1BA5B2AA8C65401A82960118F80BEC4F62304D83CEC4713A19C39C011EA46DB4',
    '18CE6CFE7BF14E60B2E347B8DFE868CB31D02EBB3ADA271569F50343B46DB3A4',
    'E35D28419ED02025CFA69038CD623962458DA5C695FBDEA3C22B0BFB25897092',
    '568D6905A2C88708A4B3025190EDCFEDB1974A606A13C6E5290FCB2AE63EDAB5',
  ]

  it('are the five that Amazon names, by SHA-256', () => {
    const found = AMAZON_ROOTS.map((pem) =>
      createHash('sha256').update(new X509Certificate(pem).raw).digest('hex').toUpperCase(),
    )
    expect(found).toEqual(FINGERPRINTS)
  })

  it("are among Node's own", () => {
    const known = new Set(rootCertificates.map((pem) => new X509Certificate(pem).fingerprint256))
    for (const pem of AMAZON_ROOTS) expect(known).toContain(new X509Certificate(pem).fingerprint256)
  })

  it('are those of the options, else those of Connect, else Amazon’s', async () => {
    await withServer(good, {}, async ({ connect }) => {
      const mine = Object.assign(connect.bind(undefined), { roots: [authority.root] })
      const other = Object.assign(connect.bind(undefined), { roots: [rogue.root] })
      expect(await outcome({ connect })).toBe('nothing')
      expect(await outcome({ connect, roots: [rogue.root] })).toBe('ERR_KMS_TLS')
      expect(await outcome({ connect: other })).toBe('nothing')
      expect(await outcome({ connect: mine, roots: [rogue.root] })).toBe('ERR_KMS_TLS')
      const options = { keyArn: KEY_ARN, credentials: CREDENTIALS, maxAttempts: 1 }
      const getEvidence = async (): Promise<Uint8Array> => new Uint8Array(1)
      for (const [dialer, code] of [
        [mine, 'nothing'],
        [other, 'ERR_KMS_TLS'],
        [connect, 'ERR_KMS_TLS'],
      ] as const) {
        await using client = createKmsClient({ ...options, getEvidence, connect: dialer })
        expect(await failure(client.describeKey())).toBe(code)
      }
    })
  })

  it.each([
    ['none', []],
    ['no PEM', ['x']],
    ['two in one', [`${AMAZON_ROOTS[0]}\n${AMAZON_ROOTS[1]}`]],
    ['no list', AMAZON_ROOTS[0] as never],
  ])('must be certificates: %s', async (_name, roots) => {
    await expect(outcome({ roots })).rejects.toThrow(TypeError)
  })
})

describe('a certificate', () => {
  it.each([
    ['of a rogue CA', () => rogue.issue({ names: [HOST] })],
    ['for another host', () => authority.issue({ names: ['kms.eu-west-2.amazonaws.com'] })],
    [
      'for the parent domain',
      () => authority.issue({ names: ['amazonaws.com', 'eu-west-1.amazonaws.com'] }),
    ],
    [
      'with the name in the subject alone',
      () => authority.issue({ names: [], subject: `/CN=${HOST}` }),
    ],
    [
      'with a wildcard of part of a label',
      () => authority.issue({ names: ['k*.eu-west-1.amazonaws.com'] }),
    ],
    ['with a wildcard of two labels', () => authority.issue({ names: ['*.amazonaws.com'] })],
    [
      'that has a name with the host at its beginning',
      () => authority.issue({ names: [`${HOST}.evil.example`] }),
    ],
  ])('%s is refused', async (_name, issue) => {
    await withServer(await issue(), {}, async (server) => {
      expect(await outcome({ connect: server.connect })).toBe('ERR_KMS_TLS')
      expect(server.seen).toHaveLength(0)
    })
  })

  it('with a wildcard of the left-most label is taken', async () => {
    const wild = await authority.issue({ names: ['*.eu-west-1.amazonaws.com'] })
    await withServer(wild, {}, async ({ connect }) => {
      expect(await outcome({ connect })).toBe('nothing')
    })
  })
})

describe('TLS', () => {
  it('1.2 is refused, and taken when that is said', async () => {
    await withServer(good, { maxVersion: 'TLSv1.2' }, async ({ connect }) => {
      expect(await outcome({ connect })).toBe('ERR_KMS_TLS')
      expect(await outcome({ connect, minTlsVersion: 'TLSv1.2' })).toBe('nothing')
    })
  })

  it('1.1 is refused even so', async () => {
    const old = {
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL:@SECLEVEL=0',
    } as const
    await withServer(good, old, async ({ connect }) => {
      expect(await outcome({ connect, minTlsVersion: 'TLSv1.2' })).toBe('ERR_KMS_TLS')
    })
  })

  it.each(['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES256-SHA'])(
    '1.2 with %s is refused: authenticated ciphers alone',
    async (ciphers) => {
      await withServer(good, { maxVersion: 'TLSv1.2', ciphers }, async ({ connect }) => {
        expect(await outcome({ connect, minTlsVersion: 'TLSv1.2' })).toBe('ERR_KMS_TLS')
      })
    },
  )

  it('that is none is refused', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'))
    const port = await listen(server)
    expect(await outcome({ connect: dial(port) })).toBe('ERR_KMS_TLS')
    server.close()
  })

  it.each(['destroy', 'resetAndDestroy'] as const)(
    'that ends right after the handshake (%s) is a broken connection, and nothing worse',
    async (how) => {
      const { certificate: cert, key } = good
      let raw: Socket | undefined
      const server = createTlsServer({ cert, key }, (socket) => {
        socket.on('error', () => undefined)
        raw?.[how]()
      })
      server.on('connection', (socket) => (raw = socket))
      server.on('tlsClientError', () => undefined)
      const connect = dial(await listen(server))
      await using client = createKmsClient({
        keyArn: KEY_ARN,
        connect,
        credentials: CREDENTIALS,
        getEvidence: async () => new Uint8Array(1),
        roots: [authority.root],
        maxAttempts: 1,
      })
      const codes = new Set<string>()
      for (let index = 0; index < 25; index++) codes.add(await failure(client.describeKey()))
      expect([...codes]).toEqual(['ERR_KMS_CONNECTION'])
      server.close()
    },
  )

  it('that ends with the last byte of the handshake is a broken connection at once', async () => {
    await withServer(good, {}, async (server) => {
      // Passes on what the server says, and ends as soon as the client has said that the handshake is done.
      const connect: Connect = async (host, port, options) => {
        const far = await server.connect(host, port, options)
        let writes = 0
        const near = new Duplex({
          read: () => undefined,
          write: (chunk, _encoding, done) => {
            if (++writes > 1) near.push(null)
            far.write(chunk, () => done())
          },
          destroy: (error, done) => {
            far.destroy()
            done(error)
          },
        })
        far.on('data', (chunk: Uint8Array) => writes < 2 && near.push(chunk))
        far.on('error', () => undefined)
        return near
      }
      for (let index = 0; index < 5; index++) {
        const began = performance.now()
        expect(await outcome({ connect, requestTimeout: 4000 })).toBe('ERR_KMS_CONNECTION')
        expect(performance.now() - began).toBeLessThan(3500)
      }
    })
  })

  it('that ends in the handshake is a broken connection', async () => {
    const server = createServer((socket) => socket.destroy())
    const port = await listen(server)
    expect(await outcome({ connect: dial(port) })).toBe('ERR_KMS_CONNECTION')
    server.close()
  })
})

describe('the environment changes nothing:', () => {
  const child = fileURLToPath(new URL('./tls-child.ts', import.meta.url))
  const run = (port: number, root: string, environment: NodeJS.ProcessEnv): Promise<string> =>
    new Promise((resolve, reject) => {
      const args = [
        '--conditions=@enclavejs/source',
        '--disable-warning=ExperimentalWarning',
        child,
      ]
      const given = [String(port), Buffer.from(root).toString('base64')]
      const env = { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', ...environment }
      execFile(process.execPath, [...args, ...given], { env, timeout: 20_000 }, (error, stdout) => {
        if (error === null) resolve(stdout.trim())
        else reject(error as Error)
      })
    })
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kms-env-'))
    writeFileSync(join(folder, 'rogue.pem'), rogue.root)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('a child process reaches the server that it should', async () => {
    await withServer(good, {}, async ({ port }) => {
      expect(await run(port, authority.root, {})).toBe('answered')
    })
  })

  it.each([
    ['NODE_EXTRA_CA_CERTS', () => ({ NODE_EXTRA_CA_CERTS: join(folder, 'rogue.pem') })],
    [
      'SSL_CERT_FILE',
      () => ({ SSL_CERT_FILE: join(folder, 'rogue.pem'), NODE_OPTIONS: '--use-openssl-ca' }),
    ],
    ['NODE_TLS_REJECT_UNAUTHORIZED', () => ({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })],
    [
      'all of them, with Amazon’s roots',
      () => ({
        NODE_EXTRA_CA_CERTS: join(folder, 'rogue.pem'),
        SSL_CERT_FILE: join(folder, 'rogue.pem'),
        NODE_TLS_REJECT_UNAUTHORIZED: '0',
        NODE_USE_SYSTEM_CA: '1',
        amazon: 'yes',
      }),
    ],
  ])('%s', async (_name, environment) => {
    const { amazon, ...variables } = environment() as Record<string, string>
    await withServer(await rogue.issue({ names: [HOST] }), {}, async ({ port, seen }) => {
      const root = amazon === undefined ? authority.root : ''
      expect(await run(port, root, variables)).toBe('ERR_KMS_TLS')
      expect(seen).toHaveLength(0)
    })
  })

  it('NODE_OPTIONS=--tls-min-v1.0 --tls-max-v1.2', async () => {
    await withServer(good, { maxVersion: 'TLSv1.2' }, async ({ port }) => {
      const options = { NODE_OPTIONS: '--tls-min-v1.0 --tls-max-v1.2' }
      expect(await run(port, authority.root, options)).toBe('ERR_KMS_TLS')
    })
    await withServer(good, { minVersion: 'TLSv1.3' }, async ({ port }) => {
      const options = { NODE_OPTIONS: '--tls-min-v1.0 --tls-max-v1.2' }
      expect(await run(port, authority.root, options)).toBe('answered')
    })
  })

  it('NODE_OPTIONS=--tls-keylog writes no keys', async () => {
    const keylog = join(folder, 'keys')
    await withServer(good, {}, async ({ port }) => {
      const options = { NODE_OPTIONS: `--tls-keylog=${keylog}` }
      expect(await run(port, authority.root, options)).toBe('answered')
    })
    let written = ''
    try {
      written = readFileSync(keylog, 'utf8')
    } catch {
      // Best of all: no file.
    }
    expect(written).toBe('')
  })
})

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
