// What goes wrong on demand, seen from a plain TLS socket and from AWS's client.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as tlsConnect, type TLSSocket } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  DecryptCommand,
  EncryptCommand,
  GenerateRandomCommand,
  type DecryptCommandOutput,
  type KMSClient,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KmsFault } from '../../src/kms.ts'
import {
  refusal,
  sdkClient,
  setup,
  testRecipient,
  type Setup,
  type TestRecipient,
} from './bench-of-kms.ts'

let scene: Setup
let client: KMSClient
let recipient: TestRecipient
let arn: string
let blob: Uint8Array

beforeAll(async () => {
  scene = await setup({ contentForm: 'constructed' })
  client = sdkClient(scene.kms, scene.credentials)
  recipient = testRecipient(scene.authority)
  arn = (await scene.kms.createKey()).arn
  const sealed = await client.send(
    new EncryptCommand({ KeyId: arn, Plaintext: Buffer.from('a secret') }),
  )
  blob = sealed.CiphertextBlob as Uint8Array
})
beforeEach(() => scene.kms.clearFaults())
afterAll(async () => {
  client.destroy()
  await scene.kms.close()
})

async function decrypt(fault?: KmsFault, attested = true): Promise<DecryptCommandOutput> {
  if (fault !== undefined) scene.kms.fault(fault)
  const Recipient = {
    AttestationDocument: recipient.document(),
    KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as const,
  }
  return client.send(
    new DecryptCommand({ CiphertextBlob: blob, KeyId: arn, ...(attested ? { Recipient } : {}) }),
  )
}

/** What OpenSSL makes of it: the plaintext, or undefined. */
function opened(cms: Uint8Array | undefined): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'enclavejs-cms-'))
  try {
    writeFileSync(join(folder, 'x.ber'), cms ?? new Uint8Array())
    const pem = recipient.privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFileSync(join(folder, 'key.pem'), pem, { mode: 0o600 })
    const args = 'cms -decrypt -binary -inform DER -in x.ber -inkey key.pem'.split(' ')
    return execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' }).toString('latin1')
  } catch {
    return undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('errors', () => {
  it.each<[KmsFault, string, number]>([
    [{ kind: 'throttling' }, 'ThrottlingException', 400],
    [{ kind: 'internal' }, 'KMSInternalException', 500],
    [
      { kind: 'error', type: 'KeyUnavailableException', status: 500 },
      'KeyUnavailableException',
      500,
    ],
    [{ kind: 'error', type: 'DependencyTimeoutException' }, 'DependencyTimeoutException', 400],
  ])('%j', async (fault, name, status) => {
    scene.kms.fault(fault)
    const error = await client.send(new GenerateRandomCommand({ NumberOfBytes: 1 })).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ name, $metadata: { httpStatusCode: status } })
    await client.send(new GenerateRandomCommand({ NumberOfBytes: 1 }))
    expect(scene.kms.counters.errors[name]).toBeGreaterThan(0)
  })

  it('503 that is not JSON, and raw bodies', async () => {
    scene.kms.fault({ kind: 'unavailable' })
    scene.kms.fault({ kind: 'raw-body', body: '{"Plaintext":', status: 200 })
    scene.kms.fault({
      kind: 'raw-body',
      body: Uint8Array.of(0xff),
      status: 418,
      contentType: 'x/y',
    })
    const get = (): Promise<unknown> => client.send(new GenerateRandomCommand({ NumberOfBytes: 1 }))
    await expect(get()).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } })
    await expect(get()).rejects.toThrow(SyntaxError)
    await expect(get()).rejects.toBeInstanceOf(Error)
    await get()
  })

  it('wait for their operation, and for so many requests', async () => {
    scene.kms.fault({ kind: 'throttling', operation: 'Decrypt', times: 2 })
    await client.send(new GenerateRandomCommand({ NumberOfBytes: 1 }))
    expect(await refusal(decrypt())).toMatchObject({ name: 'ThrottlingException' })
    await client.send(new GenerateRandomCommand({ NumberOfBytes: 1 }))
    expect(await refusal(decrypt())).toMatchObject({ name: 'ThrottlingException' })
    await decrypt()
    expect(() => scene.kms.fault({ kind: 'throttling', times: 0 })).toThrow(RangeError)
  })

  it('are retried by AWS’s client', async () => {
    const patient = sdkClient(scene.kms, scene.credentials, { maxAttempts: 3 })
    scene.kms.clearRequests()
    scene.kms.fault({ kind: 'internal' })
    scene.kms.fault({ kind: 'throttling' })
    await patient.send(new GenerateRandomCommand({ NumberOfBytes: 1 }))
    expect(scene.kms.requests.map(({ errorType }) => errorType)).toEqual([
      'KMSInternalException',
      'ThrottlingException',
      undefined,
    ])
    patient.destroy()
  })
})

