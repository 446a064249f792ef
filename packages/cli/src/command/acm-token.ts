import type { Server } from 'node:net'
import { acmErrorCode, loadAcmPackage } from '../acm-package.ts'
import { readPin } from '../acm-pin.ts'
import { loadTokenPackage } from '../acm-token-package.ts'
import { ACM_WAY_FLAGS, ACM_WAY_HELP, readAcmWay } from '../acm-way.ts'
import { numberFlag, parseArguments, type Arguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { usage } from '../error.ts'
import { untilSignal } from '../signal.ts'
import type { Terminal } from '../terminal.ts'
import { listenUnix, unixServer } from '../unix-listener.ts'
import { loadVsockPackage } from '../vsock-package.ts'

const HELP = `enclavejs acm token --bucket NAME --object KEY --owner ACCOUNT --key ARN --host NAME --pin-file FILE [flags]

In the enclave: loads a certificate as enclavejs acm publish stored it, and serves its key as a PKCS #11 token for the web
servers of the parent, which never have it. Renews it; the new key has a new CKA_ID, the old one stays for a while.

  --bucket NAME, --object KEY, --owner ACCOUNT, --key ARN
                        where the certificate is, and the KMS key; --region NAME and --arn ARN as for publish
  --host NAME           a DNS name that the certificate must have; may be repeated
  --pin-file FILE       the PIN: one line of 4 to 64 bytes. It keeps out other users of the parent, not the parent
  --label NAME          of the token, default acm-token
  --port N              vsock port, default 9999
  --unix PATH           a Unix socket in the place of vsock
  --keep-old SECONDS    how long the key before stays after a renewal at most, default 3600; enclavejs acm agent removes it
                        earlier, when the web server's last worker that used it has ended
${ACM_WAY_HELP}
  --help

Exit status: 0 stopped by a signal; 1 the certificate cannot be loaded (the code on stderr); 2 wrong use.`

const TEXT = { type: 'string' } as const
const TEXTS = ['bucket', 'object', 'owner', 'key', 'region', 'arn', 'pin-file', 'label', 'port']

/** `enclavejs acm token`. */
export const acmToken: Command = {
  summary: 'in the enclave: serve the key of a certificate as a PKCS #11 token',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, {
      ...ACM_WAY_FLAGS,
      ...Object.fromEntries([...TEXTS, 'unix', 'keep-old'].map((name) => [name, TEXT])),
      host: { type: 'string', multiple: true },
    })
    if (given.positionals.length > 0) throw usage('acm token takes flags alone')
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
  const { createAcmCertificate, fromBundleObject } = await loadAcmPackage()
  const { createToken, followCertificate } = await loadTokenPackage()
  const keep = numberFlag(given, 'keep-old', { least: 0, most: 604_800, unit: 'seconds' }) ?? 3600
  const [region, arn] = [given.value('region'), given.value('arn')]
  const source = fromBundleObject({
    bucket: required(given, 'bucket'),
    key: required(given, 'object'),
    expectedBucketOwner: required(given, 'owner'),
    keyArn: required(given, 'key'),
    ...(region !== undefined && { region }),
    ...(arn !== undefined && { arn }),
    ...(await readAcmWay(given, given.has('direct'))),
  })
  await using certificate = await createAcmCertificate({ source, hostNames: given.values('host') })
  using token = createToken({ label: given.value('label') ?? 'acm-token', pin, keys: [] })
  await followCertificate(token, certificate, { keepOldMs: Math.round(keep * 1000) })
  const server = await listen(given)
  token.listen(server)
  terminal.warn(`enclavejs: the token serves ${certificate.state.serialNumber}`)
  terminal.warn(`enclavejs: ${await untilSignal()}`)
  server.close()
  return Exit.ACCEPTED
}

async function listen(given: Arguments): Promise<Server> {
  const path = given.value('unix')
  const port = numberFlag(given, 'port', { least: 1, most: 4_294_967_294, unit: 'a port' })
  if (path !== undefined) {
    if (port !== undefined) throw usage('--unix and --port: one of them')
    const server = unixServer()
    await listenUnix(server, path)
    return server
  }
  const { createServer } = await loadVsockPackage()
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: port ?? 9999 }, resolve)
  })
  return server
}

function required(given: Arguments, flag: string): string {
  const value = given.value(flag)
  if (value === undefined) throw usage(`acm token needs --${flag}`)
  return value
}
