import type {
  Connect,
  Credentials,
  CredentialsProvider,
  Deadlines,
  GetEvidence,
  TlsVersion,
} from '@enclavejs/kms-enclave'
import { defaultWay } from './defaults.ts'

/** How AWS is reached, and as whom. */
export interface AwsWay extends Deadlines {
  /**
   * Streams to S3 and KMS, port 443. Default: the CONNECT door of the parent's `enclavejs proxy`, vsock port 8001. Whoever carries
   * them need not be trusted: TLS begins and ends in this process.
   */
  readonly connect?: Connect
  /** Who calls. Default: the parent's vsock port 8002, where `enclavejs credentials serve` listens. */
  readonly credentials?: Credentials | CredentialsProvider
  /** PEM certificates in the place of Amazon's roots. Default: those of `connect`, else Amazon's. */
  readonly roots?: readonly string[]
  /** Oldest TLS with S3 and KMS. Default `TLSv1.3`. */
  readonly minTlsVersion?: TlsVersion
  /** Attempts of one call where waiting can help, 1 to 10. Default 3. */
  readonly maxAttempts?: number
  /** The clock of signatures and credentials. Default: the system's. */
  readonly now?: () => Date
}

/** The same, to a service that wants attestation. */
export interface AttestedWay extends AwsWay {
  /** Default: the NSM of this enclave. */
  readonly getEvidence?: GetEvidence
}

/** Names of options, for doors that refuse others. */
export const WAY_NAMES: readonly string[] = [
  ...['connect', 'credentials', 'roots', 'minTlsVersion', 'maxAttempts', 'now', 'getEvidence'],
  ...['connectTimeout', 'handshakeTimeout', 'requestTimeout', 'deadline'],
]

/** The way with its defaults, for these hosts; what a client of kms-enclave takes. */
export function readWay(
  way: AttestedWay,
  hosts: readonly string[],
): AttestedWay & Required<Pick<AttestedWay, 'connect' | 'credentials' | 'getEvidence'>> {
  const defaults = defaultWay(hosts)
  const kept = Object.fromEntries(
    Object.entries(way).filter(([name, value]) => WAY_NAMES.includes(name) && value !== undefined),
  ) as AttestedWay
  return { ...defaults, ...kept }
}