describe('the answer', () => {
  it('without a fault opens', async () => {
    expect(opened((await decrypt()).CiphertextForRecipient)).toBe('a secret')
  })

  it('malformed-cms', async () => {
    const { CiphertextForRecipient: cms } = await decrypt({ kind: 'malformed-cms' })
    const good = (await decrypt()).CiphertextForRecipient as Uint8Array
    expect(cms).toHaveLength(good.length)
    expect([...(cms ?? [])].slice(17, 20)).toEqual([2, 1, 0])
    const cut = await decrypt({ kind: 'malformed-cms', mutate: (one) => one.subarray(0, 100) })
    expect(cut.CiphertextForRecipient).toHaveLength(100)
    expect(opened(cut.CiphertextForRecipient)).toBeUndefined()
  })

  it('wrong-rid', async () => {
    const { CiphertextForRecipient: cms } = await decrypt({ kind: 'wrong-rid' })
    const rid = createHash('sha256').update(recipient.publicKey).digest()
    expect(Buffer.from(cms ?? []).indexOf(rid)).toBe(-1)
    expect(Buffer.from(cms ?? []).indexOf(rid.subarray(1))).toBeGreaterThan(0)
  })

  it('flipped-iv: one bit of the plaintext', async () => {
    const { CiphertextForRecipient: cms } = await decrypt({ kind: 'flipped-iv' })
    expect(opened(cms)).toBe('` secret')
  })

  it('foreign-recipient', async () => {
    const { CiphertextForRecipient: cms } = await decrypt({ kind: 'foreign-recipient' })
    const rid = createHash('sha256').update(recipient.publicKey).digest()
    expect(Buffer.from(cms ?? []).indexOf(rid)).toBeGreaterThan(0)
    // OpenSSL answers a failed OAEP with a random key: what comes out, if anything, is not the secret.
    expect(opened(cms)).not.toBe('a secret')
  })

  it('trailing-bytes', async () => {
    const good = (await decrypt()).CiphertextForRecipient as Uint8Array
    const { CiphertextForRecipient: cms } = await decrypt({ kind: 'trailing-bytes' })
    expect(cms).toHaveLength(good.length + 1)
  })

  it('extra-plaintext, ignore-recipient, missing-ciphertext', async () => {
    const both = await decrypt({ kind: 'extra-plaintext' })
    expect(Buffer.from(both.Plaintext ?? []).toString()).toBe('a secret')
    expect(opened(both.CiphertextForRecipient)).toBe('a secret')
    const ignored = await decrypt({ kind: 'ignore-recipient' })
    expect(Buffer.from(ignored.Plaintext ?? []).toString()).toBe('a secret')
    expect(ignored.CiphertextForRecipient).toBeUndefined()
    const neither = await decrypt({ kind: 'missing-ciphertext' })
    expect(neither.Plaintext).toBeUndefined()
    expect(neither.CiphertextForRecipient).toBeUndefined()
    expect((await decrypt({ kind: 'missing-ciphertext' }, false)).Plaintext).toBeUndefined()
  })

  it('wrong-key-id', async () => {
    expect((await decrypt({ kind: 'wrong-key-id' })).KeyId).toMatch(
      /^arn:aws:kms:eu-west-1:999999999999:key\//,
    )
    expect((await decrypt({ kind: 'wrong-key-id', keyId: 'alias/x' })).KeyId).toBe('alias/x')
  })

  it('response', async () => {
    const answer = await decrypt({
      kind: 'response',
      change: (body) => ({ ...body, KeyId: undefined, EncryptionAlgorithm: 'X' }),
    })
    expect(answer).toMatchObject({ EncryptionAlgorithm: 'X' })
    expect(answer.KeyId).toBeUndefined()
  })
})

