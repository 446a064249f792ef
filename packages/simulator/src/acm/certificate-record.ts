import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { IssuedCertificate } from './issuer.ts'

/** Algorithms of ACM's keys that the simulator makes. */
export type AcmKeyAlgorithm = 'RSA_2048' | 'EC_prime256v1' | 'EC_secp384r1'

/** One certificate of the simulated ACM. */
export interface CertificateRecord {
  readonly arn: string
  readonly accountId: string
  readonly names: readonly string[]
  readonly keyAlgorithm: AcmKeyAlgorithm
  /** Whether ExportCertificate gives it away. */
  readonly exportable: boolean
  privateKey: KeyObject
  issued: IssuedCertificate
  /** KMS key of AWS's account that its bundles are encrypted under, once it is associated. */
  encryptionKmsKeyId: string | undefined
  /** Role ARN to the key of its bundle. */
  readonly roles: Map<string, string>
}

const generate = promisify(generateKeyPair) as (
  type: string,
  options: object,
) => Promise<{ privateKey: string }>

/** A key of ACM's, made off the event loop. */
export async function makeKey(algorithm: AcmKeyAlgorithm): Promise<KeyObject> {
  const encoding = {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }
  const { privateKey } =
    algorithm === 'RSA_2048'
      ? await generate('rsa', { modulusLength: 2048, ...encoding })
      : await generate('ec', { namedCurve: algorithm.slice(3), ...encoding })
  return createPrivateKey(privateKey)
}

/** The bundle that AWS stores: four members, all texts. */
export function bundleOf(record: CertificateRecord, encrypted: Uint8Array): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({
      certificate: record.issued.certificate,
      certificateChain: record.issued.certificateChain,
      encryptedPrivateKey: Buffer.from(encrypted).toString('base64'),
      encryptionMethod: 'SYMMETRIC_DEFAULT',
    }),
  )
}
