import type { Duplex } from 'node:stream'
import { createKmsClient, type KmsClient } from './client.ts'
import type { KmsClientOptions } from './client-options.ts'
import type { Connect } from './connect.ts'
import type { CredentialsProvider } from './credentials/credentials.ts'
import { createVsockCredentials, CREDENTIALS_PORT } from './credentials/vsock.ts'
import { KmsError } from './error.ts'
import { ownMembers } from './own-members.ts'
import type { GetEvidence } from './recipient-term.ts'

/** The vsock port on the parent that AWS's vsock-proxy listens on for KMS, unless told otherwise. */
const KMS_PORT = 8000

/** What an attestation document for KMS says in `user_data`: what for it was made. */
export const RECIPIENT_PURPOSE = 'enclavejs:kms-recipient:v1'

/** Options of {@link createEnclaveKmsClient}: those of `createKmsClient`, the first three with defaults. */
export interface EnclaveKmsClientOptions extends Omit<
  KmsClientOptions,
  'connect' | 'credentials' | 'getEvidence'
> {
  /** Default: the parent's vsock port 8000, where AWS's vsock-proxy or `enclavejs proxy` passes on to KMS. */
  readonly connect?: KmsClientOptions['connect']
  /** Default: the parent's vsock port 8002, where `enclavejs credentials serve` listens. */
  readonly credentials?: KmsClientOptions['credentials']
  /** Default: the NSM of this enclave. */
  readonly getEvidence?: GetEvidence
}

/**
 * A client for one key with everything that an enclave has: Evidence from `/dev/nsm` (`@enclavejs/nsm`), streams and credentials
 * from the parent over vsock (`@enclavejs/vsock`). Both packages are loaded when they are first needed.
 *
 * @throws {KmsError} `ERR_KMS_PACKAGE` from the first call, when one of the packages is not installed
 */
export function createEnclaveKmsClient(options: EnclaveKmsClientOptions): KmsClient {
  const own = ownMembers(options)
  return createKmsClient({
    ...own,
    connect: own.connect ?? defaultConnect,
    credentials: own.credentials ?? defaultCredentials(),
    getEvidence: own.getEvidence ?? defaultGetEvidence,
  })
}

/** Evidence of the NSM over a public key, with {@link RECIPIENT_PURPOSE} as `user_data`. */
export const defaultGetEvidence: GetEvidence = async ({ publicKey }) => {
  const { openNsm } = await load('@enclavejs/nsm', () => import('@enclavejs/nsm'))
  await using nsm = openNsm()
  return nsm.attestation({ publicKey, userData: new TextEncoder().encode(RECIPIENT_PURPOSE) })
}

/** A stream to the parent's vsock port 8000, whatever host is asked for: what listens there passes on to one host. */
export const defaultConnect: Connect = (_host, _port, { signal }) => dial(KMS_PORT, signal)

/** Credentials from the parent's vsock port 8002. */
export function defaultCredentials(): CredentialsProvider {
  return createVsockCredentials({ connect: ({ signal }) => dial(CREDENTIALS_PORT, signal) })
}

/** The signal is for connecting alone: a stream that is open outlives it. */
async function dial(port: number, signal: AbortSignal | undefined): Promise<Duplex> {
  const { connect } = await load('@enclavejs/vsock', () => import('@enclavejs/vsock'))
  const dialing = new AbortController()
  const abort = (): void => dialing.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    signal?.throwIfAborted()
    return await connect({ port, signal: dialing.signal })
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

async function load<T>(name: string, importer: () => Promise<T>): Promise<T> {
  try {
    return await importer()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new KmsError('ERR_KMS_PACKAGE', `The default needs ${name}: npm install ${name}`, {
      cause,
    })
  }
}
