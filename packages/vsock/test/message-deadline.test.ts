import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { encodeFrame } from '../src/frame.ts'
import { bytes, code, echo, gate, LONG, MEBIBYTE, ok, stand, text, until } from './message-stand.ts'

describe('deadlines', () => {
  test('a request that does not arrive whole, a byte now and then: TIMEOUT, then the end', async () => {
    await using at = await stand(echo, { readTimeout: 300 })
    const peer = await at.dial()
    peer.send('whole')
    const frame = encodeFrame(new Uint8Array(1_000_000))
    let offset = 0
    const dripping = setInterval(() => peer.socket.write(frame.subarray(offset, ++offset)), 20)
    try {
      expect(await peer.rest()).toEqual([ok('whole'), code('TIMEOUT')])
    } finally {
      clearInterval(dripping)
    }
    await until(() => at.messages.connections === 0)
  })

  test('the time in which this side does not read is not the request’s', async () => {
    const large = 'x'.repeat(4 * MEBIBYTE)
    const seen: string[] = []
    await using at = await stand(
      async (message) => {
        seen.push(text(message))
        await sleep(50)
        return bytes(text(message) === 'first' ? large : 'small')
      },
      { readTimeout: 1000, highWaterMark: 1, maxMessageLength: large.length },
    )
    const peer = await at.dial()
    const second = encodeFrame(bytes('second'))
    peer.socket.write(Buffer.concat([encodeFrame(bytes('first')), second.subarray(0, 5)]))
    await until(() => at.messages.heldBytes > MEBIBYTE)
    await sleep(2500) // this side reads nothing, because the peer does not
    peer.socket.write(second.subarray(5))
    expect(await peer.next()).toHaveLength(large.length + 1)
    expect(await peer.next()).toBe(ok('small'))
    expect(seen).toEqual(['first', 'second'])
  })

  test('a connection without requests is ended', async () => {
    await using at = await stand(echo, { idleTimeout: 1000 })
    const peer = await at.dial()
    const quiet = await at.dial()
    peer.send('once')
    expect(await peer.rest()).toEqual([ok('once')])
    expect(await quiet.rest()).toEqual([])
    await until(() => at.messages.connections === 0)
  })

  test('a handler at work is not idle', async () => {
    const { handler, open, seen } = gate()
    await using at = await stand(handler, { idleTimeout: 500 })
    const peer = await at.dial()
    peer.send('long')
    await until(() => seen.length === 1)
    await sleep(1500)
    open()
    expect(await peer.next()).toBe(ok('long'))
  })

  test('a handler that takes too long: TIMEOUT in its place, its signal aborted, the others in order', async () => {
    let aborted: unknown
    await using at = await stand(
      async (message, { signal }) => {
        if (text(message) === 'slow') {
          await once(signal, 'abort')
          aborted = signal.reason
        }
        return message
      },
      { handlerTimeout: 200 },
    )
    const peer = await at.dial()
    peer.send('a', 'slow', 'b')
    expect([await peer.next(), await peer.next(), await peer.next()]).toEqual([
      ok('a'),
      code('TIMEOUT'),
      ok('b'),
    ])
    expect(aborted).toMatchObject({ name: 'TimeoutError' })
    peer.send('c')
    expect(await peer.next()).toBe(ok('c'))
  })

  test('handlers that never end hold their places, and the connection is given up', async () => {
    await using at = await stand(() => new Promise<never>(() => {}), {
      handlerTimeout: 50,
      idleTimeout: 1000,
      maxInFlight: 2,
    })
    const peer = await at.dial()
    peer.send('1', '2', '3')
    expect(await peer.rest()).toEqual([code('TIMEOUT'), code('TIMEOUT')])
  })

  test('a peer that does not read: memory stays, it is cut, others are served', async () => {
    let handled = 0
    await using at = await stand(
      () => {
        handled++
        return new Uint8Array(100_000)
      },
      { writeTimeout: 1500, highWaterMark: 300_000 },
    )
    const peer = await at.dial()
    peer.socket.pause()
    peer.send(...Array<string>(5000).fill('more'))
    const other = await at.dial()
    other.send('me')
    expect((await other.next())?.length).toBe(100_001)
    // The kernel's buffer takes a few, and those that are at work when the mark is passed come on top of it.
    expect(handled).toBeLessThan(100)
    await until(() => at.messages.connections === 1)
    expect(handled).toBeLessThan(100)
  })
})

