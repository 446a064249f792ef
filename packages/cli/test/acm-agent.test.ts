import { existsSync, readFileSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { certificateId, createToken, type AcmToken } from '@enclavejs/acm-enclave/token'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CKM } from '../../acm-enclave/src/token/cryptoki.ts'
import { MadeAuthority, type MadeKey } from '../../acm-enclave/test/token/made-key.ts'
import { OtherDebian } from '../../acm-enclave/test/token/other-debian.ts'
import { absent, freePort, Workplace } from '../../acm-enclave/test/token/program.ts'
import { User } from '../../acm-enclave/test/token/user.ts'
import {
  configureApache,
  handshake,
  Nginx,
  untilListening,
} from '../../acm-enclave/test/token/web-server.ts'
import { TokenAgent } from '../../../test/examples/token-agent.ts'

const PIN = 'a pin of 18 bytes.'
const authority = new MadeAuthority()
const placeholder = { uri: 'none', certificate: 'none' }
let workplace: Workplace
let token: AcmToken
let agent: TokenAgent | undefined

const made = (): MadeKey => {
  const key = authority.issue('ec', 1, 'acm-key')
  return { ...key, id: certificateId(key.certificate) }
}
const hex = (id: Uint8Array): string => Buffer.from(id).toString('hex')

async function open(debian?: OtherDebian): Promise<void> {
  workplace = new Workplace(debian)
  token = createToken({ label: 'inner', pin: PIN, keys: [made()] })
  const server = createServer()
  token.listen(server)
  await new Promise<void>((resolve) => server.listen(workplace.path('enclave.sock'), resolve))
  server.unref()
  workplace.write('pin', `${PIN}\n`)
}

async function start(...more: string[]): Promise<TokenAgent> {
  agent = await TokenAgent.start([
    ...['--socket', workplace.socket, '--pin-file', workplace.path('pin'), '--interval', '1'],
    ...['--enclave-unix', workplace.path('enclave.sock')],
    ...['--certificate', workplace.path('c.pem'), ...more],
  ])
  return agent
}

beforeEach(() => open())
afterEach(async () => {
  await agent?.stop()
  agent = undefined
  token.close()
  await workplace.close()
})

const noApache = absent('apache')
test.skipIf(noApache)(
  `Apache's configuration, as it was but for two lines, and Apache takes it (${noApache ?? 'present'})`,
  async () => {
    const port = await freePort()
    const file = configureApache(workplace, port, placeholder)
    const before = readFileSync(file, 'utf8').split('\n')
    await start('--apache-conf', file, '--socket-mode', '666')
    const after = readFileSync(file, 'utf8').split('\n')
    const changed = after.filter((line, index) => line !== before[index])
    const id = hex(token.ids[0] as Uint8Array).replace(/../g, '%$&')
    expect(changed).toEqual([
      `SSLCertificateKeyFile "pkcs11:model=acm-token;manufacturer=enclavejs;token=acm-token;id=${id};object=acm-key;type=private?pin-value=a%20pin%20of%2018%20bytes."`,
      `SSLCertificateFile "${workplace.path('c.pem')}"`,
    ])
    expect(statSync(file).mode & 0o777).toBe(0o440)
    const checked = await workplace.run('/usr/sbin/apache2', ['-t', '-f', file])
    expect(checked.stderr).toContain('Syntax OK')
    workplace.openToOthers()
    workplace.start('/usr/sbin/apache2', ['-f', file, '-DFOREGROUND'])
    await untilListening(port, () => readFileSync(workplace.path('apache.log'), 'utf8'))
    const socket = await handshake(port, { ca: authority.root })
    expect(socket.authorized).toBe(true)
    socket.destroy()
  },
)

const trixie = new OtherDebian('trixie')
test.skipIf(trixie.absent)(
  `a key file for OpenSSL's provider, which nginx -t and NGINX take (${trixie.absent ?? 'present'})`,
  async () => {
    token.close()
    await workplace.close()
    await open(trixie)
    const [key, stanza] = [workplace.path('key.pem'), workplace.path('stanza.conf')]
    await start('--provider-key', key, '--nginx-stanza', stanza)
    expect(readFileSync(key, 'utf8')).toContain('-----BEGIN PKCS#11 PROVIDER URI-----')
    expect(statSync(key).mode & 0o777).toBe(0o440)
    const certificate = workplace.path('c.pem')
    expect(readFileSync(stanza, 'utf8')).toBe(
      `ssl_certificate_key "${key}";\nssl_certificate "${certificate}";\n`,
    )
    const nginx = await Nginx.start(workplace, { uri: '', nginxKey: key, certificate })
    const conf = workplace.write(
      'checked.conf',
      readFileSync(workplace.path('nginx.conf'), 'utf8').replace(
        /ssl_certificate_key[^;]*;\s*ssl_certificate[^;]*;/,
        `include ${stanza};`,
      ),
    )
    const checked = await workplace.run('/usr/sbin/nginx', ['-t', '-c', conf])
    expect(checked.stderr).toContain('test is successful')
    const socket = await handshake(nginx.port, { ca: authority.root })
    expect(socket.authorized).toBe(true)
    socket.destroy()
  },
)

