import type { SimulatedAccount } from './account.ts'
import type { ListenAddress } from './local-listener.ts'
import type { PolicyDocument } from './policy-document.ts'

/** Options of `createSimulatedKms`. */
export interface SimulatedKmsOptions {
  /** The accounts whose access keys are known. `createKey` makes keys of the first. */
  readonly accounts: readonly SimulatedAccount[]
  /** Roots that attestation documents may end in, DER or PEM: the simulator's, or AWS's own. */
  readonly attestationRoots: readonly (Uint8Array | string)[]
  /** Default `eu-west-1`. */
  readonly region?: string
  /** Names in the server's certificate. Default: the host names that KMS has in the region. */
  readonly hostNames?: readonly string[]
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: ListenAddress
  /** Keys, policies, grants, aliases and the CA are kept there. Default: in memory. */
  readonly directory?: string
  /** Form of CiphertextForRecipient; `random`, the default, takes either for each answer. */
  readonly contentForm?: 'constructed' | 'primitive' | 'random'
  /** Lowest TLS version. Default `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** Highest TLS version. Default `TLSv1.3`. */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** How far X-Amz-Date may be from `now`, in milliseconds. Default five minutes. */
  readonly maxSkewMs?: number
  /** Requests that `requests` keeps. Default 1000. */
  readonly recordLimit?: number
  /** KMS's clock: signatures, ages of documents, Date. TLS has the system's. Default: the system's. */
  readonly now?: () => Date
}

/** What `SimulatedKms.createKey` makes; every member may be left out. */
export interface SimulatedKeyOptions {
  /** Default: the first account. */
  readonly accountId?: string
  /** Default `SYMMETRIC_DEFAULT`; `RSA_2048`, `RSA_3072`, `RSA_4096`, `ECC_NIST_P256`, `ECC_NIST_P384`. */
  readonly keySpec?: string
  /** `ENCRYPT_DECRYPT`, `SIGN_VERIFY` or `KEY_AGREEMENT`; needed unless the key is symmetric. */
  readonly keyUsage?: string
  /** As an object or as JSON text. Default: AWS's, which leaves all to the account. */
  readonly policy?: PolicyDocument | string
  /** `alias/…`. */
  readonly alias?: string
  readonly description?: string
  readonly multiRegion?: boolean
  /** What DescribeKey says; the material is made here all the same. Default `AWS_KMS`. */
  readonly origin?: string
}

/** The host names of KMS in a region, by the suffixes of its partition. */
export function kmsHostNames(region: string): readonly string[] {
  const [suffix, dualStack] = suffixes(region)
  return ['kms', 'kms-fips'].flatMap((name) => [
    `${name}.${region}.${suffix}`,
    `${name}.${region}.${dualStack}`,
  ])
}

function suffixes(region: string): readonly [string, string] {
  if (region.startsWith('cn-')) return ['amazonaws.com.cn', 'api.amazonwebservices.com.cn']
  if (region.startsWith('eusc-')) return ['amazonaws.eu', 'api.amazonwebservices.eu']
  return ['amazonaws.com', 'api.aws']
}
