import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { KmsServiceError } from '../src/index.ts'
import { CREDENTIALS, HOST, json, KEY_ARN, refuse } from './kms-server.ts'
import { EncryptionContext, encrypted, serverScene } from './server-scene.ts'
import { failure } from './simulated-kms.ts'

const scene = serverScene()

describe('a request', () => {
  it('is AWS JSON 1.1, signed, for the key, over TLS 1.3 with SNI', async () => {
    scene.server.answer = (_seen, response) => json(response, 200, encrypted)
    const output = await scene.client.encrypt({
      Plaintext: new Uint8Array([1, 2]),
      EncryptionContext,
    })
    expect(output).toEqual({
      KeyId: KEY_ARN,
      CiphertextBlob: new Uint8Array(Buffer.from('ciphertext')),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    })
    const [seen] = scene.server.seen
    expect(seen).toMatchObject({
      operation: 'Encrypt',
      body: { KeyId: KEY_ARN, Plaintext: 'AQI=', EncryptionContext },
      servername: HOST,
      protocol: 'TLSv1.3',
      alpn: 'http/1.1',
    })
    expect(seen?.headers).toMatchObject({
      host: HOST,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'TrentService.Encrypt',
      'x-amz-security-token': CREDENTIALS.sessionToken,
    })
    expect(seen?.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=ASIAEXAMPLEEXAMPLE00\/\d{8}\/eu-west-1\/kms\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=[0-9a-f]{64}$/,
    )
  })

  it('takes what was given when it was given', async () => {
    scene.server.answer = (_seen, response) => json(response, 200, encrypted)
    const bytes = new Uint8Array([1, 2])
    const context: Record<string, string> = { purpose: 'before' }
    const call = scene.client.encrypt({ Plaintext: bytes, EncryptionContext: context })
    bytes.fill(9)
    context['purpose'] = 'after'
    await call
    expect(scene.server.seen[0]?.body).toMatchObject({
      Plaintext: 'AQI=',
      EncryptionContext: { purpose: 'before' },
    })
  })

  it('has grant tokens and DryRun where they are given', async () => {
    scene.server.answer = (_seen, response) => refuse(response, 'DryRunOperationException', '', 412)
    const GrantTokens = ['token']
    const call = scene.client.encrypt({
      Plaintext: new Uint8Array(1),
      EncryptionContext,
      GrantTokens,
      DryRun: true,
    })
    await expect(call).rejects.toMatchObject({ kmsCode: 'DryRunOperationException', status: 412 })
    expect(scene.server.seen[0]?.body).toMatchObject({ GrantTokens, DryRun: true })
  })

  it('reuses three sockets, however many are under way', async () => {
    scene.server.answer = (_seen, response) =>
      void setTimeout(() => json(response, 200, encrypted), 5)
    const calls = Array.from({ length: 30 }, () =>
      scene.client.encrypt({ Plaintext: new Uint8Array(1), EncryptionContext }),
    )
    await Promise.all(calls)
    expect(scene.server.seen).toHaveLength(30)
    expect(scene.server.connections).toBe(3)
  })

  it('is told to diagnostics_channel, without payload', async () => {
    const events: unknown[] = []
    const listen = (event: unknown): void => void events.push(event)
    subscribe('enclavejs:kms:request', listen)
    let count = 0
    scene.server.answer = (_seen, response) =>
      count++ === 0 ? refuse(response, 'ThrottlingException') : json(response, 200, encrypted)
    await scene.client.encrypt({ Plaintext: new Uint8Array(1), EncryptionContext })
    unsubscribe('enclavejs:kms:request', listen)
    const event = {
      operation: 'Encrypt',
      host: HOST,
      requestBytes: expect.any(Number) as number,
      responseBytes: expect.any(Number) as number,
      requestId: '11111111-2222-3333-4444-555555555555',
      duration: expect.any(Number) as number,
    }
    expect(events).toEqual([
      { ...event, attempt: 1, status: 400, error: 'ThrottlingException' },
      { ...event, attempt: 2, status: 200 },
    ])
  })
})