describe('the connection', () => {
  const REQUEST = `POST / HTTP/1.1\r\nHost: kms.eu-west-1.amazonaws.com\r\nContent-Length: 2\r\n\r\n{}`

  /** What comes for an unsigned request within `wait` ms or until the end. */
  async function exchange(
    fault: KmsFault,
    wait = 2000,
    limit = Infinity,
  ): Promise<{
    text: string
    length: number
    end: 'end' | 'close' | 'open'
    pieces: number
    error: string | undefined
  }> {
    scene.kms.fault(fault)
    const servername = 'kms.eu-west-1.amazonaws.com'
    const socket: TLSSocket = tlsConnect({
      socket: await scene.kms.connect(servername, 443),
      servername,
      ca: scene.kms.ca,
    })
    let text = ''
    let length = 0
    let pieces = 0
    let error: string | undefined
    let end: 'end' | 'close' | 'open' = 'open'
    const over = new Promise<void>((resolve) => {
      socket.on('data', (data: Buffer) => {
        pieces += 1
        length += data.length
        if (text.length < 4096) text += data.toString('latin1')
        if (length > limit) resolve()
      })
      socket.on('end', () => {
        end = 'end'
        resolve()
      })
      socket.on('close', () => {
        if (end === 'open') end = 'close'
        resolve()
      })
      socket.on('error', ({ code }: NodeJS.ErrnoException) => {
        error = code
      })
    })
    socket.write(REQUEST)
    const timer = new AbortController()
    await Promise.race([
      over,
      sleep(wait, undefined, { signal: timer.signal }).catch(() => undefined),
    ])
    timer.abort()
    const result = { text, length, end, pieces, error }
    socket.destroy()
    return result
  }

  const bodyOf = (text: string): string => text.split('\r\n\r\n')[1] ?? ''

  it('refuse', async () => {
    expect(await exchange({ kind: 'refuse' })).toMatchObject({ length: 0 })
  })

  it.each(['reset', 'truncate'] as const)('%s', async (kind) => {
    const { text, end, error } = await exchange({ kind, afterBytes: 5 })
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(bodyOf(text)).toBe('{"__t')
    expect([end, error]).toEqual(kind === 'reset' ? ['close', 'ECONNRESET'] : ['end', undefined])
    const { text: half } = await exchange({ kind })
    const [, length = ''] = /Content-Length: (\d+)/.exec(half) ?? []
    expect(bodyOf(half)).toHaveLength(Math.floor(Number(length) / 2))
  })

  it('stall', async () => {
    const head = await exchange({ kind: 'stall', part: 'head' }, 150)
    expect(head.end).toBe('open')
    expect(head.text).toMatch(/^HTTP\/1\.1 400/)
    expect(head.text).not.toContain('\r\n\r\n')
    const body = await exchange({ kind: 'stall', afterBytes: 3 }, 150)
    expect([body.end, bodyOf(body.text)]).toEqual(['open', '{"_'])
  })

  it('slow', async () => {
    const start = performance.now()
    const { text, pieces } = await exchange(
      { kind: 'slow', delayMs: 100, chunkBytes: 20, chunkDelayMs: 5 },
      400,
    )
    expect(performance.now() - start).toBeGreaterThan(100)
    expect(pieces).toBeGreaterThan(2)
    expect(JSON.parse(bodyOf(text))).toHaveProperty('__type')
  })

  it('date', async () => {
    const of = (text: string): number => Date.parse(/Date: (.*)\r/.exec(text)?.[1] ?? '')
    const { text } = await exchange({ kind: 'date', skewMs: 3_600_000 }, 300)
    expect(Math.abs(of(text) - Date.now() - 3_600_000)).toBeLessThan(2500)
    expect((await exchange({ kind: 'date', value: 'then' }, 300)).text).toContain('Date: then\r')
    expect((await exchange({ kind: 'date', value: null }, 300)).text).not.toMatch(/^date:/im)
  })

  it('huge-body and huge-headers, at the pace of the reader', async () => {
    const body = await exchange({ kind: 'huge-body', bytes: 2 ** 32 }, 5000, 8_000_000)
    expect(body.text).toContain(`Content-Length: ${2 ** 32}`)
    expect(body.length).toBeGreaterThan(8_000_000)
    const headers = await exchange({ kind: 'huge-headers', bytes: 2 ** 32 }, 5000, 8_000_000)
    expect(headers.text).toMatch(/^HTTP\/1\.1 200 OK\r\nX-Padding: AAAA/)
    expect(headers.length).toBeGreaterThan(8_000_000)
    const whole = await exchange({ kind: 'huge-body', bytes: 100_000 })
    expect(whole.end).toBe('end')
  })
})
