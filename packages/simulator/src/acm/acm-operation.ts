import { X509Certificate } from 'node:crypto'
import type { AcmKeyAlgorithm } from './certificate-record.ts'
import type { CertificateStore } from './certificate-store.ts'
import { AwsException } from './error.ts'

/** A call of ACM's JSON API whose signature held. */
interface AcmCall {
  readonly input: Readonly<Record<string, unknown>>
  readonly accountId: string
  readonly store: CertificateStore
}

type AcmOperation = (call: AcmCall) => Promise<Readonly<Record<string, unknown>>>

const ALGORITHMS: readonly string[] = ['RSA_2048', 'EC_prime256v1', 'EC_secp384r1']

/** What the simulated ACM does, by the name in X-Amz-Target. */
export const ACM_OPERATIONS: ReadonlyMap<string, AcmOperation> = new Map<string, AcmOperation>([
  ['RequestCertificate', requestCertificate],
  ['DescribeCertificate', describeCertificate],
  ['GetCertificate', getCertificate],
  ['ExportCertificate', exportCertificate],
  ['RenewCertificate', renewCertificate],
])

async function requestCertificate({ input, store, accountId }: AcmCall) {
  const { DomainName: name, KeyAlgorithm: algorithm = 'RSA_2048', Options: options } = input
  if (typeof name !== 'string' || name === '') {
    throw new AwsException('ValidationException', 'DomainName must be given')
  }
  if (typeof algorithm !== 'string' || !ALGORITHMS.includes(algorithm)) {
    throw new AwsException('ValidationException', 'KeyAlgorithm is none that the simulator makes')
  }
  const more = input['SubjectAlternativeNames']
  const others = Array.isArray(more) ? more.filter((one) => typeof one === 'string') : []
  const exportable = (options as { Export?: unknown } | undefined)?.Export === 'ENABLED'
  const CertificateArn = await store.create({
    names: [...new Set([name, ...(others as string[])])],
    keyAlgorithm: algorithm as AcmKeyAlgorithm,
    accountId,
    exportable,
  })
  return { CertificateArn }
}

async function describeCertificate(call: AcmCall) {
  const record = find(call)
  const leaf = new X509Certificate(record.issued.certificate)
  return {
    Certificate: {
      CertificateArn: record.arn,
      DomainName: record.names[0],
      SubjectAlternativeNames: record.names,
      KeyAlgorithm: record.keyAlgorithm,
      Serial: leaf.serialNumber.toLowerCase().replace(/(..)(?!$)/g, '$1:'),
      NotBefore: Date.parse(leaf.validFrom) / 1000,
      NotAfter: Date.parse(leaf.validTo) / 1000,
      Status: 'ISSUED',
      Type: 'AMAZON_ISSUED',
      Options: { Export: record.exportable ? 'ENABLED' : 'DISABLED' },
    },
  }
}

async function getCertificate(call: AcmCall) {
  const { issued } = find(call)
  return { Certificate: issued.certificate, CertificateChain: issued.certificateChain }
}

async function exportCertificate(call: AcmCall) {
  const record = find(call)
  const { Passphrase: passphrase } = call.input
  const secret =
    typeof passphrase === 'string' ? Buffer.from(passphrase, 'base64') : Buffer.alloc(0)
  if (secret.length < 4 || secret.length > 128) {
    throw new AwsException('ValidationException', 'Passphrase must have 4 to 128 bytes')
  }
  if (!record.exportable) {
    throw new AwsException('ValidationException', `${record.arn} is not a private certificate`)
  }
  const PrivateKey = record.privateKey
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: secret })
    .toString()
  const { certificate, certificateChain } = record.issued
  return { Certificate: certificate, CertificateChain: certificateChain, PrivateKey }
}

async function renewCertificate(call: AcmCall) {
  await call.store.renew(find(call).arn)
  return {}
}

function find({ input, store, accountId }: AcmCall) {
  const { CertificateArn: arn } = input
  if (typeof arn !== 'string') {
    throw new AwsException('ValidationException', 'CertificateArn must be given')
  }
  try {
    return store.get(arn, accountId)
  } catch {
    const message = `Could not find certificate ${arn} in account ${accountId}.`
    throw new AwsException('ResourceNotFoundException', message)
  }
}
