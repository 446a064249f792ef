import { createHash, type KeyObject } from 'node:crypto'
import {
  bitString,
  boolean,
  objectIdentifier,
  octetString,
  sequence,
  tlv,
  unsignedInteger,
} from './der.ts'

/** One certificate extension; `value` is the DER inside the OCTET STRING. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  readonly value: Uint8Array
}

/** Object identifiers of the extensions that Nitro's certificates carry. */
export const extensionOids = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyIdentifier: '2.5.29.35',
} as const

/** Bits of keyUsage in the order of RFC 5280 §4.2.1.3. */
export type KeyUsage =
  | 'digitalSignature'
  | 'nonRepudiation'
  | 'keyEncipherment'
  | 'dataEncipherment'
  | 'keyAgreement'
  | 'keyCertSign'
  | 'cRLSign'
  | 'encipherOnly'
  | 'decipherOnly'

const KEY_USAGES: readonly KeyUsage[] = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
]

/** basicConstraints, critical unless told otherwise. */
export function basicConstraints(options: {
  readonly ca: boolean
  readonly pathLenConstraint?: number | undefined
  readonly critical?: boolean | undefined
}): Extension {
  const { ca, pathLenConstraint, critical = true } = options
  const parts = ca ? [boolean(true)] : []
  if (pathLenConstraint !== undefined) {
    parts.push(unsignedInteger(Uint8Array.of(pathLenConstraint)))
  }
  return { oid: extensionOids.basicConstraints, critical, value: sequence(...parts) }
}

/** keyUsage, critical unless told otherwise; no usage at all gives an empty BIT STRING. */
export function keyUsage(
  usages: readonly KeyUsage[],
  options: { readonly critical?: boolean | undefined } = {},
): Extension {
  const bits = usages.map((usage) => KEY_USAGES.indexOf(usage))
  const last = Math.max(-1, ...bits)
  const octets = new Uint8Array(Math.ceil((last + 1) / 8))
  for (const bit of bits) octets[bit >> 3] = (octets[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  const unused = octets.length * 8 - (last + 1)
  const { critical = true } = options
  return { oid: extensionOids.keyUsage, critical, value: bitString(octets, unused) }
}

/** The SHA-1 of the bits of a public key (RFC 5280 §4.2.1.2, method 1), as Nitro's CAs make it. */
function keyIdentifier(publicKey: KeyObject): Uint8Array {
  const jwk = publicKey.export({ format: 'jwk' })
  if (jwk.x === undefined || jwk.y === undefined) {
    throw new TypeError('publicKey: an elliptic curve key was expected')
  }
  const point = Buffer.concat([
    Uint8Array.of(4),
    Buffer.from(jwk.x, 'base64url'),
    Buffer.from(jwk.y, 'base64url'),
  ])
  return new Uint8Array(createHash('sha1').update(point).digest())
}

export function subjectKeyIdentifier(publicKey: KeyObject): Extension {
  return {
    oid: extensionOids.subjectKeyIdentifier,
    critical: false,
    value: octetString(keyIdentifier(publicKey)),
  }
}

export function authorityKeyIdentifier(issuerPublicKey: KeyObject): Extension {
  return {
    oid: extensionOids.authorityKeyIdentifier,
    critical: false,
    value: sequence(tlv(0x80, keyIdentifier(issuerPublicKey))),
  }
}

/** One distribution point with one URL. */
export function crlDistributionPoint(url: string): Extension {
  const uri = tlv(0x86, new TextEncoder().encode(url))
  return {
    oid: extensionOids.crlDistributionPoints,
    critical: false,
    value: sequence(sequence(tlv(0xa0, tlv(0xa0, uri)))),
  }
}

/** An Extension in DER; `critical` is written only when true (X.690 §11.5). */
export function encodeExtension(extension: Extension): Uint8Array {
  return sequence(
    objectIdentifier(extension.oid),
    ...(extension.critical ? [boolean(true)] : []),
    octetString(extension.value),
  )
}
