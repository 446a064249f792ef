import { spawnSync } from 'node:child_process'
import { createHash, randomBytes, verify } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  createToken,
  createTokenRelay,
  providerKeyFile,
  tokenUri,
  type AcmToken,
  type AcmTokenRelay,
} from '../../src/token.ts'
import { MadeAuthority, type MadeKey } from './made-key.ts'
import { OtherDebian } from './other-debian.ts'
import { Workplace } from './program.ts'
import { streamTo } from './user.ts'
import { Apache, handshake, Nginx, type ServedKey } from './web-server.ts'

const PIN = '123456'
const message = new Uint8Array(randomBytes(3000))
let authority: MadeAuthority
const keys = new Map<'rsa' | 'ec', MadeKey>()
const made = (kind: 'rsa' | 'ec'): MadeKey => keys.get(kind) as MadeKey
const uriOf = ({ id, label }: MadeKey, pin: string = PIN): string =>
  tokenUri({ label: 'acmtok', id, object: label, pin })

beforeAll(() => {
  authority = new MadeAuthority()
  keys.set('rsa', authority.issue('rsa', 1)).set('ec', authority.issue('ec', 2))
})

// trixie's p11-kit 0.25 writes mechanisms as that of Debian 12 does, forky's 0.26 in the new way; what it sent is looked at.
const debians = [
  [new OtherDebian('trixie'), 1],
  [new OtherDebian('forky'), 2],
] as const

