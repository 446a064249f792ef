import { createHash, randomBytes, verify } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createToken, type AcmToken } from '../../src/token.ts'
import { writeDigestInfo } from '../../src/token/digest-info.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { absent, MODULE, Workplace } from './program.ts'
import { Apache, handshake, Nginx, type ServedKey } from './web-server.ts'

const PIN = '123456'
let authority: MadeAuthority
const keys = new Map<'rsa' | 'ec', MadeKey>()
let workplace: Workplace
let token: AcmToken
let server: Server

beforeAll(() => {
  authority = new MadeAuthority()
  keys.set('rsa', authority.issue('rsa', 1)).set('ec', authority.issue('ec', 2))
})

beforeEach(async () => {
  workplace = new Workplace()
  token = createToken({ label: 'acmtok', pin: PIN, keys: [...keys.values()] })
  server = createServer()
  token.listen(server)
  await new Promise<void>((resolve) => server.listen(workplace.socket, resolve))
})

afterEach(async () => {
  await workplace.close()
  token.close()
  await new Promise((resolve) => server.close(resolve))
})

const made = (kind: 'rsa' | 'ec'): MadeKey => keys.get(kind) as MadeKey
const uriOf = ({ id, label }: MadeKey): string =>
  `pkcs11:token=acmtok;id=%${Buffer.from(id).toString('hex')};object=${label};type=private?pin-value=${PIN}`
const served = (key: MadeKey): ServedKey => ({
  uri: uriOf(key),
  certificate: workplace.write(`${key.label}.pem`, [key.certificate, ...key.path].join('')),
})

describe.skipIf(absent('pkcs11-tool'))(
  `pkcs11-tool (${absent('pkcs11-tool') ?? 'present'})`,
  () => {
    const tool = (...args: string[]) =>
      workplace.run('/usr/bin/pkcs11-tool', ['--module', MODULE, ...args])

    test('lists the token, its mechanisms and its objects', async () => {
      const slots = await tool('--list-slots')
      expect(slots.stdout.toString()).toMatch(/token label {8}: acmtok/)
      const mechanisms = (await tool('--list-mechanisms')).stdout.toString()
      expect(mechanisms).toMatch(/RSA-PKCS-PSS/)
      expect(mechanisms).not.toMatch(/X-509|decrypt|OAEP/)
      const objects = (await tool('--list-objects', '--login', '--pin', PIN)).stdout.toString()
      expect(objects.match(/Private Key Object/g)).toHaveLength(2)
      expect(objects.match(/Certificate Object/g)).toHaveLength(6)
    })

    const digest = (bytes: Uint8Array): Uint8Array =>
      new Uint8Array(createHash('sha256').update(bytes).digest())
    const info = (bytes: Uint8Array) => writeDigestInfo({ hash: 'sha256', digest: digest(bytes) })
    const pss = { padding: 6, saltLength: 32 }
    const p1363 = { dsaEncoding: 'ieee-p1363' as const }
    test.each([
      ['RSA-PKCS', 'rsa', info, {}, []],
      ['SHA256-RSA-PKCS', 'rsa', (bytes: Uint8Array) => bytes, {}, []],
      ['RSA-PKCS-PSS', 'rsa', digest, pss, ['--hash-algorithm', 'SHA256']],
      ['ECDSA', 'ec', digest, p1363, []],
    ] as const)('%s', async (mechanism, kind, prepare, options, more) => {
      const message = new Uint8Array(randomBytes(3000))
      const key = made(kind)
      const id = Buffer.from(key.id).toString('hex')
      const { status, stderr } = await tool(
        ...['--sign', '--login', '--pin', PIN, '--mechanism', mechanism, '--id', id, ...more],
        ...['--input-file', workplace.write('in', prepare(message))],
        ...['--output-file', workplace.path('out')],
      )
      expect(stderr).not.toMatch(/error/)
      expect(status).toBe(0)
      const signature = readFileSync(workplace.path('out'))
      expect(verify('sha256', message, { key: key.publicKey, ...options }, signature)).toBe(true)
    })

    test.each([
      ['RSA-X-509', 'CKR_MECHANISM_INVALID'],
      ['RSA-PKCS', 'CKR_'],
    ])('%s over 256 bytes is refused', async (mechanism, rv) => {
      const { status, stderr } = await tool(
        ...['--sign', '--login', '--pin', PIN, '--mechanism', mechanism, '--id', '01'],
        ...['--input-file', workplace.write('in', new Uint8Array(256).fill(1))],
        ...['--output-file', workplace.path('out')],
      )
      expect(status).not.toBe(0)
      expect(stderr).toContain(rv)
    })

    test('a wrong PIN', async () => {
      const { status, stderr } = await tool('--list-objects', '--login', '--pin', '654321')
      expect(status).not.toBe(0)
      expect(stderr).toContain('CKR_PIN_INCORRECT')
    })

    test('--test', async () => {
      const { status, stdout, stderr } = await tool('--test', '--login', '--pin', PIN)
      expect(`${stdout.toString()}${stderr}`).toContain('No errors')
      expect(status).toBe(0)
    })
  },
)

