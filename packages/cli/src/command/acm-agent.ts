import { spawn } from 'node:child_process'
import { connect as connectUnix } from 'node:net'
import type { AcmTokenRelay, EnclaveAddress, ShownKey } from '@enclavejs/acm-enclave/token'
import { acmErrorCode } from '../acm-package.ts'
import { readPin } from '../acm-pin.ts'
import { loadTokenPackage } from '../acm-token-package.ts'
import { numberFlag, parseArguments, type Arguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { usage } from '../error.ts'
import { untilSignal } from '../signal.ts'
import type { Terminal } from '../terminal.ts'
import { listenUnix, unixServer } from '../unix-listener.ts'
import { loadVsockPackage } from '../vsock-package.ts'
import { WEB_SERVER_FLAGS, WEB_SERVER_HELP, WebServerFiles } from '../web-server-files.ts'

const HELP = `enclavejs acm agent --socket PATH --pin-file FILE (--enclave CID[:PORT] | --enclave-unix PATH) [flags]

On the parent: stands between web servers and the PKCS #11 token of an enclave (enclavejs acm token). It answers everything
but signatures itself, survives a restart of the enclave, and keeps the web server's configuration on the newest key.

  --enclave CID[:PORT]  an enclave with the token, port 9999 by default; may be repeated. An absolute path in the place of the
                        CID: the socket of a virtual machine of this host (hybrid vsock)
  --enclave-unix PATH   the same on a Unix socket; may be repeated
  --pin-file FILE       the PIN of the token, one line; its clients log in with the same
  --socket PATH         the Unix socket that p11-kit's clients connect to
  --socket-mode MODE    octal, default 600: whoever may connect may guess at the PIN
  --label NAME          of the token, default acm-token

${WEB_SERVER_HELP}

  --reload COMMAND      run when the key has changed: "systemctl reload nginx". When it fails, again after the interval
  --drop-after SECONDS  how long the key before stays after a reload at least, default 120; and as long as a worker is
                        connected that has signed with it. Then the enclave removes it
  --keep-old SECONDS    the same without --reload, where nobody says when the web server has the new key, default 3600
  --interval SECONDS    how often the enclave is asked, default 60
  --start-timeout SECONDS
                        how long to wait at the start for an enclave that is still booting, default 30
  --help

Exit status: 0 stopped by a signal; 1 no enclave answers (the code on stderr); 2 wrong use.`

const TEXT = { type: 'string' } as const
const REPEATED = { type: 'string', multiple: true } as const
const TEXTS = [
  ...[
    'pin-file',
    'socket',
    'socket-mode',
    'label',
    'reload',
    'drop-after',
    'keep-old',
    'interval',
    'start-timeout',
  ],
  ...WEB_SERVER_FLAGS,
]

/** `enclavejs acm agent`. */
export const acmAgent: Command = {
  summary: 'on the parent: stand between web servers and the token of an enclave',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, {
      ...Object.fromEntries(TEXTS.map((name) => [name, TEXT])),
      ...{ enclave: REPEATED, 'enclave-unix': REPEATED },
    })
    if (given.positionals.length > 0) throw usage('acm agent takes flags alone')
    const pin = await readPin(given, 'pin-file')
    try {
      return await serve(given, pin, terminal)
    } catch (error) {
      const code = acmErrorCode(error)
      if (code === undefined) throw error
      terminal.warn(`failed: ${code}`)
      const { message, cause } = error as Error
      terminal.warn(cause instanceof Error ? `${message} ${cause.message}` : message)
      return Exit.REFUSED
    }
  },
}

async function serve(given: Arguments, pin: string, terminal: Terminal): Promise<number> {
  const path = given.value('socket')
  if (path === undefined) throw usage('--socket is missing')
  const interval = numberFlag(given, 'interval', { least: 1, most: 86_400, unit: 'seconds' }) ?? 60
  const label = given.value('label') ?? 'acm-token'
  const files = new WebServerFiles(given, { label, pin, path })
  const { createTokenRelay } = await loadTokenPackage()
  using relay = createTokenRelay({ label, pin, enclaves: await enclaves(given, pin) })
  const patience = numberFlag(given, 'start-timeout', { least: 0, most: 3600, unit: 'seconds' })
  await firstRefresh(relay, (patience ?? 30) * 1000)
  await files.writeModule()
  const renewal = new Renewal(given, terminal, relay, files)
  await renewal.begin()
  const server = unixServer()
  relay.listen(server)
  await listenUnix(server, path, socketMode(given))
  terminal.warn(`enclavejs: ${relay.keys.length} keys on ${path}`)
  let asking = false
  const timer = setInterval(() => {
    if (asking) return
    asking = true
    renewal
      .round()
      .catch((error: unknown) => terminal.warn(`enclavejs: ${(error as Error).message}`))
      .finally(() => (asking = false))
  }, interval * 1000)
  terminal.warn(`enclavejs: ${await untilSignal()}`)
  clearInterval(timer)
  server.close()
  return Exit.ACCEPTED
}

