import { createServer, type Server } from 'node:net'
import type { CredentialsProvider, CredentialsServed } from '@enclavejs/kms-enclave'
import { numberFlag, parseArguments, type Arguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { listenerOf, placeOfEnclave } from '../enclave-place.ts'
import { usage } from '../error.ts'
import { kmsErrorCode, loadKmsPackage } from '../kms-package.ts'
import type { Terminal } from '../terminal.ts'
import { loadVsockPackage } from '../vsock-package.ts'

const HELP = `enclavejs credentials serve --enclave NAME|--allow-cid CID|--any-cid [flags]

Gives an enclave the credentials of this machine, over vsock. They say which role calls KMS; that an enclave calls is
what its attestation document says. Runs on the parent until a signal.

  --enclave NAME      who may ask: the enclave that enclavejs ps calls so. Its CID is looked up once, at the start; if the
                      enclave is started again, start this again
  --allow-cid CID     who may ask, by its CID; may be repeated
  --any-cid           everyone may
  --port N            the vsock port, default 8002
  --path SOCKET       in the place of AF_VSOCK: the Unix socket of a virtual machine (hybrid vsock); SOCKET_N is made
  --source NAME       ordinary (default): environment, shared file, container, IMDSv2, the first that is configured;
                      imds: IMDSv2 alone
  --profile NAME      the profile of the shared file
  --role NAME         with --source imds: the role, where IMDS is not to say it
  --json              every answer as one line of JSON on stdout, without the credentials
  --help

A set is renewed five minutes before its end; while that fails, the last good one is given until it ends.

Exit status: 0 ended by a signal; 1 the port cannot be taken, or no enclave of that name runs (the code on stderr); 2 wrong
use.`

/** `enclavejs credentials`. */
export const credentials: Command = {
  summary: "give an enclave this machine's credentials over vsock",
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, {
      enclave: { type: 'string' },
      'allow-cid': { type: 'string', multiple: true },
      'any-cid': { type: 'boolean' },
      port: { type: 'string' },
      path: { type: 'string' },
      source: { type: 'string' },
      profile: { type: 'string' },
      role: { type: 'string' },
      json: { type: 'boolean' },
    })
    const [action, extra] = given.positionals
    if (action !== 'serve' || extra !== undefined) throw usage('credentials: serve expected')
    const who = readListen(given)
    const provider = await readSource(given)
    const place = await placeOfEnclave(given, terminal)
    if (typeof place === 'number') return place
    const listenOptions = place === undefined ? who : listenerOf(place)
    const { serveCredentials, CREDENTIALS_PORT } = await loadKmsPackage()
    const { listenVsock } = await loadVsockPackage()
    const server = createServer()
    serveCredentials(server, provider, { onServed: (event) => tell(event, given, terminal) })
    const port = numberFlag(given, 'port', { least: 0, most: 0xffff_fffe, unit: 'a vsock port' })
    try {
      await listening(server, () =>
        listenVsock(server, { port: port ?? CREDENTIALS_PORT, ...listenOptions }),
      )
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === undefined) throw error
      terminal.warn(`failed: ${code}`)
      terminal.warn(message)
      return Exit.REFUSED
    }
    terminal.warn(`enclavejs: credentials are served at vsock port ${port ?? CREDENTIALS_PORT}`)
    terminal.warn(`enclavejs: ended by ${await signal()}`)
    server.close()
    return Exit.ACCEPTED
  },
}

function readListen(given: Arguments): { allowedCids?: number[]; path?: string } {
  const allowedCids = given.values('allow-cid').map((text) => {
    if (/^\d{1,10}$/.test(text)) return Number(text)
    throw usage(`--allow-cid: a number expected; ${JSON.stringify(text)} given`)
  })
  const path = given.value('path')
  const named = [given.value('enclave'), path].map((value) => value !== undefined)
  const ways = [allowedCids.length > 0, given.has('any-cid'), ...named]
  if (ways.filter(Boolean).length !== 1) {
    throw usage('one of --allow-cid, --any-cid and --path must be given, or --enclave')
  }
  return {
    ...(allowedCids.length > 0 && { allowedCids }),
    ...(path !== undefined && { path }),
  }
}

async function readSource(given: Arguments): Promise<CredentialsProvider> {
  const { fromImds, ordinaryCredentials } = await loadKmsPackage()
  const source = given.value('source') ?? 'ordinary'
  const profile = given.value('profile')
  const role = given.value('role')
  if (source === 'imds') {
    if (profile !== undefined) throw usage('--profile goes with --source ordinary')
    try {
      return fromImds(role === undefined ? {} : { role })
    } catch (cause) {
      throw usage(`--role: ${(cause as Error).message}`, { cause })
    }
  }
  if (source !== 'ordinary') throw usage('--source: ordinary or imds expected')
  if (role !== undefined) throw usage('--role goes with --source imds')
  return ordinaryCredentials(profile === undefined ? {} : { profile })
}

function tell(
  { outcome, expiration, error }: CredentialsServed,
  given: Arguments,
  terminal: Terminal,
): void {
  const time = new Date().toISOString()
  const code = error === undefined ? undefined : (kmsErrorCode(error) ?? 'malformed question')
  if (given.has('json')) {
    terminal.print(JSON.stringify({ time, outcome, expiration, error: code }))
  }
  if (outcome === 'unavailable') {
    terminal.warn(`enclavejs: no credentials to give: ${(error as Error).message}`)
  } else if (outcome === 'malformed')
    terminal.warn('enclavejs: a malformed question was not answered')
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      resolve()
    })
    listen()
  })
}

function signal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.once(name, () => resolve(name))
    }
  })
}