describe.skipIf(absent('engine'))(`OpenSSL (${absent('engine') ?? 'present'})`, () => {
  test.each(['rsa', 'ec'] as const)('signs a certification request with %s', async (kind) => {
    const { status, stdout, stderr } = await workplace.run('/usr/bin/openssl', [
      ...['req', '-new', '-engine', 'pkcs11', '-keyform', 'engine', '-key', uriOf(made(kind))],
      ...['-subj', '/CN=localhost', '-sha256', '-verify'],
      ...[
        '-config',
        workplace.write(
          'req.cnf',
          `.include ${workplace.path('openssl.cnf')}\n[req]\ndistinguished_name=dn\n[dn]\n`,
        ),
      ],
    ])
    expect(status, stderr).toBe(0)
    expect(stderr).toMatch(/verify OK/)
    expect(stdout.toString()).toContain('CERTIFICATE REQUEST')
  })
})

/** What openssl s_client and curl say to a web server. */
async function seenBy(port: number, kind: 'rsa' | 'ec', version: 'TLSv1.2' | 'TLSv1.3') {
  const ca = workplace.write('root.pem', authority.root)
  const number = version.slice(4)
  const flag = `-tls${number.replace('.', '_')}`
  const shown = await workplace.run('/usr/bin/openssl', [
    ...['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'localhost'],
    ...['-CAfile', ca, '-verify_return_error', flag],
  ])
  expect(shown.stdout.toString()).toMatch(/Verify return code: 0/)
  expect(shown.stdout.toString()).toContain(kind === 'rsa' ? 'RSA' : 'ECDSA')

  const fetched = await workplace.run('/usr/bin/curl', [
    ...['--silent', '--show-error', '--cacert', ca, '--max-time', '10', `--tlsv${number}`],
    ...['--tls-max', number, '--resolve', `localhost:${port}:127.0.0.1`],
    `https://localhost:${port}/index.html`,
  ])
  expect(fetched.stderr).toBe('')
  expect(fetched.stdout.toString()).toBe('served by the token\n')
}

describe.skipIf(absent('nginx', 'curl'))(`NGINX (${absent('nginx', 'curl') ?? 'present'})`, () => {
  test.each([
    ['rsa', 'TLSv1.2'],
    ['rsa', 'TLSv1.3'],
    ['ec', 'TLSv1.2'],
    ['ec', 'TLSv1.3'],
  ] as const)('serves %s over %s to Node, openssl s_client and curl', async (kind, version) => {
    const nginx = await Nginx.start(workplace, served(made(kind)))
    const limits = { minVersion: version, maxVersion: version }
    const socket = await handshake(nginx.port, { ca: authority.root, ...limits })
    expect([socket.authorized, socket.getProtocol()]).toEqual([true, version])
    socket.destroy()

    await seenBy(nginx.port, kind, version)
    expect(token.connections).toBeGreaterThanOrEqual(2)
  })
})

const noApache = absent('apache', 'curl')
describe.skipIf(noApache)(`Apache (${noApache ?? 'present'})`, () => {
  test.each([
    ['rsa', 'TLSv1.2'],
    ['rsa', 'TLSv1.3'],
    ['ec', 'TLSv1.2'],
    ['ec', 'TLSv1.3'],
  ] as const)('serves %s over %s to openssl s_client and curl', async (kind, version) => {
    mkdirSync(workplace.path('www'))
    workplace.write('www/index.html', 'served by the token\n')
    const { port } = await Apache.start(workplace, served(made(kind)))
    await seenBy(port, kind, version)
  })

  test.each(['rsa', 'ec'] as const)('serves %s over TLS 1.2 and 1.3', async (kind) => {
    const { port } = await Apache.start(workplace, served(made(kind)))
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const limits = { minVersion: version, maxVersion: version }
      const socket = await handshake(port, { ca: authority.root, ...limits })
      expect([socket.authorized, socket.getProtocol()]).toEqual([true, version])
      socket.destroy()
    }
  })
})
