// How many connections, and so attestations, requests cost: one after another, and at once.
import { get } from 'node:https'
import { text } from 'node:stream/consumers'
import { fetch as undiciFetch, request, type Dispatcher } from 'undici'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AttestedAgent, createAttestedDispatcher, createAttestedFetch } from '../src/client.ts'
import { Attester, openEnclave, outcome, type Enclave } from './enclave.ts'

let attester: Attester
let enclave: Enclave
/** Requests that are in the handler, and the most that were. */
let [now, most] = [0, 0]

beforeAll(async () => {
  attester = await Attester.open()
  enclave = await openEnclave({
    getEvidence: attester.evidence(),
    handler: ({ url }, response) => {
      most = Math.max(most, ++now)
      const answer = (): void => {
        now--
        response.end(url === '/large' ? Buffer.alloc(1 << 20) : 'answer')
      }
      if (url === '/slow') setTimeout(answer, 400)
      else answer()
    },
  })
})
afterAll(() => enclave[Symbol.asyncDispose]())

let dispatcher: Dispatcher
beforeEach(() => {
  attester.asked.length = 0
  most = 0
  dispatcher = createAttestedDispatcher(attester.policy())
})
afterEach(() => dispatcher.destroy())

const ask = async (path = '/'): Promise<void> => {
  const { body } = await request(`${enclave.url}${path}`, { dispatcher })
  await body.text()
}

describe('requests one after another use one connection, attested once', () => {
  it.each(['/', '/large', '/slow'])('by request, %s', async (path) => {
    for (let count = 0; count < 4; count++) await ask(path)
    expect(attester.asked).toHaveLength(1)
  })

  it('by fetch', async () => {
    await using fetch = createAttestedFetch(attester.policy())
    for (let count = 0; count < 20; count++) await (await fetch(enclave.url)).text()
    for (let count = 0; count < 5; count++) await fetch(enclave.url, { method: 'POST', body: 'x' })
    expect(attester.asked).toHaveLength(1)
  })

  it('by callbacks of request and pipeline', async () => {
    const next = (count: number): Promise<void> =>
      new Promise((resolve, reject) => {
        dispatcher.request({ origin: enclave.url, path: '/', method: 'GET' }, (error, data) => {
          if (error !== null) return reject(error)
          data.body.resume().once('end', () => resolve(count > 1 ? next(count - 1) : undefined))
        })
      })
    await next(5)
    expect(attester.asked).toHaveLength(1)
  })

  it('by the agent of node:https', async () => {
    const agent = new AttestedAgent(attester.policy())
    const once = (): Promise<string> =>
      new Promise((resolve, reject) => {
        get(enclave.url, { agent }, (response) => text(response).then(resolve, reject)).on(
          'error',
          reject,
        )
      })
    await once()
    const [socket] = Object.values(agent.freeSockets).flat()
    const listeners = socket?.listenerCount('close')
    for (let count = 0; count < 20; count++) await once()
    expect(attester.asked).toHaveLength(1)
    // Nothing is left on the connection of each request that it carried.
    expect(Object.values(agent.freeSockets).flat()).toEqual([socket])
    expect(socket?.listenerCount('close')).toBe(listeners)
    agent.destroy()
  })

  it('and with a pool for each of two enclaves, one each', async () => {
    await using other = await openEnclave({ getEvidence: attester.evidence() })
    for (let count = 0; count < 4; count++) {
      await ask()
      await (await request(other.url, { dispatcher })).body.text()
    }
    expect(attester.asked).toHaveLength(2)
  })
})

describe('requests at once do not wait for each other', () => {
  it('whether nothing is connected or one connection is about to be free', async () => {
    await Promise.all(Array.from({ length: 6 }, () => ask('/slow')))
    expect(most).toBe(6)
    const asked = attester.asked.length
    await ask()
    await Promise.all(Array.from({ length: 6 }, () => ask('/slow')))
    expect(most).toBe(6)
    // The connections that there were are enough.
    expect(attester.asked).toHaveLength(asked)
    await ask()
    await Promise.all(Array.from({ length: 9 }, () => ask('/slow')))
    expect(most).toBe(9)
  })
})

describe('a request that waits for its turn', () => {
  it('is answered before a close ends, and none is taken after it', async () => {
    await ask()
    const last = ask('/slow')
    const closed = dispatcher.close().then(() => now)
    expect(await outcome(() => ask())).toBe('UND_ERR_CLOSED')
    await last
    expect(await closed).toBe(0)
    expect(attester.asked).toHaveLength(1)
  })

  it('fails when the dispatcher is destroyed, or it is aborted', async () => {
    await ask()
    const aborted = outcome(() =>
      undiciFetch(enclave.url, { dispatcher, signal: AbortSignal.abort(new Error('no more')) }),
    )
    expect(await aborted).toBe('Error')
    await ask()
    const refused = outcome(() => ask())
    await dispatcher.destroy()
    expect(await refused).toMatch(/^UND_ERR_(?:DESTROYED|CLOSED)$/)
  })

  it('has its mistakes told as undici tells them', async () => {
    await ask()
    const wrong = { origin: enclave.url, path: 'no slash', method: 'GET' } as const
    expect(await outcome(() => dispatcher.request(wrong))).toBe('UND_ERR_INVALID_ARG')
    await ask()
    const nothing = undefined as unknown as Dispatcher.DispatchHandler
    expect(() => dispatcher.dispatch({ ...wrong, path: '/' }, nothing)).toThrow(/handler/)
    expect(await outcome(() => dispatcher.request({ ...wrong, origin: 'x' }))).toMatch(/INVALID/)
  })
})
