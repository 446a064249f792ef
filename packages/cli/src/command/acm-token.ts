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
  --allow-cid CID       who may connect over vsock; may be repeated. Default the parent alone: 3 on Nitro, and 2, the host of
                        another virtual machine
  --any-cid             everyone may
  --unix PATH           a Unix socket in the place of vsock
  --keep-old SECONDS    how long the key before stays after a renewal where nobody can tell whether it is needed, default 3600:
                        no connection is open that has signed with it, nor one of enclavejs acm agent, which removes it when
                        the web server's last worker that used it has ended
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
      'allow-cid': { type: 'string', multiple: true },
      'any-cid': { type: 'boolean' },
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

/** Undefined for everyone. */
function allowedCids(given: Arguments): readonly string[] | undefined {
  const cids = given.values('allow-cid')
  const wrong = cids.find((text) => !/^\d{1,10}$/.test(text))
  if (wrong !== undefined) {
    throw usage(`--allow-cid: a number expected; ${JSON.stringify(wrong)} given`)
  }
  if (given.value('unix') !== undefined && (cids.length > 0 || given.has('any-cid'))) {
    throw usage('--allow-cid and --any-cid are of vsock, --unix is not')
  }
  if (given.has('any-cid')) {
    if (cids.length > 0) throw usage('--allow-cid and --any-cid: one of them')
    return undefined
  }
  return cids
}

async function serve(given: Arguments, pin: string, terminal: Terminal): Promise<number> {
  const who = allowedCids(given)
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
  const server = await listen(given, who)
  token.listen(server)
  terminal.warn(`enclavejs: the token serves ${certificate.state.serialNumber}`)
  terminal.warn(`enclavejs: ${await untilSignal()}`)
  server.close()
  return Exit.ACCEPTED
}

async function listen(given: Arguments, who: readonly string[] | undefined): Promise<Server> {
  const path = given.value('unix')
  const port = numberFlag(given, 'port', { least: 1, most: 4_294_967_294, unit: 'a port' })
  if (path !== undefined) {
    if (port !== undefined) throw usage('--unix and --port: one of them')
    const server = unixServer()
    await listenUnix(server, path)
    return server
  }
  const { createServer, NITRO_PARENT_CID, VMADDR_CID_HOST } = await loadVsockPackage()
  const server = createServer()
  const parent = [NITRO_PARENT_CID, VMADDR_CID_HOST]
  const allowed = who?.length === 0 ? parent : who?.map(Number)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    const where = { port: port ?? 9999, ...(allowed !== undefined && { allowedCids: allowed }) }
    server.listen(where, resolve)
  })
  return server
}

function required(given: Arguments, flag: string): string {
  const value = given.value(flag)
  if (value === undefined) throw usage(`acm token needs --${flag}`)
  return value
}
