// What has to do with time: the clock of signatures, and every deadline.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { PassThrough, type Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { openAwsEndpoint, type KmsClient, type KmsClientOptions } from '../src/index.ts'
import { CREDENTIALS, dial, json, refuse, type Seen } from './kms-server.ts'
import { encrypted, EncryptionContext, getEvidence, serverScene } from './server-scene.ts'
import { failure } from './simulated-kms.ts'
import { unhandledDuring } from './unhandled.ts'

const scene = serverScene()

describe('the clock', () => {
  const HOUR = 3_600_000
  const signedAt = (seen: Seen | undefined): number => {
    const text = String(seen?.headers['x-amz-date'])
    return Date.parse(text.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  }
  const answerBy = (date: () => string, extra: Record<string, string> = {}): void => {
    scene.server.answer = (seen, response) => {
      const off = Math.abs(signedAt(seen) - Date.now()) > 300_000
      if (off)
        json(response, 400, { __type: 'InvalidSignatureException' }, { date: date(), ...extra })
      else json(response, 200, encrypted, { date: date() })
    }
  }
  const encrypt = (one: KmsClient): Promise<unknown> =>
    one.encrypt({ Plaintext: new Uint8Array(1), EncryptionContext })

  it('of an enclave that is an hour behind is corrected by Date, once, for signatures', async () => {
    await using late = scene.open({ now: () => new Date(Date.now() - HOUR) })
    answerBy(() => new Date().toUTCString())
    await encrypt(late)
    expect(scene.server.seen).toHaveLength(2)
    await encrypt(late)
    expect(scene.server.seen).toHaveLength(3)
    expect(Math.abs(signedAt(scene.server.seen[2]) - Date.now())).toBeLessThan(10_000)
  })

  it('is corrected for all calls that were under way', async () => {
    await using late = scene.open({ now: () => new Date(Date.now() - HOUR) })
    answerBy(() => new Date().toUTCString())
    await Promise.all([encrypt(late), encrypt(late), encrypt(late), encrypt(late)])
    expect(scene.server.seen.length).toBeLessThanOrEqual(8)
  })

  it('is not corrected by less than four minutes', async () => {
    answerBy(() => new Date(Date.now() + 200_000).toUTCString())
    await encrypt(scene.client)
    await encrypt(scene.client)
    expect(Math.abs(signedAt(scene.server.seen[1]) - Date.now())).toBeLessThan(10_000)
  })

  it.each([
    ['an answer out of a cache', () => new Date().toUTCString(), { age: '10' }],
    ['a malformed Date', () => 'yesterday', {}],
    ['a Date that agrees with ours', () => new Date(Date.now() - HOUR).toUTCString(), {}],
  ])('is not corrected by %s, and the refusal stands', async (_name, date, extra) => {
    await using late = scene.open({ now: () => new Date(Date.now() - HOUR) })
    answerBy(date, extra)
    await expect(encrypt(late)).rejects.toMatchObject({ kmsCode: 'InvalidSignatureException' })
    expect(scene.server.seen).toHaveLength(1)
  })

  it('that KMS goes on to find wrong is refused after one more attempt', async () => {
    await using late = scene.open({ now: () => new Date(Date.now() - HOUR) })
    let skew = 0
    scene.server.answer = (_seen, response) => {
      skew += HOUR
      const date = new Date(Date.now() + skew).toUTCString()
      json(response, 403, { __type: 'RequestTimeTooSkewed' }, { date })
    }
    await expect(encrypt(late)).rejects.toMatchObject({ kmsCode: 'RequestTimeTooSkewed' })
    expect(scene.server.seen).toHaveLength(2)
  })
})

describe('a deadline', () => {
  const call = (one: KmsClient, signal?: AbortSignal): Promise<unknown> =>
    one.describeKey(signal === undefined ? {} : { signal })

  it('ends a Connect that gives no stream, and closes a stream that comes late', async () => {
    let late: Duplex | undefined
    let told: AbortSignal | undefined
    await using one = scene.open({
      connectTimeout: 30,
      maxAttempts: 1,
      connect: async (_host, _port, { signal }) => {
        told = signal
        await sleep(60)
        return (late = new PassThrough())
      },
    })
    await expect(call(one)).rejects.toMatchObject({
      code: 'ERR_KMS_DEADLINE',
      message: expect.stringContaining('30 ms') as string,
    })
    expect(told?.aborted).toBe(true)
    await sleep(60)
    expect(late?.destroyed).toBe(true)
  })

  it('ends a handshake that does not come', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    await using one = scene.open({
      handshakeTimeout: 50,
      maxAttempts: 1,
      connect: dial((silent.address() as AddressInfo).port),
    })
    await expect(call(one)).rejects.toMatchObject({
      code: 'ERR_KMS_DEADLINE',
      message: expect.stringContaining('50 ms') as string,
    })
    silent.close()
  })

  it.each([
    ['does not come', () => undefined],
    [
      'stops in the head',
      (_seen: Seen, response: ServerResponse) => void response.socket?.write('HTTP/1.1 200 OK\r\n'),
    ],
    [
      'stops in the body',
      (_seen: Seen, response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('{')
      },
    ],
    [
      'comes byte for byte',
      (_seen: Seen, response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 1000 })
        const timer = setInterval(() => response.write('a'), 10)
        response.on('close', () => clearInterval(timer))
      },
    ],
  ])('ends an answer that %s', async (_name, answer) => {
    scene.server.answer = answer
    await using one = scene.open({ requestTimeout: 100, maxAttempts: 1 })
    const began = performance.now()
    await expect(call(one)).rejects.toMatchObject({ code: 'ERR_KMS_DEADLINE' })
    expect(performance.now() - began).toBeLessThan(1000)
  })

  it('ends the whole call, whatever its attempts have left', async () => {
    scene.server.answer = (_seen, response) => refuse(response, 'ThrottlingException')
    await using one = scene.open({ deadline: 150, maxAttempts: 10 })
    const began = performance.now()
    await expect(call(one)).rejects.toMatchObject({ kmsCode: 'ThrottlingException' })
    expect(performance.now() - began).toBeLessThan(1000)
    scene.server.answer = () => undefined
    await expect(call(one)).rejects.toMatchObject({ code: 'ERR_KMS_DEADLINE' })
  })

  it('ends a source of credentials that does not answer', async () => {
    await using one = scene.open({ deadline: 50, credentials: () => new Promise(() => undefined) })
    await expect(call(one)).rejects.toMatchObject({ code: 'ERR_KMS_DEADLINE' })
  })

  it('of the caller ends the call with its reason, wherever it is', async () => {
    scene.server.answer = () => undefined
    const reason = new Error('enough')
    await expect(call(scene.client, AbortSignal.abort(reason))).rejects.toBe(reason)
    const controller = new AbortController()
    const waiting = call(scene.client, controller.signal)
    setTimeout(() => controller.abort(reason), 30)
    await expect(waiting).rejects.toBe(reason)
    scene.server.answer = (_seen, response) => refuse(response, 'ThrottlingException')
    await using one = scene.open({ maxAttempts: 10 })
    const again = new AbortController()
    setTimeout(() => again.abort(reason), 200)
    await expect(call(one, again.signal)).rejects.toBe(reason)
  })

  describe('that is over when the next step would begin', () => {
    const deadline = 300
    /** The process is busy until after the deadline when an attempt has ended. */
    const busy = (): void => {
      const until = performance.now() + deadline + 50
      while (performance.now() < until);
    }
    afterEach(() => unsubscribe('enclavejs:kms:request', busy))

    it('asks for no credentials, whose failure would be nobody’s', async () => {
      scene.server.answer = (_seen, response) => refuse(response, 'ExpiredTokenException')
      let asked = 0
      await using one = scene.open({
        deadline,
        credentials: async () => {
          if (asked++ === 0) return CREDENTIALS
          throw new Error('the parent is gone')
        },
      })
      subscribe('enclavejs:kms:request', busy)
      const unhandled = await unhandledDuring(() =>
        expect(call(one)).rejects.toMatchObject({ code: 'ERR_KMS_DEADLINE' }),
      )
      expect(unhandled).toEqual([])
      expect(asked).toBe(1)
    })

    it('asks for no Evidence, whose failure would be nobody’s', async () => {
      let asked = 0
      await using one = scene.open({
        deadline,
        getEvidence: async () => {
          if (asked++ === 0) return getEvidence()
          throw new Error('no Evidence')
        },
      })
      const random = (): Promise<unknown> => one.generateRandom({ NumberOfBytes: 32 })
      scene.server.answer = (_seen, response) => refuse(response, 'AccessDeniedException')
      // The first key takes its time.
      while ((await failure(random())) === 'ERR_KMS_DEADLINE');
      scene.server.answer = (_seen, response) =>
        refuse(response, 'ValidationException', 'exceeded the five-minute age limit')
      subscribe('enclavejs:kms:request', busy)
      const unhandled = await unhandledDuring(() =>
        expect(random()).rejects.toMatchObject({ code: 'ERR_KMS_DEADLINE' }),
      )
      expect(unhandled).toEqual([])
      expect(asked).toBe(1)
    })
  })

  it('of the caller ends a pause of an endpoint with its reason', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const endpoint = openAwsEndpoint({
      host: 'bucket.s3.eu-west-1.amazonaws.com',
      region: 'eu-west-1',
      service: 's3',
      maxAttempts: 10,
      credentials: CREDENTIALS,
      connect: async () => {
        setTimeout(() => controller.abort(reason), 5)
        throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
      },
    })
    const request = { method: 'GET', path: '/', headers: {}, signal: controller.signal } as const
    await expect(endpoint.request(request)).rejects.toBe(reason)
    await endpoint.close()
  })
})

describe('a Connect that gives no stream', () => {
  it.each([
    ['an object', {}],
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['a text', 'x'],
  ])('but %s is refused', async (_name, given) => {
    const connect = (async () => given) as unknown as KmsClientOptions['connect']
    await using one = scene.open({ connect, maxAttempts: 1 })
    await using late = scene.open({
      connectTimeout: 10,
      maxAttempts: 1,
      connect: (async () => sleep(40, given)) as never,
    })
    const unhandled = await unhandledDuring(async () => {
      await expect(one.describeKey()).rejects.toMatchObject({
        code: 'ERR_KMS_CONNECTION',
        message: expect.stringContaining('connect must give a stream') as string,
      })
      await expect(late.describeKey()).rejects.toMatchObject({ code: 'ERR_KMS_DEADLINE' })
    })
    expect(unhandled).toEqual([])
  })
})
