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

/** An anchor as read; its fingerprint is computed when it is first needed. */
export interface Anchor {
  readonly partition: Partition | undefined
  readonly certificate: Certificate
  readonly subject: string
  sha256: string | undefined
}

/**
 * Source: the archive AWS_NitroEnclaves_Root-G1.zip of AWS's page "Verifying the root of trust", and the AWS GovCloud
 * (US) User Guide, page "Amazon EC2". `sha256` is over the DER; AWS prints the same.
 */
const BUILT_IN: Readonly<Record<Partition, { readonly sha256: string; readonly base64: string }>> =
  {
    aws: {
      sha256: '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b',
      base64:
        'MIICETCCAZagAwIBAgIRAPkxdWgbkK/hHUbMtOTn+FYwCgYIKoZIzj0EAwMwSTELMAkGA1UEBhMCVVMxDzANBgNVBAoMBkFtYXpvbjEMMAoG' +
        'A1UECwwDQVdTMRswGQYDVQQDDBJhd3Mubml0cm8tZW5jbGF2ZXMwHhcNMTkxMDI4MTMyODA1WhcNNDkxMDI4MTQyODA1WjBJMQswCQYDVQQG' +
        'EwJVUzEPMA0GA1UECgwGQW1hem9uMQwwCgYDVQQLDANBV1MxGzAZBgNVBAMMEmF3cy5uaXRyby1lbmNsYXZlczB2MBAGByqGSM49AgEGBSuB' +
        'BAAiA2IABPwCVOumCMHzaHDimtqQvkY4MpJzbolL//Zy2YlES1BR5TSksfbb48C8WBoyt7F2Bw7eEtaaP+ohG2bnUs990d0JX28TcPQXCEPZ' +
        '3BABIeTPYwEoCWZEh8l5YoQwTcU/9KNCMEAwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUkCW1DdkFR+eWw5b6cp3PmanfS5YwDgYDVR0P' +
        'AQH/BAQDAgGGMAoGCCqGSM49BAMDA2kAMGYCMQCjfy+Rocm9Xue4YnwWmNJVA44fA0P5W2OpYow9OYCVRaEevL8uO1XYru5xtMPWrfMCMQCi' +
        '85sWBbJwKKXdS6BptQFuZbT73o/gBh1qUxl/nNr12UO8Yfwr6wPLb+6NIwLz3/Y=',
    },
    'aws-us-gov': {
      sha256: '20bcd30a3e168ea03789e1c45912bc123c4de3c977b8a6e1c125c7929d668b3b',
      base64:
        'MIICIDCCAaWgAwIBAgIQP+wUYfyWFFRko9PR00zhZzAKBggqhkjOPQQDAzBQMQswCQYDVQQGEwJVUzEPMA0GA1UECgwGQW1hem9uMQwwCgYD' +
        'VQQLDANBV1MxIjAgBgNVBAMMGWF3cy11cy1nb3Yubml0cm8tZW5jbGF2ZXMwIBcNMjAwOTEwMTIwMzQ2WhgPMjA1MDA5MTAxMzAzNDZaMFAx' +
        'CzAJBgNVBAYTAlVTMQ8wDQYDVQQKDAZBbWF6b24xDDAKBgNVBAsMA0FXUzEiMCAGA1UEAwwZYXdzLXVzLWdvdi5uaXRyby1lbmNsYXZlczB2' +
        'MBAGByqGSM49AgEGBSuBBAAiA2IABCzkRJcZVx7Sg2yXXkl0Nqj9o1ECZNAh0L8/90ATZXAaS1rxA1ti1F3wE86PGsh2UiQIYXiMu81l5kO7' +
        '775gPuLsgYcGMO/J0t08BHI8s3+JmjxTlA+/UyAqEmj7fD5CbKNCMEAwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUUKIzFk2FAlhihuQe' +
        'xsqOxZ5ZjF0wDgYDVR0PAQH/BAQDAgGGMAoGCCqGSM49BAMDA2kAMGYCMQD9bO9epcf5kMSdsHcyNJXs4bo07wvTIOwnxN41t5eESDyXtUei' +
        '++RebAbI9Viap2gCMQC7PVZ6Kpg0+N9k+DDpksoJv7gx6YwCqKsmTfU/WigyQlpyJUrWapqk0afDA4lef14=',
    },
  }

const read = new Map<Partition, Anchor>()

/** @throws {TypeError} for a partition whose root is not built in. */
export function builtInAnchor(partition: Partition): Anchor {
  let anchor = read.get(partition)
  if (anchor === undefined) {
    if (!Object.hasOwn(BUILT_IN, partition)) {
      throw new TypeError("partition must be 'aws' or 'aws-us-gov'; others need trustAnchors")
    }
    const { base64, sha256 } = BUILT_IN[partition]
    const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
    anchor = readAnchor(der, partition, sha256)
    read.set(partition, anchor)
  }
  return anchor
}

function readAnchor(der: Uint8Array, partition?: Partition, sha256?: string): Anchor {
  const certificate = decodeCertificate(der)
  return { partition, certificate, subject: describeName(certificate.subject), sha256 }
}

/** @throws {TypeError} when the list is empty or a member is no certificate. */
export function ownAnchors(certificates: readonly Uint8Array[]): readonly Anchor[] {
  if (!Array.isArray(certificates) || certificates.length === 0) {
    throw new TypeError('trustAnchors must be an array of certificates in DER')
  }
  return certificates.map((bytes: Uint8Array, index) => {
    const copy = copyBytes(bytes, `trustAnchors[${index}]`)
    try {
      return readAnchor(copy)
    } catch (cause) {
      throw new TypeError(`trustAnchors[${index}] is not a certificate in DER`, { cause })
    }
  })
}

/** The anchor that a bundle's first certificate is, byte for byte: its name or its key alone prove nothing. */
export function findAnchor(root: Uint8Array, anchors: readonly Anchor[]): Anchor {
  const anchor = anchors.find(({ certificate }) => equalBytes(certificate.bytes, root))
  if (anchor !== undefined) return anchor
  const known = Object.keys(BUILT_IN) as Partition[]
  const other = known.find((name) => equalBytes(builtInAnchor(name).certificate.bytes, root))
  const expected = anchors.map(({ partition }) =>
    partition ? `the root of ${partition}` : 'an own trust anchor',
  )
  const seen = other ? `the root of ${other} seen (option partition)` : 'another certificate seen'
  throw new CertificateError(
    'ERR_ATTESTATION_TRUST_ANCHOR',
    `${[...new Set(expected)].join(' or ')} expected, ${seen}`,
    { certificate: 'cabundle[0]', subject: claimedSubject(root) },
  )
}

function claimedSubject(certificate: Uint8Array): string | undefined {
  try {
    return describeName(decodeCertificate(certificate).subject)
  } catch {
    return undefined
  }
}

export async function describeAnchor(anchor: Anchor, subtle: Subtle): Promise<TrustAnchor> {
  const { partition, subject, certificate } = anchor
  const sha256 = (anchor.sha256 ??= toHex(
    new Uint8Array(await subtle.digest('SHA-256', certificate.bytes as Uint8Array<ArrayBuffer>)),
  ))
  return { partition, subject, sha256 }
}
