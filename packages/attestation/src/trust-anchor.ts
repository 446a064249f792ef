import { decodeCertificate, describeName, type Certificate } from '@enclavejs/der'
import { copyBytes, equalBytes, toHex } from './bytes.ts'
import { CertificateError } from './error.ts'
import type { Subtle } from './signature.ts'

/** An AWS partition whose root is built in. Other partitions have roots of their own: give those as `trustAnchors`. */
export type Partition = 'aws' | 'aws-us-gov'

/** The certificate that ended a path. */
export interface TrustAnchor {
  /** The partition whose built-in root it is; undefined for one of the caller's own `trustAnchors`. */
  readonly partition: Partition | undefined
  /** Its subject for people. */
  readonly subject: string
  /** Lower-case hex of SHA-256 over its DER. */
  readonly sha256: string
}

/** A root that may end a path: one of AWS's, known by its fingerprint, or one of the caller's. */
export interface Anchor {
  readonly partition: Partition | undefined
  /** Undefined for a built-in one, of which any document brings the certificate. */
  readonly certificate: Certificate | undefined
}

/** An anchor that a document's first certificate turned out to be. */
export interface FoundAnchor {
  readonly partition: Partition | undefined
  readonly certificate: Certificate
}

/**
 * SHA-256 over the DER of each root, which is how AWS publishes them: the user guide of Nitro Enclaves, "Verifying the
 * root of trust" (archive AWS_NitroEnclaves_Root-G1.zip), and the AWS GovCloud (US) User Guide, page "Amazon EC2".
 * Nothing but the one certificate has that digest, so equality of digests is equality of whole certificates.
 */
const BUILT_IN: Readonly<Record<Partition, string>> = {
  aws: '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b',
  'aws-us-gov': '20bcd30a3e168ea03789e1c45912bc123c4de3c977b8a6e1c125c7929d668b3b',
}

/** Built-in roots that a provider has hashed before; from then on their bytes are compared. */
const hashed = new WeakMap<Subtle, Map<Partition, Certificate>>()

/** @throws {TypeError} for a partition whose root is not built in. */
export function builtInAnchor(partition: Partition): Anchor {
  if (Object.hasOwn(BUILT_IN, partition)) return { partition, certificate: undefined }
  throw new TypeError("partition must be 'aws' or 'aws-us-gov'; others need trustAnchors")
}

/** @throws {TypeError} when the list is empty or a member is no certificate. */
export function ownAnchors(certificates: readonly Uint8Array[]): readonly Anchor[] {
  if (!Array.isArray(certificates) || certificates.length === 0) {
    throw new TypeError('trustAnchors must be an array of certificates in DER')
  }
  return Array.from(certificates, (bytes: Uint8Array, index) => {
    const copy = copyBytes(bytes, `trustAnchors[${index}]`)
    try {
      return { partition: undefined, certificate: decodeCertificate(copy) }
    } catch (cause) {
      throw new TypeError(`trustAnchors[${index}] is not a certificate in DER`, { cause })
    }
  })
}

/**
 * The anchor that a bundle's first certificate is, as a whole: its name or its key alone prove nothing.
 *
 * @throws {CertificateError} `ERR_ATTESTATION_TRUST_ANCHOR`
 */
export async function findAnchor(
  root: Uint8Array,
  anchors: readonly Anchor[],
  subtle: Subtle,
): Promise<FoundAnchor> {
  for (const { partition, certificate: own } of anchors) {
    const certificate = own ?? hashed.get(subtle)?.get(partition as Partition)
    if (certificate && equalBytes(certificate.bytes, root)) return { partition, certificate }
  }
  const sha256 = await fingerprint(root, subtle)
  for (const { partition } of anchors) {
    if (partition === undefined || BUILT_IN[partition] !== sha256) continue
    const certificate = decodeCertificate(root.slice())
    const known = hashed.get(subtle) ?? new Map<Partition, Certificate>()
    hashed.set(subtle, known.set(partition, certificate))
    return { partition, certificate }
  }
  const other = Object.entries(BUILT_IN).find(([, digest]) => digest === sha256)?.[0]
  const expected = anchors[0]?.partition
  throw new CertificateError(
    'ERR_ATTESTATION_TRUST_ANCHOR',
    `${expected ? `the root of ${expected}` : 'one of trustAnchors'} expected, ${
      other ? `the root of ${other} seen (option partition)` : `another one seen, SHA-256 ${sha256}`
    }`,
    { certificate: 'cabundle[0]' },
  )
}

/** What was said of an anchor before. */
const described = new WeakMap<Certificate, TrustAnchor>()

export async function describeAnchor(anchor: FoundAnchor, subtle: Subtle): Promise<TrustAnchor> {
  const { partition, certificate } = anchor
  const known = described.get(certificate) ?? {
    partition,
    subject: describeName(certificate.subject),
    sha256: partition ? BUILT_IN[partition] : await fingerprint(certificate.bytes, subtle),
  }
  described.set(certificate, known)
  return { ...known }
}

async function fingerprint(certificate: Uint8Array, subtle: Subtle): Promise<string> {
  const bytes = certificate as Uint8Array<ArrayBuffer>
  try {
    return toHex(new Uint8Array(await subtle.digest('SHA-256', bytes)))
  } catch (cause) {
    throw new CertificateError(
      'ERR_ATTESTATION_TRUST_ANCHOR',
      'the option subtle could not compute SHA-256 of it',
      { certificate: 'cabundle[0]' },
      { cause },
    )
  }
}
