import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect as netConnect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { connect as tlsConnect, type ConnectionOptions } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  EncryptCommand,
  GenerateRandomCommand,
  GetPublicKeyCommand,
  RotateKeyOnDemandCommand,
  type KMSClient,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSimulatedAccount, createSimulatedKms } from '../../src/kms.ts'
import { sdkClient, setup, type Setup } from './bench-of-kms.ts'

const HOST = 'kms.eu-west-1.amazonaws.com'

let scene: Setup
let client: KMSClient
beforeAll(async () => {
  scene = await setup()
  client = sdkClient(scene.kms, scene.credentials)
})
afterAll(async () => {
  client.destroy()
  await scene.kms.close()
})

function folder(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'enclavejs-kms-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

describe('TLS', () => {
  async function handshake(options: ConnectionOptions): Promise<string> {
    const socket = await scene.kms.connect(HOST, 443)
    return new Promise((resolve, reject) => {
      const tls = tlsConnect({ socket, servername: HOST, ca: scene.kms.ca, ...options }, () => {
        resolve(`${tls.getProtocol()} ${tls.alpnProtocol}`)
        tls.destroy()
      })
      tls.on('error', reject)
    })
  }

  it('1.3 and 1.2, HTTP/1.1, for the names of KMS alone', async () => {
    expect(await handshake({ ALPNProtocols: ['h2', 'http/1.1'] })).toBe('TLSv1.3 http/1.1')
    expect(await handshake({ maxVersion: 'TLSv1.2' })).toBe('TLSv1.2 false')
    for (const name of scene.kms.hostNames) {
      expect(await handshake({ servername: name })).toMatch(/^TLSv1\.3/)
    }
    expect(scene.kms.hostNames).toEqual([
      HOST,
      'kms.eu-west-1.api.aws',
      'kms-fips.eu-west-1.amazonaws.com',
      'kms-fips.eu-west-1.api.aws',
    ])
    await expect(handshake({ servername: 'kms.us-east-1.amazonaws.com' })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
    await expect(handshake({ ca: undefined as never })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    })
  })

  it('the versions that options say', async () => {
    await using old = await createSimulatedKms({
      accounts: [scene.account],
      attestationRoots: [scene.authority.trustAnchor],
      maxVersion: 'TLSv1.2',
      region: 'cn-north-1',
    })
    expect(old.hostNames).toContain('kms.cn-north-1.amazonaws.com.cn')
    const [servername = ''] = old.hostNames
    const socket = await old.connect(servername, 443)
    const refused = new Promise((_resolve, reject) => {
      tlsConnect({ socket, servername, ca: old.ca, minVersion: 'TLSv1.3' }).on('error', reject)
    })
    await expect(refused).rejects.toThrow(/protocol version/)
  })

  it('a CA of its own each time', async () => {
    const ca = new X509Certificate(scene.kms.ca)
    expect(ca.ca).toBe(true)
    expect(ca.subject).toContain('NotAWS')
    expect(ca.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
    const { kms } = await setup()
    expect(kms.ca).not.toBe(scene.kms.ca)
    expect(kms.connect.roots).toEqual([kms.ca])
    expect(kms.keyOf('alias/none', scene.account.accountId)).toBeUndefined()
    await kms.close()
  })
})

describe('where it listens', () => {
  it('a Unix socket', async () => {
    using dir = folder()
    const path = join(dir.path, 'kms.sock')
    const { kms, credentials } = await setup({ listen: { path } })
    const sdk = sdkClient(kms, credentials)
    expect(kms.address()).toEqual({ path })
    await sdk.send(new GenerateRandomCommand({ NumberOfBytes: 1 }))
    sdk.destroy()
    await kms.close()
    expect(readdirSync(dir.path)).toEqual([])
  })

  it('streams that something else accepted', async () => {
    const [ours, theirs] = duplexPair()
    scene.kms.serve(theirs)
    const tls = tlsConnect({ socket: ours, servername: HOST, ca: scene.kms.ca })
    tls.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 2\r\n\r\n{}`)
    const [text] = (await once(tls, 'data')) as [Buffer]
    expect(text.toString()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nx-amzn-RequestId: /)
    tls.destroy()
  })

  it('loopback and nothing else', async () => {
    await expect(setup({ listen: { host: '0.0.0.0' } })).rejects.toThrow(/^listen\.host/)
    expect(scene.kms.address()).toMatchObject({ host: '127.0.0.1' })
  })

  it('a port that is taken', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    await expect(setup({ listen: { port } })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await new Promise((resolve) => taken.close(resolve))
  })

  it('dialling can be aborted, and close ends what is open', async () => {
    const { kms } = await setup()
    const reason = new Error('enough')
    await expect(kms.connect(HOST, 443, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const socket = await kms.connect(HOST, 443)
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.on('error', () => undefined)
    await kms.close()
    await closed
    await expect(kms.connect(HOST, 443)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('what is no TLS is ended, and harms nobody', async () => {
    const address = scene.kms.address() as { host: string; port: number }
    const socket = netConnect(address.port, address.host)
    socket.end('GET / HTTP/1.1\r\n\r\n')
    socket.on('error', () => undefined)
    await new Promise((resolve) => socket.resume().on('close', resolve))
    await client.send(new GenerateRandomCommand({ NumberOfBytes: 1 }))
  })
})

describe('a directory', () => {
  it('keeps keys, policies, grants, aliases and the CA, readable to its owner alone', async () => {
    using dir = folder()
    const directory = join(dir.path, 'kms')
    const first = await setup({ directory })
    const { account, authority, credentials } = first
    const sdk = sdkClient(first.kms, credentials)
    const made = await sdk.send(new CreateKeyCommand({ Description: 'kept' }))
    const KeyId = made.KeyMetadata?.Arn ?? ''
    await sdk.send(new CreateAliasCommand({ AliasName: 'alias/kept', TargetKeyId: KeyId }))
    const { arn: signing } = await first.kms.createKey({
      keySpec: 'ECC_NIST_P256',
      keyUsage: 'SIGN_VERIFY',
    })
    const before = await sdk.send(new GetPublicKeyCommand({ KeyId: signing }))
    const sealed = await sdk.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('kept') }))
    await sdk.send(new RotateKeyOnDemandCommand({ KeyId }))
    sdk.destroy()
    await first.kms.close()
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(join(directory, 'kms.json')).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory).toSorted()).toEqual(['kms-ca.pem', 'kms.json'])
    expect(readFileSync(join(directory, 'kms-ca.pem'), 'utf8')).toBe(first.kms.ca)

    await using second = await createSimulatedKms({
      accounts: [account],
      attestationRoots: [authority.trustAnchor],
      directory,
    })
    expect(second.ca).toBe(first.kms.ca)
    const again = sdkClient(second, credentials)
    const opened = await again.send(
      new DecryptCommand({ CiphertextBlob: sealed.CiphertextBlob, KeyId: 'alias/kept' }),
    )
    expect(Buffer.from(opened.Plaintext ?? []).toString()).toBe('kept')
    const after = await again.send(new GetPublicKeyCommand({ KeyId: signing }))
    expect(after.PublicKey).toEqual(before.PublicKey)
    again.destroy()
  })

  it('of another region, or with something else in it: ERR_SIMULATOR_DIRECTORY', async () => {
    using dir = folder()
    const { kms } = await setup({ directory: dir.path })
    await kms.close()
    const open = (region: string): Promise<unknown> => setup({ directory: dir.path, region })
    const code = 'ERR_SIMULATOR_DIRECTORY'
    await expect(open('us-east-1')).rejects.toMatchObject({ code })
    writeFileSync(join(dir.path, 'kms.json'), '{"version":2}')
    await expect(open('eu-west-1')).rejects.toMatchObject({ code })
    writeFileSync(join(dir.path, 'kms.json'), '{')
    await expect(open('eu-west-1')).rejects.toMatchObject({ code })
    await expect(setup({ directory: join(dir.path, 'kms.json', 'x') })).rejects.toMatchObject({
      code,
    })
  })
})

describe('the caller’s own mistakes', () => {
  const base = { attestationRoots: ['x'] as string[] }
  it('are TypeError and RangeError that name the argument', async () => {
    const accounts = [createSimulatedAccount()]
    await expect(createSimulatedKms({ accounts: [], ...base })).rejects.toThrow(/^accounts/)
    await expect(createSimulatedKms({ accounts, ...base })).rejects.toThrow(/^attestationRoots/)
    await expect(createSimulatedKms({ accounts, ...base, region: 'EU' })).rejects.toThrow(/^region/)
    await expect(scene.kms.createKey({ accountId: '1' })).rejects.toThrow(/^accountId/)
    await expect(scene.kms.rotateKey('none')).rejects.toThrow(/^keyId/)
    expect(() => createSimulatedAccount({ accountId: '1' })).toThrow(/^accountId/)
    expect(() => createSimulatedAccount({ partition: 'gcp' })).toThrow(/^partition/)
    const { account } = scene
    expect(() => account.issueCredentials({ role: 'a b' })).toThrow(/^role/)
    expect(() => account.issueCredentials({ role: 'arn:aws:iam::1:role/x' })).toThrow(/^role/)
    expect(() => account.issueUserCredentials({ user: '' })).toThrow(/^user/)
    expect(() => account.issueCredentials({ role: 'a', sessionName: '?' })).toThrow(/^sessionName/)
    expect(() => account.issueCredentials({ role: 'a', lifetimeMs: 1e9 })).toThrow(RangeError)
  })
})

it('keeps no more requests than it is told', async () => {
  const { kms, credentials } = await setup({ recordLimit: 2 })
  const sdk = sdkClient(kms, credentials)
  for (const NumberOfBytes of [1, 2, 3])
    await sdk.send(new GenerateRandomCommand({ NumberOfBytes }))
  expect(kms.requests.map(({ body }) => Buffer.from(body).toString())).toEqual([
    '{"NumberOfBytes":2}',
    '{"NumberOfBytes":3}',
  ])
  expect(kms.counters).toMatchObject({
    connections: 1,
    handshakes: 1,
    requests: 3,
    operations: { GenerateRandom: 3 },
  })
  expect(kms.requests[0]?.headers['x-amz-target']).toBe('TrentService.GenerateRandom')
  kms.clearRequests()
  expect(kms.requests).toEqual([])
  sdk.destroy()
  await kms.close()
})