describe('an answer', () => {
  const ask = (): Promise<unknown> => scene.client.describeKey()
  it.each([
    [
      'another key',
      200,
      { KeyMetadata: { KeyId: 'x', Arn: KEY_ARN.replace('1111', '2222') } },
      'ERR_KMS_KEY_MISMATCH',
    ],
    ['no ARN', 200, { KeyMetadata: { KeyId: 'x' } }, 'ERR_KMS_RESPONSE'],
    ['no metadata', 200, {}, 'ERR_KMS_RESPONSE'],
    ['another status', 204, {}, 'ERR_KMS_SERVICE'],
    ['a redirection', 307, {}, 'ERR_KMS_SERVICE'],
  ])('with %s is refused', async (_name, status, body, code) => {
    scene.server.answer = (_seen, response) => json(response, status, body)
    expect(await failure(ask())).toBe(code)
    expect(scene.server.seen).toHaveLength(1)
  })

  it.each([
    ['missing', { KeyId: KEY_ARN, EncryptionAlgorithm: 'x' }],
    ['no base64', { ...encrypted, CiphertextBlob: 'a' }],
    ['base64 for URLs', { ...encrypted, CiphertextBlob: '_-_-' }],
    ['a number', { ...encrypted, CiphertextBlob: 1 }],
    ['too long', { ...encrypted, CiphertextBlob: Buffer.alloc(6147).toString('base64') }],
    [
      'inherited',
      JSON.parse('{"__proto__":{"CiphertextBlob":"YQ=="},"KeyId":"' + KEY_ARN + '"}') as object,
    ],
  ])('whose blob is %s is refused', async (_name, body) => {
    scene.server.answer = (_seen, response) => json(response, 200, body)
    const call = scene.client.encrypt({ Plaintext: new Uint8Array(1), EncryptionContext })
    expect(await failure(call)).toBe('ERR_KMS_RESPONSE')
  })

  it('that refuses is told with its code, message and request id', async () => {
    scene.server.answer = (_seen, response) =>
      json(response, 400, {
        __type: 'ns#AccessDeniedException:http://x/',
        Message: 'no\u001b[2J\n',
      })
    const error = await scene.client.describeKey().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(KmsServiceError)
    expect(error).toMatchObject({
      code: 'ERR_KMS_SERVICE',
      kmsCode: 'AccessDeniedException',
      kmsMessage: 'no\u{fffd}[2J',
      status: 400,
      requestId: '11111111-2222-3333-4444-555555555555',
      operation: 'DescribeKey',
    })
  })

  it('has at most 1024 characters of message, and a code of the usual form', async () => {
    scene.server.answer = (_seen, response) =>
      json(response, 400, { __type: 'x y', message: 'm'.repeat(5000) }, { 'x-amzn-requestid': '<' })
    const error = await scene.client
      .describeKey()
      .catch((thrown: unknown) => thrown as KmsServiceError)
    expect(error).toMatchObject({ kmsCode: 'Unknown', requestId: undefined })
    expect((error as KmsServiceError).kmsMessage).toHaveLength(1024)
  })

  it('that repeats the canonical request is told without the session token', async () => {
    const canonical = `POST\n/\n\nx-amz-security-token:${CREDENTIALS.sessionToken}\n`
    for (const message of [
      `The request signature we calculated does not match.\n\nThe Canonical String for this request should have been\n'${canonical}'`,
      `does not match: ${canonical}`,
    ]) {
      scene.server.answer = (_seen, response) =>
        json(response, 403, { __type: 'SignatureDoesNotMatch', message })
      const error = await scene.client.describeKey().catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ kmsCode: 'SignatureDoesNotMatch' })
      expect((error as Error).message).toContain('does not match')
      expect(inspect(error)).not.toContain(CREDENTIALS.sessionToken)
    }
  })

  it('of many pages of grants is read to the end', async () => {
    const answers = [
      { Grants: [{ GrantId: 'a' }], Truncated: true, NextMarker: 'm1' },
      { Grants: [{ GrantId: 'b' }, { GrantId: 'c' }], Truncated: true, NextMarker: 'm2' },
      { Grants: [], Truncated: false },
    ]
    scene.server.answer = (_seen, response) =>
      json(response, 200, answers[scene.server.seen.length - 1])
    const { Grants } = await scene.client.listGrants()
    expect(Grants.map(({ GrantId }) => GrantId)).toEqual(['a', 'b', 'c'])
    expect(scene.server.seen.map(({ body }) => body['Marker'])).toEqual([undefined, 'm1', 'm2'])
  })

  it.each([
    ['the same marker', { Grants: [], Truncated: true, NextMarker: 'same' }],
    ['no marker', { Grants: [], Truncated: true }],
    ['a grant that is none', { Grants: [7], Truncated: false }],
    ['no grants', { Truncated: false }],
    ['a Truncated that is none', { Grants: [], Truncated: 'yes' }],
    ['no Truncated', { Grants: [] }],
    ['a marker and no Truncated', { Grants: [], NextMarker: 'x' }],
    ['a marker behind the last', { Grants: [], Truncated: false, NextMarker: 'x' }],
  ])('of grants with %s is refused', async (_name, body) => {
    scene.server.answer = (_seen, response) => json(response, 200, body)
    expect(await failure(scene.client.listGrants())).toBe('ERR_KMS_RESPONSE')
    expect(scene.server.seen.length).toBeLessThanOrEqual(2)
  })
})

describe('a connection', () => {
  it('that is refused is tried again, and then told', async () => {
    let dialed = 0
    await using one = scene.open({
      connect: async () => {
        dialed++
        throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
      },
    })
    await expect(one.describeKey()).rejects.toMatchObject({
      code: 'ERR_KMS_CONNECTION',
      message: expect.stringContaining('ECONNREFUSED') as string,
    })
    expect(dialed).toBe(3)
  })

  it('that KMS closed while it was idle is replaced', async () => {
    scene.server.answer = (_seen, response) => {
      json(response, 200, encrypted, { connection: 'keep-alive' })
      const { socket } = response
      response.on('finish', () => setTimeout(() => socket?.destroy(), 5))
    }
    for (let index = 0; index < 3; index++) {
      await scene.client.encrypt({ Plaintext: new Uint8Array(1), EncryptionContext })
      await sleep(15)
    }
    expect(scene.server.connections).toBe(3)
  })

  it('that speaks something else than HTTP is refused', async () => {
    scene.server.answer = (_seen, response) => void response.socket?.end('SSH-2.0-x\r\n\r\n')
    expect(await failure(scene.client.describeKey())).toBe('ERR_KMS_RESPONSE')
  })
})

describe('close', () => {
  it('refuses what is under way and what comes after', async () => {
    scene.server.answer = () => undefined
    const waiting = scene.client.describeKey()
    waiting.catch(() => undefined)
    await sleep(30)
    await Promise.all([scene.client.close(), scene.client.close()])
    expect(await failure(waiting)).toBe('ERR_KMS_CLOSED')
    expect(await failure(scene.client.describeKey())).toBe('ERR_KMS_CLOSED')
    expect(await failure(scene.client.listGrants())).toBe('ERR_KMS_CLOSED')
    expect(await failure(scene.client.generateRandom({ NumberOfBytes: 1 }))).toBe('ERR_KMS_CLOSED')
  })
})
