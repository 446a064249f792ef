import { once } from 'node:events'
import type { Case } from '../case.ts'
import { closed, text } from '../watch.ts'

/** A case whose connecting end is a process of its own. */
const process_ = (name: string, action: string): Case => ({
  name,
  together: true,
  async call({ spawn, log }) {
    const { status, out, err } = await spawn(action)
    log(`status ${status}`)
    for (const line of out.trim().split('\n')) log(line)
    if (/Error/.test(err)) log(err.split('\n').find((line) => line.includes('Error')) ?? '')
  },
})

/** What keeps a process alive, and threads. */
export const processes: readonly Case[] = [
  process_('a connection keeps the process alive', 'ref'),
  process_('an unreferenced connection does not', 'unref'),
  process_('unref before connect', 'unref-early'),
  process_('unref and ref again', 'unref-ref'),
  process_('an unreferenced server does not', 'unref-server'),
  process_('a process that exits with connections open', 'exit'),
  {
    name: 'a server in a worker thread',
    together: true,
    async call({ worker, connectToPort, log }) {
      const thread = worker('serve')
      const [port] = (await once(thread, 'message')) as [number]
      const socket = connectToPort(port)
      socket.end('to the thread')
      log(await text(socket))
      const held = connectToPort(port)
      held.on('error', () => {})
      held.write('x')
      await once(held, 'data')
      held.resume()
      await thread.terminate()
      await closed(held)
      log('closed with the thread')
      const refused = connectToPort(port)
      await new Promise<void>((resolve) => {
        refused.once('error', () => resolve())
      })
      log('its port is free')
    },
  },
  {
    name: 'a client in a worker thread',
    together: true,
    async call({ worker, log }) {
      const thread = worker('echo')
      const exit = once(thread, 'exit')
      const [answer] = (await once(thread, 'message')) as [string]
      log(answer)
      await exit
    },
  },
  {
    name: 'worker threads that end while they connect',
    together: true,
    async call({ worker, connected, log }) {
      const codes: unknown[] = []
      for (let round = 0; round < 4; round++) {
        const thread = worker('connect-forever')
        const exit = once(thread, 'exit')
        await once(thread, 'message')
        if (round % 2 === 0) await thread.terminate()
        codes.push(await exit)
      }
      log(`${codes.length} threads`)
      const socket = await connected()
      socket.end('still there')
      log(await text(socket))
    },
  },
]
