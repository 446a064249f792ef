import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AwsWay } from '@enclavejs/acm-enclave'
import type { Connect } from '@enclavejs/kms-enclave'
import type { Arguments, Flags } from './arguments.ts'
import { CliError, usage } from './error.ts'
import { readFlagFile } from './input-file.ts'
import { loadKmsPackage } from './kms-package.ts'

/** Flags that say how AWS is reached. */
export const ACM_WAY_FLAGS: Flags = {
  direct: { type: 'boolean' },
  'connect-to': { type: 'string', multiple: true },
  root: { type: 'string', multiple: true },
  tls12: { type: 'boolean' },
}

export const ACM_WAY_HELP = `  --direct              TCP in the place of vsock, and the credentials of AWS's tools: environment, shared file, container,
                        IMDSv2. associate, status and disassociate always do so
  --connect-to [SERVICE=]H:P
                        with TCP: dial this in the place of AWS's name, for s3, kms, ec2, acm or all; may be repeated.
                        The certificate must be AWS's all the same
  --root FILE           roots of TLS in the place of Amazon's, PEM; may be repeated
  --tls12               also take TLS 1.2`

/** From the flags; the defaults of `@enclavejs/acm-enclave` are those of an enclave. */
export async function readAcmWay(given: Arguments, direct: boolean): Promise<AwsWay> {
  const roots = await Promise.all(given.values('root').map((file) => readRoot(file)))
  const common = {
    ...(roots.length > 0 && { roots }),
    ...(given.has('tls12') && { minTlsVersion: 'TLSv1.2' as const }),
  }
  const targets = given.values('connect-to')
  if (!direct) {
    if (targets.length > 0) throw usage('--connect-to goes with --direct')
    return common
  }
  const { ordinaryCredentials } = await loadKmsPackage()
  return { ...common, connect: overTcp(targets), credentials: ordinaryCredentials() }
}

async function readRoot(file: string): Promise<string> {
  const text = Buffer.from(await readFlagFile(file, 'root')).toString('latin1')
  if (text.split('-----BEGIN CERTIFICATE-----').length === 2) return text
  throw new CliError('ERR_CLI_FILE', `--root: ${file}: one certificate in PEM expected`)
}

function overTcp(targets: readonly string[]): Connect {
  const table = new Map<string, { host: string; port: number }>()
  for (const target of targets) {
    const [, service = '', host = '', port = ''] =
      /^(?:(s3|kms|ec2|acm)=)?([^=]+):(\d{1,5})$/.exec(target) ?? []
    if (host === '' || Number(port) < 1 || Number(port) > 65_535) {
      throw usage(
        '--connect-to: HOST:PORT or SERVICE=HOST:PORT expected, SERVICE s3, kms, ec2 or acm',
      )
    }
    table.set(service, { host, port: Number(port) })
  }
  return (host, port, { signal }) =>
    new Promise<Duplex>((resolve, reject) => {
      const where = table.get(serviceOf(host)) ?? table.get('') ?? { host, port }
      const socket = connectTcp({ ...where, ...(signal !== undefined && { signal }) })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(socket)
      })
    })
}

/** `s3` of `BUCKET.s3.REGION.amazonaws.com`, and so on. */
function serviceOf(host: string): string {
  return /(?:^|\.)(s3|kms|ec2|acm)\./.exec(host)?.[1] ?? ''
}
