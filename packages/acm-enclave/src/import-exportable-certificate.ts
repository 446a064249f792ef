import { createPrivateKey, randomBytes, X509Certificate, type KeyObject } from 'node:crypto'
import { parseCertificateArn } from './arn.ts'
import { WAY_NAMES, type AttestedWay } from './aws-way.ts'
import { AcmError } from './error.ts'
import { refuseUnknown } from './option.ts'
import { storeBundle, type PublishedBundle, type PublishOptions } from './publish.ts'
import { callAws } from './aws-call.ts'
import { LOCATION_NAMES } from './source/bundle-object.ts'

/** Options of {@link importExportableCertificate}. Unknown names are refused. */
export interface ImportOptions extends AttestedWay, PublishOptions {
  /** A certificate of a private CA, or a public one that was requested as exportable. */
  readonly certificateArn: string
}

const NAMES: ReadonlySet<string> = new Set([
  ...['certificateArn', 'version'],
  ...LOCATION_NAMES,
  ...WAY_NAMES,
])

/**
 * Takes certificate and private key out of ACM (`ExportCertificate`) and stores them as an own bundle.
 *
 * **The key is not the enclave's alone.** ACM made it and keeps it, and whoever has `acm:ExportCertificate` for this certificate has
 * it too: an administrator, and where the credentials are those of the instance's role, as they are by default, the
 * parent. Nothing attests an export. Where the key must never have been outside, use {@link createCertificateRequest} and
 * {@link publishCertificate}. The ARN of the certificate is the bundle's, unless `arn` says another; after each renewal in ACM it
 * must be imported again.
 *
 * @throws {AcmServiceError} `ERR_ACM_SERVICE`: not exportable, not there, not allowed
 * @throws {AcmError} `ERR_ACM_KEY_KIND` for a key that would not be served
 * @throws {AcmError} as {@link publishCertificate}
 * @see https://docs.aws.amazon.com/acm/latest/APIReference/API_ExportCertificate.html
 */
export async function importExportableCertificate(
  options: ImportOptions,
): Promise<PublishedBundle> {
  refuseUnknown(options, 'importExportableCertificate', NAMES)
  const { certificateArn, ...rest } = options
  const { arn, region } = parseCertificateArn(certificateArn)
  // Hexadecimal: of the characters that ACM takes.
  const passphrase = Buffer.from(randomBytes(32).toString('hex'))
  const way = Object.fromEntries(
    Object.entries(rest).filter(([name]) => WAY_NAMES.includes(name)),
  ) as AttestedWay
  let exported: ReturnType<typeof readExport>
  try {
    const answer = await callAws(
      {
        ...{ service: 'acm', region, operation: 'ExportCertificate' },
        headers: {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': 'CertificateManager.ExportCertificate',
        },
        body: JSON.stringify({ CertificateArn: arn, Passphrase: passphrase.toString('base64') }),
      },
      way,
    )
    exported = readExport(answer, passphrase)
  } finally {
    passphrase.fill(0)
  }
  const { certificate, certificateChain, privateKey } = exported
  const issued = { certificate, certificateChain }
  return storeBundle(privateKey, namesOf(certificate), issued, { arn, ...rest })
}

function readExport(
  answer: string,
  passphrase: Buffer,
): { certificate: string; certificateChain: string; privateKey: KeyObject } {
  try {
    const value = JSON.parse(answer) as Record<string, unknown>
    const { Certificate: certificate, CertificateChain: others = '', PrivateKey: key } = value
    if (typeof certificate === 'string' && typeof others === 'string' && typeof key === 'string') {
      const privateKey = createPrivateKey({ key, format: 'pem', passphrase })
      return { certificate, certificateChain: others, privateKey }
    }
  } catch {
    // Said below; what the answer holds has no place in an error.
  }
  throw new AcmError(
    'ERR_ACM_SERVICE',
    'ACM answered ExportCertificate with no certificate and key',
  )
}

function namesOf(certificate: string): readonly string[] {
  let names: string | undefined
  try {
    names = new X509Certificate(certificate).subjectAltName
  } catch {
    // `storeBundle` refuses it.
  }
  return (names ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice(4))
}
