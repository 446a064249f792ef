import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Connect, EncryptionContext, KmsClient } from '@enclavejs/kms-enclave'
import { numberFlag, type Arguments, type Flags } from './arguments.ts'
import { CliError, usage } from './error.ts'
import { readFlagFile } from './input-file.ts'
import { loadKmsPackage } from './kms-package.ts'

/** Flags of every command that calls KMS. */
export const KMS_FLAGS: Flags = {
  key: { type: 'string' },
  root: { type: 'string', multiple: true },
  endpoint: { type: 'string' },
  tls12: { type: 'boolean' },
  'kms-port': { type: 'string' },
  'credentials-port': { type: 'string' },
  direct: { type: 'boolean' },
  'connect-to': { type: 'string' },
}

export const KMS_FLAGS_HELP: string = `  --key ARN             the full ARN of the key; its region says which KMS is called
  --kms-port N          the parent's vsock port that leads to KMS, default 8000
  --credentials-port N  the parent's vsock port that gives credentials, default 8002
  --direct              TCP in the place of vsock, and the credentials of AWS's tools: environment, shared file, container,
                        IMDSv2. For encrypt, check-policy and explain outside of an enclave
  --connect-to H:P      with --direct: dial this in the place of KMS's name, for a VPC endpoint or a tunnel. The certificate
                        must be KMS's all the same
  --endpoint NAME       standard (default), fips, dualstack or fips-dualstack
  --root FILE           roots of TLS in the place of Amazon's, PEM; may be repeated
  --tls12               also take TLS 1.2`

/** A client for the key of `--key`. */
export async function openKmsClient(given: Arguments): Promise<KmsClient> {
  const kms = await loadKmsPackage()
  const keyArn = given.value('key')
  if (keyArn === undefined) throw usage('--key ARN is missing')
  const roots = await Promise.all(given.values('root').map((file) => readRoot(file)))
  const endpoint = given.value('endpoint')
  const { connect, credentials } = await openWay(given)
  try {
    return kms.createKmsClient({
      keyArn,
      connect,
      credentials,
      getEvidence: kms.defaultGetEvidence,
      ...(roots.length > 0 && { roots }),
      ...(endpoint !== undefined && { endpoint: endpoint as 'standard' }),
      ...(given.has('tls12') && { minTlsVersion: 'TLSv1.2' as const }),
    })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const message = error.message
      .replace(/; see dangerouslyUnboundKey$/, '')
      .replace(/^keyArn/, '--key')
      .replace(/^(endpoint|roots)/, '--$1')
    throw usage(message, { cause: error })
  }
}

type Way = Pick<
  Parameters<Awaited<ReturnType<typeof loadKmsPackage>>['createKmsClient']>[0],
  'connect' | 'credentials'
>

async function openWay(given: Arguments): Promise<Way> {
  const kms = await loadKmsPackage()
  const kmsPort = portFlag(given, 'kms-port')
  const credentialsPort = portFlag(given, 'credentials-port')
  const to = given.value('connect-to')
  if (!given.has('direct')) {
    if (to !== undefined) throw usage('--connect-to goes with --direct')
    return {
      connect: kmsPort === undefined ? kms.defaultConnect : overVsock(kmsPort),
      credentials:
        credentialsPort === undefined
          ? kms.defaultCredentials()
          : kms.createVsockCredentials({
              connect: (options) => overVsock(credentialsPort)('', 0, options),
            }),
    }
  }
  if (kmsPort !== undefined || credentialsPort !== undefined) {
    throw usage('--kms-port and --credentials-port do not go with --direct')
  }
  return {
    connect: to === undefined ? overTcp : overTcpTo(to),
    credentials: kms.ordinaryCredentials(),
  }
}

function portFlag(given: Arguments, flag: string): number | undefined {
  return numberFlag(given, flag, { least: 1, most: 0xffff_fffe, unit: 'a vsock port' })
}

/** Streams to one port of the parent, whatever is asked for. */
function overVsock(port: number): Connect {
  return async (_host, _port, { signal }) => {
    const { createPortEgress } = await import('@enclavejs/vsock')
    const egress = createPortEgress({ ports: { 'parent:1': port } })
    return egress('parent', 1, signal === undefined ? {} : { signal })
  }
}

const overTcp: Connect = (host, port, { signal }) =>
  new Promise<Duplex>((resolve, reject) => {
    const socket = connectTcp({ host, port, ...(signal !== undefined && { signal }) })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })

function overTcpTo(text: string): Connect {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw usage('--connect-to: HOST:PORT expected')
  }
  return (_host, _port, options) => overTcp(host, Number(port), options)
}

async function readRoot(file: string): Promise<string> {
  const text = new TextDecoder().decode(await readFlagFile(file, 'root'))
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw new CliError('ERR_CLI_FILE', `--root: ${file}: a certificate in PEM expected`)
}

/** The encryption context of `--context NAME=VALUE`, or undefined for `--no-context`. */
export function readContext(given: Arguments): EncryptionContext | undefined {
  const pairs = given.values('context')
  if (given.has('no-context')) {
    if (pairs.length > 0) throw usage('--context and --no-context contradict')
    return undefined
  }
  if (pairs.length === 0) {
    throw usage('--context NAME=VALUE is missing; --no-context where there is to be none')
  }
  const context = new Map<string, string>()
  for (const pair of pairs) {
    const [, name, value] = /^([^=]+)=([^]*)$/.exec(pair) ?? []
    if (name === undefined || value === undefined) throw usage('--context: NAME=VALUE expected')
    if (context.has(name)) throw usage(`--context: ${JSON.stringify(name)} is given twice`)
    context.set(name, value)
  }
  return Object.fromEntries(context)
}
