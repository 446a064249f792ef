import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createSimulatedAcm, type SimulatedAcm } from '../acm/server.ts'
import { openCertificateAuthority } from '../certificate-authority.ts'
import { createSimulatedImds, type SimulatedImds } from '../imds/server.ts'
import { createSimulatedAccount, type SimulatedAccount } from '../kms/account.ts'
import type { PolicyDocument } from '../kms/policy-document.ts'
import { CA_FILE } from '../kms/ring-directory.ts'
import { createSimulatedKms, type SimulatedKms } from '../kms/server.ts'
import { openVsockDirectory } from '../vsock-directory.ts'
import { answerConnect } from './connect-door.ts'
import { answerCredentials } from './credentials-port.ts'
import { openVsockPort } from './vsock-port.ts'

/** Port of the simulated parent that leads to KMS, as with AWS's vsock-proxy. */
const KMS_PORT = 8000
/** Port of the simulated parent that leads to S3 and to KMS by HTTP CONNECT, as a door of `enclavejs proxy`. */
const CONNECT_PORT = 8001
/** Port of the simulated parent that gives credentials, as `enclavejs credentials serve`. */
const CREDENTIALS_PORT = 8002
/** Stands for the account of AWS that keeps the bundles of associated certificates. */
const SERVICE_ACCOUNT = '999999999999'
const ALIAS = 'alias/enclave'

/** Options of `startSimulatedAws`; every one may be left out. */
export interface SimulatedAwsOptions {
  /**
   * What `ENCLAVEJS_SIMULATOR_DIR` is to be: the authority lies there, the sockets of the simulated vsock, and the keys of the
   * KMS in `kms`. Default: a directory that `close` removes.
   */
  readonly directory?: string
  /** Default `eu-west-1`. */
  readonly region?: string
  /** Default `123456789012`. */
  readonly accountId?: string
  /** The role of the instance. Default `enclave`. */
  readonly role?: string
  /** Policy of the key `alias/enclave`. Default: what it has, or for a new key the account may do all. */
  readonly policy?: PolicyDocument | string
}

/** KMS, IMDS and the ports of the parent, for processes that are told where they are. */
export interface SimulatedAws {
  readonly account: SimulatedAccount
  readonly kms: SimulatedKms
  readonly imds: SimulatedImds
  /** S3, ACM and EC2, in memory. */
  readonly acm: SimulatedAcm
  /** ARN of the symmetric key `alias/enclave`. */
  readonly keyArn: string
  /** Variables for the processes that are to use it. Nothing of ours reads them but the simulator its own. */
  readonly environment: Readonly<Record<string, string>>
  close(): Promise<void>
}

/**
 * Starts what an enclave finds on its parent, for processes on the simulator with the same directory: at vsock port
 * 8000 of the parent a KMS with one key, at port 8001 a CONNECT door to it and to S3, at port 8002 credentials; and on loopback IMDSv2 and the same KMS.
 *
 * `environment` holds `ENCLAVEJS_SIMULATOR_DIR` and `ENCLAVEJS_SIMULATOR_ROLE_ARN` for the simulator;
 * `AWS_EC2_METADATA_SERVICE_ENDPOINT` for AWS's own clients; and for an application that takes them into its configuration
 * `ENCLAVEJS_SIMULATED_KMS_CA` and `ENCLAVEJS_SIMULATED_ACM_CA` (files), `ENCLAVEJS_SIMULATED_KMS_KEY` (an ARN) and `ENCLAVEJS_SIMULATED_KMS_ADDRESS`
 * (`127.0.0.1:PORT`). No client takes up a CA from the environment by itself.
 *
 * @throws SimulatorError `ERR_SIMULATOR_DIRECTORY`, `ERR_SIMULATOR_VSOCK_PORT`.
 *
 * @example
 * ```ts
 * import { startSimulatedAws } from '@enclavejs/simulator/aws'
 *
 * const aws = await startSimulatedAws({ role: 'enclave' })
 * console.log(aws.keyArn, aws.environment['ENCLAVEJS_SIMULATED_KMS_CA'])
 * await aws.close()
 * ```
 */
export async function startSimulatedAws(options: SimulatedAwsOptions = {}): Promise<SimulatedAws> {
  const { region = 'eu-west-1', accountId, role = 'enclave', policy } = options
  const isTemporary = options.directory === undefined
  const directory = resolve(options.directory ?? (await mkdtemp(join(tmpdir(), 'enclavejs-'))))
  const closing: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).toReversed()) await one()
  }
  if (isTemporary) closing.push(() => rm(directory, { recursive: true, force: true }))
  try {
    const authority = await openCertificateAuthority(directory, { region })
    const sockets = openVsockDirectory(directory)
    const account = createSimulatedAccount(accountId === undefined ? {} : { accountId })
    const serviceAccount = createSimulatedAccount({ accountId: SERVICE_ACCOUNT })
    const kms = await createSimulatedKms({
      accounts: [account, serviceAccount],
      attestationRoots: [authority.trustAnchor],
      region,
      directory: join(directory, 'kms'),
    })
    closing.push(() => kms.close())
    const acm = await createSimulatedAcm({ accounts: [account], kms, serviceAccount })
    closing.push(() => acm.close())
    const acmCa = join(directory, 'acm-ca.pem')
    await writeFile(acmCa, acm.ca, { mode: 0o600 })
    const imds = await createSimulatedImds({ account, role, region })
    closing.push(() => imds.close())
    const keyArn = await ensureKey(kms, account, policy)
    const kmsPort = await openVsockPort(sockets, KMS_PORT, (socket) => kms.serve(socket))
    closing.push(() => kmsPort.close())
    const connectPort = await openVsockPort(sockets, CONNECT_PORT, (socket) =>
      answerConnect(socket, (host) => {
        if (kms.hostNames.includes(host)) return (stream) => kms.serve(stream)
        return host.endsWith('.amazonaws.com') ? (stream) => acm.serve(stream) : undefined
      }),
    )
    closing.push(() => connectPort.close())
    const credentialsPort = await openVsockPort(sockets, CREDENTIALS_PORT, (socket) =>
      answerCredentials(socket, (refresh) => (refresh ? imds.rotate() : imds.credentials())),
    )
    closing.push(() => credentialsPort.close())
    const environment = {
      ENCLAVEJS_SIMULATOR_DIR: directory,
      ENCLAVEJS_SIMULATOR_ROLE_ARN: imds.credentials().principalArn,
      ENCLAVEJS_SIMULATED_KMS_CA: join(directory, 'kms', CA_FILE),
      ENCLAVEJS_SIMULATED_KMS_KEY: keyArn,
      ENCLAVEJS_SIMULATED_ACM_CA: acmCa,
      ENCLAVEJS_SIMULATED_KMS_ADDRESS: addressOf(kms),
      AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url,
    }
    return { account, kms, imds, acm, keyArn, environment, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The key under the alias, made where there is none. */
async function ensureKey(
  kms: SimulatedKms,
  account: SimulatedAccount,
  policy: PolicyDocument | string | undefined,
): Promise<string> {
  const found = kms.keyOf(ALIAS, account.accountId)
  if (found === undefined) {
    const { accountId } = account
    const made = { accountId, alias: ALIAS, ...(policy === undefined ? {} : { policy }) }
    return (await kms.createKey(made)).arn
  }
  if (policy !== undefined) await kms.setKeyPolicy(found, policy)
  return found
}

function addressOf(kms: SimulatedKms): string {
  const address = kms.address()
  return 'path' in address ? address.path : `${address.host}:${address.port}`
}