test('waits for an enclave that is still booting', async () => {
  const late = createServer((socket) => token.serve(socket))
  const path = workplace.path('late.sock')
  const starting = TokenAgent.start([
    ...['--socket', workplace.socket, '--pin-file', workplace.path('pin')],
    ...['--enclave-unix', path],
  ])
  await new Promise((resolve) => setTimeout(resolve, 2500))
  expect(existsSync(workplace.socket)).toBe(false)
  await new Promise<void>((resolve) => late.listen(path, resolve))
  agent = await starting
  expect(agent.log).toContain('1 keys on')
  late.close()
})

describe('a renewed key', () => {
  const renew = (): Uint8Array => {
    const renewed = made()
    const [old] = token.ids
    token.addKey(renewed)
    token.retireKey(old as Uint8Array)
    return old as Uint8Array
  }

  test('the reload is tried until it succeeds, and only then the old key goes', async () => {
    const reload = `test -e ${workplace.path('ready')} && touch ${workplace.path('reloaded')}`
    await start('--reload', reload, '--drop-after', '0')
    const old = renew()
    await expect.poll(() => agent?.log, { timeout: 5000 }).toMatch(/--reload ended with 1\n.*\n?/)
    await expect
      .poll(() => agent?.log.match(/--reload ended with 1/g)?.length, { timeout: 5000 })
      .toBeGreaterThan(1)
    expect(token.ids).toHaveLength(2)
    workplace.write('ready', '')
    await expect.poll(() => token.ids, { timeout: 5000 }).toHaveLength(1)
    expect(existsSync(workplace.path('reloaded'))).toBe(true)
    await expect.poll(() => agent?.log).toContain(`the key ${hex(old)} is removed`)
  })

  test('without --reload nothing is known of the web server, and the old key stays', async () => {
    await start('--drop-after', '0')
    renew()
    await expect.poll(() => agent?.log, { timeout: 5000 }).toContain('the key is now')
    await new Promise((resolve) => setTimeout(resolve, 2200))
    expect(token.ids).toHaveLength(2)
  })

  test('without --reload it goes with time, and not while a worker is connected that has signed with it', async () => {
    await start('--keep-old', '2')
    const relay = { serve: (stream: Duplex) => stream.pipe(connect(workplace.socket)).pipe(stream) }
    const worker = await User.of(relay, PIN)
    const [key = 0] = await worker.find({ 0: 3 })
    await worker.signInit({ type: CKM.ECDSA, pss: undefined }, key)
    const old = renew()
    await expect.poll(() => agent?.log, { timeout: 5000 }).toContain('the key is now')
    await new Promise((resolve) => setTimeout(resolve, 3500))
    expect(token.ids).toHaveLength(2)
    worker.rpc.close()
    await expect.poll(() => agent?.log, { timeout: 5000 }).toContain(`${hex(old)} is removed`)
  })

  test('while the agent was away: the web server is reloaded after its start', async () => {
    const more = ['--reload', `touch ${workplace.path('reloaded')}`]
    await start(...more)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(existsSync(workplace.path('reloaded'))).toBe(false)
    await agent?.stop()
    renew()
    await start(...more)
    await expect.poll(() => existsSync(workplace.path('reloaded')), { timeout: 5000 }).toBe(true)
  })
})

test.each(['SSLCertificateFile c.pem\n', ' SSLCertificateKeyFile k\nSSLCertificateFile c.pem\n'])(
  'an Apache configuration without the lines is refused: %j',
  async (text) => {
    const file = workplace.write('apache.conf', text)
    await expect(start('--apache-conf', file)).rejects.toThrow(
      `--apache-conf: ${file}: a line that begins with SSLCertificateKeyFile expected, none found`,
    )
    expect(readFileSync(file, 'utf8')).toBe(text)
  },
)
