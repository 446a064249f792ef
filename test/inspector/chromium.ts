import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tab } from './tab.ts'

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const OPTIONS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--remote-debugging-port=0', '--disable-dev-shm-usage', '--hide-scrollbars'],
]

/** Why there is no browser to test in; undefined where there is one. */
export const CHROMIUM_ABSENT: string | undefined = existsSync(CHROMIUM)
  ? undefined
  : `no ${CHROMIUM}: run \`apt-get install chromium\`, or name one in CHROMIUM`

type Reply = { readonly id?: number; readonly sessionId?: string; readonly method?: string } & {
  readonly result?: unknown
  readonly error?: { readonly message: string }
  readonly params?: unknown
}

/** A headless Chromium with a profile of its own, spoken to over the DevTools protocol. */
export class Chromium {
  readonly #process: ChildProcess
  readonly #socket: WebSocket
  readonly #profile: string
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  readonly #listeners = new Map<string, (method: string, params: unknown) => void>()
  #next = 1

  private constructor(process: ChildProcess, socket: WebSocket, profile: string) {
    this.#process = process
    this.#socket = socket
    this.#profile = profile
    socket.addEventListener('message', ({ data }) => {
      const reply = JSON.parse(String(data)) as Reply
      if (reply.id !== undefined) {
        this.#waiting.get(reply.id)?.(reply)
        this.#waiting.delete(reply.id)
      } else if (reply.sessionId !== undefined && reply.method !== undefined) {
        this.#listeners.get(reply.sessionId)?.(reply.method, reply.params)
      }
    })
  }

  static async launch(): Promise<Chromium> {
    const profile = mkdtempSync(join(tmpdir(), 'enclavejs-chromium-'))
    const child = spawn(CHROMIUM, [...OPTIONS, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const address = await new Promise<string>((resolve, reject) => {
      let text = ''
      const timer = setTimeout(() => reject(new Error(`Chromium did not start: ${text}`)), 30_000)
      child.once('exit', (status) => reject(new Error(`Chromium ended with ${status}: ${text}`)))
      child.stderr.on('data', (data: Buffer) => {
        text = `${text}${data.toString()}`.slice(-4000)
        const found = /DevTools listening on (ws:\S+)/.exec(text)?.[1]
        if (found === undefined) return
        clearTimeout(timer)
        resolve(found)
      })
    })
    const socket = new WebSocket(address)
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve(), { once: true })
      socket.addEventListener('error', () => reject(new Error('no DevTools')), { once: true })
    })
    return new Chromium(child, socket, profile)
  }

  /** One command; `session` is a tab's. */
  async send<Result>(method: string, params: object = {}, session?: string): Promise<Result> {
    const id = this.#next++
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve)
      const message = { id, method, params }
      this.#socket.send(
        JSON.stringify(session === undefined ? message : { ...message, sessionId: session }),
      )
    })
    if (reply.error !== undefined) throw new Error(`${method}: ${reply.error.message}`)
    return reply.result as Result
  }

  /** A new tab at an address, once it has loaded. */
  async open(url: string): Promise<Tab> {
    const { targetId } = await this.send<{ targetId: string }>('Target.createTarget', {
      url: 'about:blank',
    })
    const { sessionId } = await this.send<{ sessionId: string }>('Target.attachToTarget', {
      ...{ targetId, flatten: true },
    })
    const tab = new Tab((method, params) => this.send(method, params, sessionId))
    this.#listeners.set(sessionId, (method, params) => tab.heard(method, params))
    await tab.load(url)
    return tab
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#socket.close()
    this.#process.kill()
    await ended
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}