describe('backpressure', () => {
  test('maxInFlight: what is behind stays unread', async () => {
    const { handler, open, seen } = gate()
    await using at = await stand(handler, { maxInFlight: 3 })
    const peer = await at.dial()
    const requests = Array.from({ length: 200 }, (_value, index) => `${index}:`.padEnd(10_000, '.'))
    peer.send(...requests)
    await until(() => seen.length === 3)
    await sleep(100)
    expect(seen).toHaveLength(3)
    expect(peer.socket.writableLength).toBeGreaterThan(0)
    expect(at.messages.heldBytes).toBeLessThan(300_000)
    const opening = setInterval(open, 1)
    for (const request of requests) expect(await peer.next()).toBe(ok(request))
    clearInterval(opening)
  })

  test('maxInFlight counts responses that wait for an earlier one', async () => {
    const { handler, open, seen } = gate()
    let quick = 0
    await using at = await stand(
      (message, context) => {
        if (text(message) === 'slow') return handler(message, context)
        quick++
        return message
      },
      { maxInFlight: 10 },
    )
    const peer = await at.dial()
    peer.send('slow', ...Array<string>(100).fill('quick'))
    await until(() => seen.length === 1 && quick >= 9)
    await sleep(100)
    expect(quick).toBe(9)
    peer.socket.end()
    open()
    expect(await peer.rest()).toHaveLength(101)
  })
})

describe('close', () => {
  test('what has begun is finished, in order; then the end; later connections are refused', async () => {
    const { handler, open, seen } = gate()
    await using at = await stand(handler)
    const [busy, half, quiet] = [await at.dial(), await at.dial(), await at.dial()]
    const frame = encodeFrame(bytes('in two pieces'))
    busy.send('1', '2', '3')
    half.socket.write(frame.subarray(0, 7))
    await until(() => seen.length === 3)
    await sleep(50)
    const closed = at.messages.close({ deadline: LONG })
    expect(await quiet.rest()).toEqual([])
    quiet.socket.end()
    expect(at.server.listening).toBe(false)
    half.socket.write(frame.subarray(7))
    await until(() => seen.length === 4)
    open()
    expect(await busy.rest()).toEqual([ok('1'), ok('2'), ok('3')])
    expect(await half.rest()).toEqual([ok('in two pieces')])
    busy.socket.end()
    half.socket.end()
    await closed
    await expect(at.dial()).rejects.toMatchObject({ code: expect.stringMatching(/^ECONN|^ENOENT/) })
  })

  test('under load nothing that began is lost: every request that was handled is answered', async () => {
    let handled = 0
    await using at = await stand(async (message) => {
      handled++
      await sleep(1)
      return message
    })
    const peers = await Promise.all(Array.from({ length: 10 }, () => at.dial()))
    for (const peer of peers) {
      const requests = Array.from({ length: 500 }, (_value, index) => `${index}`)
      peer.send(...requests)
    }
    await until(() => handled > 200 && at.messages.connections === peers.length)
    const closed = at.messages.close({ deadline: LONG })
    const answers = await Promise.all(peers.map((peer) => peer.rest()))
    for (const peer of peers) peer.socket.end()
    await closed
    for (const list of answers) expect(list).toEqual(list.map((_value, index) => ok(`${index}`)))
    expect(answers.reduce((sum, list) => sum + list.length, 0)).toBe(handled)
  })

  test('a peer that sends without end does not hold it up', async () => {
    await using at = await stand(echo)
    const peer = await at.dial()
    const frames = ['begun', 'too late', 'later'].map((request) => encodeFrame(bytes(request)))
    const all = Buffer.concat(frames)
    peer.socket.write(all.subarray(0, 6))
    await until(() => at.messages.heldBytes > 0)
    const closed = at.messages.close({ deadline: LONG })
    await sleep(50)
    peer.socket.write(all.subarray(6, all.length - 3))
    expect(await peer.rest()).toEqual([ok('begun')])
    const sending = setInterval(() => {
      if (!peer.socket.destroyed) peer.socket.write(new Uint8Array(70_000))
    }, 1)
    await closed
    clearInterval(sending)
  })

  test('what is not done by the deadline is cut, its signal aborted; closing again is the same', async () => {
    const { handler, contexts } = gate()
    await using at = await stand(handler)
    const peer = await at.dial()
    peer.send('forever')
    await until(() => contexts.length === 1)
    const first = at.messages.close({ deadline: LONG })
    await at.messages.close({ deadline: 50 })
    await first
    expect(contexts[0]?.signal.aborted).toBe(true)
    expect(await peer.rest()).toEqual([])
    await at.messages.close()
    expect(() => at.messages.close({ deadline: -1 })).toThrow(RangeError)
    expect(() => at.messages.close({ timeout: 1 } as object)).toThrow(/^timeout is not an option/)
  })
})
