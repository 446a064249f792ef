import { createPublicKey, randomUUID } from 'node:crypto'
import type { SimulatedKms } from '../kms/server.ts'
import type { SimulatedAccount } from '../kms/account.ts'
import { putObject, type Bucket } from './bucket.ts'
import {
  bundleOf,
  makeKey,
  type AcmKeyAlgorithm,
  type CertificateRecord,
} from './certificate-record.ts'
import { AwsException } from './error.ts'
import type { CertificateIssuer, IssueOptions } from './issuer.ts'

/** What a new certificate is to be. */
export interface CertificateOptions extends IssueOptions {
  /** Host names, the first in the subject too. */
  readonly names: readonly string[]
  /** Default `EC_prime256v1`. */
  readonly keyAlgorithm?: AcmKeyAlgorithm
  /** Default: the first account. */
  readonly accountId?: string
  /** Default false. */
  readonly exportable?: boolean
}

export interface CertificateStoreParts {
  readonly partition: string
  readonly region: string
  readonly kms: SimulatedKms
  readonly issuer: CertificateIssuer
  readonly bucket: Bucket
  readonly owner: SimulatedAccount
  /** PCR0 of the one image that the policy of AWS's keys names, in hex; undefined: the role alone. */
  readonly imagePcr0: string | undefined
  readonly now: () => Date
}

/** Roles that one certificate can be associated with. */
const ROLES_MAX = 16

/** The certificates of the simulated ACM, and the bundles of those that are associated with roles. */
export class CertificateStore {
  readonly #parts: CertificateStoreParts
  readonly #records = new Map<string, CertificateRecord>()

  constructor(parts: CertificateStoreParts) {
    this.#parts = parts
  }

  async create(options: CertificateOptions & { readonly accountId: string }): Promise<string> {
    const { names, keyAlgorithm = 'EC_prime256v1', accountId, exportable = false } = options
    const { partition, region, issuer } = this.#parts
    const privateKey = await makeKey(keyAlgorithm)
    const arn = `arn:${partition}:acm:${region}:${accountId}:certificate/${randomUUID()}`
    const issued = issuer.issue(names, createPublicKey(privateKey), options)
    this.#records.set(arn, {
      ...{ arn, accountId, names, keyAlgorithm, exportable, privateKey, issued },
      encryptionKmsKeyId: undefined,
      roles: new Map(),
    })
    return arn
  }

  /** A new key and certificate under the same ARN; every associated bundle is written anew. */
  async renew(arn: string, options: IssueOptions = {}): Promise<void> {
    const record = this.get(arn)
    record.privateKey = await makeKey(record.keyAlgorithm)
    const publicKey = createPublicKey(record.privateKey)
    record.issued = this.#parts.issuer.issue(record.names, publicKey, options)
    for (const role of record.roles.keys()) this.#store(record, role)
  }

  /** @throws AwsException for an ARN that is none of a certificate of that account. */
  get(arn: string, accountId?: string): CertificateRecord {
    const record = this.#records.get(arn)
    if (record !== undefined && (accountId ?? record.accountId) === record.accountId) return record
    throw new AwsException(
      'InvalidCertificateArn.NotFound',
      `The certificate '${arn}' does not exist`,
    )
  }

  async associate(arn: string, roleArn: string, accountId: string): Promise<CertificateRecord> {
    const record = this.get(arn, accountId)
    if (record.roles.size >= ROLES_MAX && !record.roles.has(roleArn)) {
      throw new AwsException('AssociationLimitExceeded', `${ROLES_MAX} roles are the most`)
    }
    if (record.encryptionKmsKeyId === undefined) {
      const { kms, owner } = this.#parts
      const made = await kms.createKey({ accountId: owner.accountId })
      record.encryptionKmsKeyId = made.keyId
    }
    record.roles.set(roleArn, `${roleArn}/${arn}`)
    await this.#setPolicy(record)
    this.#store(record, roleArn)
    return record
  }

  async disassociate(arn: string, roleArn: string, accountId: string): Promise<void> {
    const record = this.get(arn, accountId)
    const key = record.roles.get(roleArn)
    if (key === undefined) {
      throw new AwsException('InvalidAssociation.NotFound', `${roleArn} is not associated`)
    }
    record.roles.delete(roleArn)
    this.#parts.bucket.objects.delete(key)
    await this.#setPolicy(record)
  }

  #store(record: CertificateRecord, roleArn: string): void {
    const { kms, bucket, now } = this.#parts
    const pem = record.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const encrypted = kms.encrypt(record.encryptionKmsKeyId ?? '', Buffer.from(pem))
    putObject(bucket, `${roleArn}/${record.arn}`, bundleOf(record, encrypted), now())
  }

  /** Decrypt for the associated roles, with attestation by AWS's image where one is known. */
  async #setPolicy(record: CertificateRecord): Promise<void> {
    const { kms, owner, imagePcr0 } = this.#parts
    const condition =
      imagePcr0 === undefined
        ? {}
        : {
            Condition: {
              StringEqualsIgnoreCase: { 'kms:RecipientAttestation:PCR0': imagePcr0 },
            },
          }
    const all = {
      Effect: 'Allow' as const,
      Principal: { AWS: owner.rootArn },
      Action: 'kms:*',
      Resource: '*',
    }
    const roles = [...record.roles.keys()].map((role) => ({
      Effect: 'Allow' as const,
      Principal: { AWS: role },
      Action: 'kms:Decrypt',
      Resource: '*',
      ...condition,
    }))
    await kms.setKeyPolicy(record.encryptionKmsKeyId ?? '', {
      Version: '2012-10-17',
      Statement: [all, ...roles],
    })
  }
}