/** An enclave that is not there may be booting; one that refuses the PIN will refuse it again. */
async function firstRefresh(relay: AcmTokenRelay, patience: number): Promise<void> {
  const end = performance.now() + patience
  for (;;) {
    try {
      return await relay.refresh()
    } catch (error) {
      const isAway = acmErrorCode(error) === 'ERR_ACM_TOKEN_ENCLAVE'
      if (!isAway || performance.now() >= end) throw error
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
  }
}

/** Brings a web server from one key to the next: files, reload, and the end of the key before. */
class Renewal {
  readonly #given: Arguments
  readonly #terminal: Terminal
  readonly #relay: AcmTokenRelay
  readonly #files: WebServerFiles
  readonly #dropAfter: number
  readonly #keepOld: number
  #current: string | undefined
  /** When the web server was last known to have the current key; undefined while it has another. */
  #loaded: number | undefined
  /** When the key changed last. */
  #changed = performance.now()

  constructor(given: Arguments, terminal: Terminal, relay: AcmTokenRelay, files: WebServerFiles) {
    const drop = numberFlag(given, 'drop-after', { least: 0, most: 604_800, unit: 'seconds' })
    this.#dropAfter = (drop ?? 120) * 1000
    const keep = numberFlag(given, 'keep-old', { least: 0, most: 604_800, unit: 'seconds' })
    this.#keepOld = (keep ?? 3600) * 1000
    this.#given = given
    this.#terminal = terminal
    this.#relay = relay
    this.#files = files
  }

  /** What an agent before wrote may be in use: if it was another key, the web server is reloaded in the first round. */
  async begin(): Promise<void> {
    const key = this.#newest()
    if (key === undefined) return
    const replaced = await this.#files.write(key)
    this.#current = hex(key.id)
    if (!replaced) this.#loaded = performance.now()
  }

  async round(): Promise<void> {
    await this.#relay.refresh()
    const key = this.#newest()
    if (key !== undefined && hex(key.id) !== this.#current) {
      await this.#files.write(key)
      this.#current = hex(key.id)
      this.#loaded = undefined
      this.#changed = performance.now()
      this.#terminal.warn(`enclavejs: the key is now ${this.#current}`)
    }
    const command = this.#given.value('reload')
    if (this.#loaded === undefined && command !== undefined) {
      if (await reload(command, this.#terminal)) this.#loaded = performance.now()
    }
    await this.#dropRetired()
  }

  async #dropRetired(): Promise<void> {
    if (performance.now() < this.#dropsFrom()) return
    for (const { id, inUse } of this.#relay.retired) {
      if (inUse || hex(id) === this.#current) continue
      await this.#relay.removeRetired(id)
      this.#terminal.warn(`enclavejs: the key ${hex(id)} is removed`)
    }
  }

  #dropsFrom(): number {
    if (this.#loaded !== undefined) return this.#loaded + this.#dropAfter
    return this.#given.value('reload') === undefined ? this.#changed + this.#keepOld : Infinity
  }

  /** A key that another has replaced may have the newer certificate of the two. */
  #newest(): ShownKey | undefined {
    const retired = new Set(this.#relay.retired.map(({ id }) => hex(id)))
    const { keys } = this.#relay
    return keys.find(({ id }) => !retired.has(hex(id))) ?? keys[0]
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

async function enclaves(given: Arguments, pin: string): Promise<readonly EnclaveAddress[]> {
  const paths = given.values('enclave-unix')
  const own = paths.map((path): EnclaveAddress => ({ connect: () => connectUnix(path), pin }))
  const cids = given.values('enclave')
  if (cids.length + paths.length === 0) throw usage('--enclave or --enclave-unix is missing')
  if (cids.length === 0) return own
  const { connect } = await loadVsockPackage()
  const far = cids.map((text): EnclaveAddress => {
    const [, where = '', port = '9999'] = /^(\d{1,10}|\/[^:]+)(?::(\d{1,10}))?$/.exec(text) ?? []
    if (where === '') {
      throw usage(`--enclave: CID or CID:PORT expected; ${JSON.stringify(text)} given`)
    }
    const machine = where.startsWith('/') ? { path: where } : { cid: Number(where) }
    return { connect: ({ signal }) => connect({ ...machine, port: Number(port), signal }), pin }
  })
  return [...far, ...own]
}

/** @returns whether it succeeded */
function reload(command: string, terminal: Terminal): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', (error) => {
      terminal.warn(`enclavejs: --reload: ${error.message}`)
      resolve(false)
    })
    child.once('close', (status) => {
      if (status !== 0) terminal.warn(`enclavejs: --reload ended with ${status ?? 'a signal'}`)
      resolve(status === 0)
    })
  })
}

function socketMode(given: Arguments): number {
  const text = given.value('socket-mode') ?? '600'
  if (!/^[0-7]{3}$/.test(text)) throw usage('--socket-mode: three octal digits expected')
  return Number.parseInt(text, 8)
}
