import { spawn } from 'node:child_process'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect as connectUnix } from 'node:net'
import type { AcmTokenRelay, EnclaveAddress, ShownKey } from '@enclavejs/acm-enclave/token'
import { acmErrorCode } from '../acm-package.ts'
import { readPin } from '../acm-pin.ts'
import { loadTokenPackage } from '../acm-token-package.ts'
import { numberFlag, parseArguments, type Arguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { CliError, usage } from '../error.ts'
import { untilSignal } from '../signal.ts'
import type { Terminal } from '../terminal.ts'
import { listenUnix, unixServer } from '../unix-listener.ts'
import { loadVsockPackage } from '../vsock-package.ts'

const HELP = `enclavejs acm agent --socket PATH --pin-file FILE (--enclave CID[:PORT] | --enclave-unix PATH) [flags]

On the parent: stands between web servers and the PKCS #11 token of an enclave (enclavejs acm token). It answers everything
but signatures itself, survives a restart of the enclave, and keeps the web server's configuration on the newest key.

  --enclave CID[:PORT]  an enclave with the token, port 9999 by default; may be repeated
  --enclave-unix PATH   the same on a Unix socket; may be repeated
  --pin-file FILE       the PIN of the token, one line; its clients log in with the same
  --socket PATH         the Unix socket that p11-kit's clients connect to
  --socket-mode MODE    octal, default 600: whoever may connect may guess at the PIN
  --label NAME          of the token, default acm-token

Files, written before the first client and when the key changes:
  --module-file FILE    p11-kit's module file, /etc/pkcs11/modules/NAME.module
  --certificate FILE    the certificate and its issuers
  --nginx-stanza FILE   ssl_certificate_key and ssl_certificate, mode 0440; needs --certificate
  --apache-conf FILE    a configuration whose SSLCertificateKeyFile and SSLCertificateFile are replaced; needs --certificate
  --reload COMMAND      run when the key has changed: "systemctl reload nginx"
  --interval SECONDS    how often the enclave is asked, default 60
  --help

Exit status: 0 stopped by a signal; 1 no enclave answers (the code on stderr); 2 wrong use.`

const TEXT = { type: 'string' } as const
const REPEATED = { type: 'string', multiple: true } as const
const TEXTS = [
  ...['pin-file', 'socket', 'socket-mode', 'label', 'module-file', 'certificate'],
  ...['nginx-stanza', 'apache-conf', 'reload', 'interval'],
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
    const writes = ['nginx-stanza', 'apache-conf'].some((flag) => given.value(flag) !== undefined)
    if (writes && given.value('certificate') === undefined) throw usage('--certificate is missing')
    const pin = await readPin(given, 'pin-file')
    try {
      return await serve(given, pin, terminal)
    } catch (error) {
      const code = acmErrorCode(error)
      if (code === undefined) throw error
      terminal.warn(`failed: ${code}`)
      terminal.warn((error as Error).message)
      return Exit.REFUSED
    }
  },
}

async function serve(given: Arguments, pin: string, terminal: Terminal): Promise<number> {
  const path = given.value('socket')
  if (path === undefined) throw usage('--socket is missing')
  const interval = numberFlag(given, 'interval', { least: 1, most: 86_400, unit: 'seconds' }) ?? 60
  const label = given.value('label') ?? 'acm-token'
  const { createTokenRelay } = await loadTokenPackage()
  using relay = createTokenRelay({ label, pin, enclaves: await enclaves(given, pin) })
  await relay.refresh()
  let current = await write(given, relay, { label, pin, path }, undefined)
  const server = unixServer()
  relay.listen(server)
  await listenUnix(server, path, socketMode(given))
  terminal.warn(`enclavejs: ${relay.keys.length} keys on ${path}`)
  let asking = false
  const timer = setInterval(() => {
    if (asking) return
    asking = true
    const round = async (): Promise<void> => {
      await relay.refresh()
      const next = await write(given, relay, { label, pin, path }, current)
      if (next === current) return
      current = next
      terminal.warn(`enclavejs: the key is now ${next ?? 'none'}`)
      await reload(given, terminal)
    }
    round()
      .catch((error: unknown) => terminal.warn(`enclavejs: ${(error as Error).message}`))
      .finally(() => (asking = false))
  }, interval * 1000)
  terminal.warn(`enclavejs: ${await untilSignal()}`)
  clearInterval(timer)
  server.close()
  return Exit.ACCEPTED
}

async function enclaves(given: Arguments, pin: string): Promise<readonly EnclaveAddress[]> {
  const paths = given.values('enclave-unix')
  const own = paths.map((path): EnclaveAddress => ({ connect: () => connectUnix(path), pin }))
  const cids = given.values('enclave')
  if (cids.length + paths.length === 0) throw usage('--enclave or --enclave-unix is missing')
  if (cids.length === 0) return own
  const { connect } = await loadVsockPackage()
  const far = cids.map((text): EnclaveAddress => {
    const [, cid = '', port = '9999'] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? []
    if (cid === '')
      throw usage(`--enclave: CID or CID:PORT expected; ${JSON.stringify(text)} given`)
    const address = { cid: Number(cid), port: Number(port) }
    return { connect: ({ signal }) => connect({ ...address, signal }), pin }
  })
  return [...far, ...own]
}

interface TokenPlace {
  readonly label: string
  readonly pin: string
  readonly path: string
}

/** Writes what is asked for when the newest key is another; returns its id in hex. */
async function write(
  given: Arguments,
  relay: AcmTokenRelay,
  { label, pin, path }: TokenPlace,
  current: string | undefined,
): Promise<string | undefined> {
  const { apacheStanza, moduleFile, nginxStanza, tokenUri } = await loadTokenPackage()
  const [key] = relay.keys as readonly [ShownKey?]
  const module = given.value('module-file')
  if (module !== undefined && current === undefined) {
    replace(module, moduleFile(path, 'enclavejs'), 0o644)
  }
  const certificate = given.value('certificate')
  if (key === undefined || certificate === undefined) return undefined
  const id = Buffer.from(key.id).toString('hex')
  if (id === current) return current
  replace(certificate, key.certificate, 0o644)
  const uri = tokenUri({ label, id: key.id, object: key.label, pin })
  const [nginx, apache] = [given.value('nginx-stanza'), given.value('apache-conf')]
  if (nginx !== undefined) replace(nginx, nginxStanza(uri, certificate), 0o440)
  if (apache !== undefined) {
    replace(apache, apacheStanza(readFileSync(apache, 'utf8'), uri, certificate), 0o440)
  }
  return id
}

/** All of it or nothing: a web server may read it at any time. */
function replace(file: string, text: string, mode: number): void {
  try {
    const next = `${file}.${process.pid}.new`
    writeFileSync(next, text, { mode })
    renameSync(next, file)
  } catch (cause) {
    throw new CliError('ERR_CLI_FILE', `${file}: ${(cause as Error).message}`, { cause })
  }
}

function reload(given: Arguments, terminal: Terminal): Promise<void> {
  const command = given.value('reload')
  if (command === undefined) return Promise.resolve()
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', (error) => {
      terminal.warn(`enclavejs: --reload: ${error.message}`)
      resolve()
    })
    child.once('close', (status) => {
      if (status !== 0) terminal.warn(`enclavejs: --reload ended with ${status ?? 'a signal'}`)
      resolve()
    })
  })
}

function socketMode(given: Arguments): number {
  const text = given.value('socket-mode') ?? '600'
  if (!/^[0-7]{3}$/.test(text)) throw usage('--socket-mode: three octal digits expected')
  return Number.parseInt(text, 8)
}