for (const [debian, version] of debians) {
  const { release } = debian
  const why = debian.absent
  describe.skipIf(why)(`OpenSSL’s provider of ${release} (${why ?? 'present'})`, () => {
    let workplace: Workplace
    let token: AcmToken
    let relay: AcmTokenRelay
    let server: Server
    /** The first byte of each connection: what p11-kit's client says it knows. */
    let versions: number[]

    beforeEach(async () => {
      workplace = new Workplace(debian)
      token = createToken({ label: 'inner', pin: 'inner pin', keys: [...keys.values()] })
      const enclave = { connect: () => streamTo(token), pin: 'inner pin' }
      relay = createTokenRelay({ label: 'acmtok', pin: PIN, enclaves: [enclave] })
      await relay.refresh()
      versions = []
      server = createServer((socket) => {
        socket.once('data', (chunk: Uint8Array) => versions.push(chunk[0] ?? -1))
        relay.serve(socket)
      })
      await new Promise<void>((resolve) => server.listen(workplace.socket, resolve))
    })

    afterEach(async () => {
      await workplace.close()
      relay.close()
      token.close()
      await new Promise((resolve) => server.close(resolve))
    })

    /** The key as this nginx finds it: through OpenSSL's store where it knows that, else as a file with the URI in it. */
    const served = (key: MadeKey): ServedKey => ({
      uri: uriOf(key),
      nginxKey:
        release === 'forky'
          ? `store:${uriOf(key)}`
          : workplace.write(`${key.label}.key`, providerKeyFile(uriOf(key))),
      certificate: workplace.write(`${key.label}.pem`, [key.certificate, ...key.path].join('')),
    })

    test.each([
      ['rsa', [], {}],
      ['rsa', ['rsa_padding_mode:pss', 'rsa_pss_saltlen:digest'], { padding: 6, saltLength: 32 }],
      ['ec', [], {}],
    ] as const)('openssl pkeyutl signs with %s %j', async (kind, padding, options) => {
      const key = made(kind)
      const digest = createHash('sha256').update(message).digest()
      const { status, stderr } = await workplace.run('/usr/bin/openssl', [
        ...['pkeyutl', '-sign', '-inkey', uriOf(key), '-in', workplace.write('digest', digest)],
        ...['digest:sha256', ...padding].flatMap((option) => ['-pkeyopt', option]),
        ...['-out', workplace.path('signature')],
      ])
      expect(stderr).toBe('')
      expect(status).toBe(0)
      const signature = readFileSync(workplace.path('signature'))
      expect(verify('sha256', message, { key: key.publicKey, ...options }, signature)).toBe(true)
      expect(new Set(versions)).toEqual(new Set([version]))
    })

    test('openssl req finds the key in a file with its URI', async () => {
      const file = workplace.write('key.pem', providerKeyFile(uriOf(made('ec'))))
      const request = workplace.path('request.pem')
      const { status, stderr } = await workplace.run('/usr/bin/openssl', [
        ...['req', '-new', '-key', file, '-subj', '/CN=localhost', '-sha256', '-out', request],
        ...['-config', workplace.write('req.cnf', '[req]\ndistinguished_name=dn\n[dn]\n')],
      ])
      expect(status, stderr).toBe(0)
      // Without the provider: the token does not verify.
      const verified = spawnSync('openssl', ['req', '-in', request, '-noout', '-verify'])
      expect(verified.stderr.toString()).toMatch(/verify OK/)
    })

    test.each([
      ['RSA-PKCS-PSS', 'rsa', { padding: 6, saltLength: 32 }, ['--hash-algorithm', 'SHA256']],
      ['ECDSA', 'ec', { dsaEncoding: 'ieee-p1363' as const }, []],
    ] as const)('pkcs11-tool: %s', async (mechanism, kind, options, more) => {
      const digest = createHash('sha256').update(message).digest()
      const key = made(kind)
      const { status, stderr } = await workplace.run('/usr/bin/pkcs11-tool', [
        ...['--module', debian.module, '--sign', '--login', '--pin', PIN, '--mechanism', mechanism],
        ...['--id', Buffer.from(key.id).toString('hex'), ...more],
        ...['--input-file', workplace.write('in', digest), '--output-file', workplace.path('out')],
      ])
      expect(status, stderr).toBe(0)
      const signature = readFileSync(workplace.path('out'))
      expect(verify('sha256', message, { key: key.publicKey, ...options }, signature)).toBe(true)
      expect(new Set(versions)).toEqual(new Set([version]))
    })

    test.each(['rsa', 'ec'] as const)('NGINX serves %s over TLS 1.2 and 1.3', async (kind) => {
      const nginx = await Nginx.start(workplace, served(made(kind)))
      const ca = workplace.write('root.pem', authority.root)
      for (const tls of ['TLSv1.2', 'TLSv1.3'] as const) {
        const limits = { minVersion: tls, maxVersion: tls }
        const socket = await handshake(nginx.port, { ca: authority.root, ...limits })
        expect([socket.authorized, socket.getProtocol()]).toEqual([true, tls])
        socket.destroy()
        const shown = await workplace.run('/usr/bin/openssl', [
          ...['s_client', '-connect', `127.0.0.1:${nginx.port}`, '-servername', 'localhost'],
          ...['-CAfile', ca, '-verify_return_error', `-tls${tls.slice(4).replace('.', '_')}`],
        ])
        expect(shown.stdout.toString()).toMatch(/Verify return code: 0/)
      }
      expect(nginx.log).not.toMatch(/\[(error|crit|alert|emerg)\]/)
      expect(new Set(versions)).toEqual(new Set([version]))
    })

    const noApache = existsSync(debian.file('/usr/sbin/apache2')) ? undefined : 'no apache2-bin'
    test.skipIf(noApache)(
      `Apache serves over TLS 1.2 and 1.3 (${noApache ?? 'present'})`,
      async () => {
        mkdirSync(workplace.path('www'))
        workplace.write('www/index.html', 'served by the token\n')
        const kind = release === 'trixie' ? 'rsa' : 'ec'
        const key = served(made(kind))
        const apacheKey = workplace.write('apache.key', providerKeyFile(key.uri))
        const apache = await Apache.start(workplace, { ...key, apacheKey })
        for (const tls of ['TLSv1.2', 'TLSv1.3'] as const) {
          const limits = { minVersion: tls, maxVersion: tls }
          const socket = await handshake(apache.port, { ca: authority.root, ...limits })
          expect([socket.authorized, socket.getProtocol()]).toEqual([true, tls])
          socket.destroy()
        }
        expect(new Set(versions)).toEqual(new Set([version]))
        expect(apache.log).not.toMatch(/:(error|crit|alert|emerg)\]/)
      },
    )

    test('pkcs11-tool --test', async () => {
      const { status, stdout, stderr } = await workplace.run('/usr/bin/pkcs11-tool', [
        ...['--module', debian.module, '--test', '--login', '--pin', PIN],
      ])
      expect(`${stdout.toString()}${stderr}`).toContain('No errors')
      expect(status).toBe(0)
    })

    // That of forky, libp11 0.4.21 under OpenSSL 3.6, fails after a reload by itself.
    if (release === 'trixie') {
      test.each(['rsa', 'ec'] as const)('NGINX serves %s through the engine, too', async (kind) => {
        const other = new Workplace(debian, 'engine')
        symlinkSync(workplace.socket, other.socket)
        try {
          const { uri, certificate } = served(made(kind))
          const nginx = await Nginx.start(other, { uri, certificate })
          for (const tls of ['TLSv1.2', 'TLSv1.3'] as const) {
            const limits = { minVersion: tls, maxVersion: tls }
            const socket = await handshake(nginx.port, { ca: authority.root, ...limits })
            expect(socket.getProtocol()).toBe(tls)
            socket.destroy()
          }
          expect(nginx.log).not.toMatch(/\[(error|crit|alert|emerg)\]/)
        } finally {
          await other.close()
        }
      })
    }

    test('NGINX: a renewed key under a new id, and the old one goes', async () => {
      const old = authority.issue('ec', 0x11, 'acm-key')
      const renewed = authority.issue('ec', 0x12, 'acm-key')
      token.addKey(old)
      await relay.refresh()
      const nginx = await Nginx.start(workplace, served(old))
      const options = { ca: authority.root }
      const serial = async (): Promise<string> => {
        const socket = await handshake(nginx.port, options)
        const { serialNumber } = socket.getPeerCertificate()
        socket.destroy()
        return serialNumber
      }
      const before = await serial()
      token.addKey(renewed)
      token.retireKey(old.id)
      await relay.refresh()
      expect(relay.retired).toEqual([{ id: old.id, inUse: true }])
      nginx.reload(served(renewed))
      await expect.poll(serial, { timeout: 5000 }).not.toBe(before)
      // The master is connected all the while, and signs nothing.
      await expect.poll(() => relay.retired[0]?.inUse, { timeout: 5000 }).toBe(false)
      await relay.removeRetired(old.id)
      for (let round = 0; round < 5; round++) expect(await serial()).not.toBe(before)
      expect(nginx.log).not.toMatch(/\[(error|crit|alert|emerg)\]/)
    })

    test('a wrong PIN in the URI: no key', async () => {
      const { status } = await workplace.run('/usr/bin/openssl', [
        ...['pkeyutl', '-sign', '-inkey', uriOf(made('ec'), '654321'), '-pkeyopt', 'digest:sha256'],
        ...['-in', workplace.write('digest', new Uint8Array(32)), '-out', workplace.path('out')],
      ])
      expect(status).not.toBe(0)
    })
  })
}
