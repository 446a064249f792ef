import { equalBytes, printable } from './bytes.ts'
import type { Findings } from './finding.ts'
import { extendZero, sha384, type CreateHash } from './sha384.ts'
import {
  decodeCoseSign1,
  decodeSignatureSection,
  pcr0Payload,
  sigStructure,
} from './signature-section.ts'
import {
  firstCertificate,
  readSigningCertificate,
  type Curve,
  type SigningCertificate,
} from './signing-certificate.ts'

/** The part of WebCrypto that signatures are checked with: `globalThis.crypto.subtle` is one. */
export interface Subtle {
  importKey(
    format: 'spki',
    key: Uint8Array<ArrayBuffer>,
    algorithm: { readonly name: string; readonly namedCurve?: string },
    extractable: boolean,
    usages: 'verify'[],
  ): Promise<object>
  verify(
    algorithm: { readonly name: string; readonly hash: string },
    key: object,
    signature: Uint8Array<ArrayBuffer>,
    data: Uint8Array<ArrayBuffer>,
  ): Promise<boolean>
}

/** What the signature section says, and what it is worth. */
export interface EifSignature {
  /** The certificate whose hash is PCR8; undefined where it could not be read further than its length. */
  readonly certificate: SigningCertificate | undefined
  /** `ES256`, `ES384` or `ES512`; undefined where it could not be read. */
  readonly algorithm: string | undefined
  /**
   * `valid`: it verifies under the certificate's key, over this image's PCR0. `payload-mismatch`: it verifies, over
   * something else. `invalid`: it does not verify. Dates are judged apart, as warnings.
   */
  readonly check: 'valid' | 'payload-mismatch' | 'invalid'
}

interface Algorithm {
  readonly name: string
  readonly alg: number
  readonly hash: string
  /** Bytes of r and of s. */
  readonly half: number
}

/** RFC 9053 §2.1, and the hash that goes with each curve in AWS's signer. */
export const ALGORITHMS: Readonly<Record<Curve, Algorithm>> = {
  'P-256': { name: 'ES256', alg: -7, hash: 'SHA-256', half: 32 },
  'P-384': { name: 'ES384', alg: -35, hash: 'SHA-384', half: 48 },
  'P-521': { name: 'ES512', alg: -36, hash: 'SHA-512', half: 66 },
}

/** What {@link inspectSignature} judges by. */
export interface SignatureContext {
  readonly pcr0: string
  readonly createHash: CreateHash
  readonly subtle: Subtle
  /** Milliseconds. */
  readonly currentDate: number
}

/**
 * Reads, checks and measures a signature section.
 *
 * @throws {EifError} `ERR_EIF_SIGNATURE` when PCR8 cannot be told.
 */
export async function inspectSignature(
  section: Uint8Array,
  size: number,
  context: SignatureContext,
  findings: Findings,
): Promise<{ pcr8: string; signature: EifSignature }> {
  const entries = decodeSignatureSection(section, size)
  const [entry] = entries
  if (entries.length > 1) {
    findings.warn(
      'multiple-signatures',
      `${entries.length} signatures; only the first counts for PCR8 and for the check`,
    )
  }
  if (!entries.every(({ usual }) => usual)) {
    findings.warn(
      'signature-encoding',
      'The signature section is not encoded as nitro-cli does it; nitro-cli and QEMU refuse the image',
    )
  }
  const der = firstCertificate(entry.certificatePem)
  const pcr8 = extendZero(context.createHash, sha384(context.createHash, der))
  const certificate = readCertificate(der, context.currentDate, findings)
  const message = decodeCoseSign1(entry.signature)
  const algorithm = Object.values(ALGORITHMS).find(({ alg }) => alg === message?.alg)
  const check = await checkSignature(message, certificate, context)
  if (check === 'invalid') {
    findings.warn(
      'signature-invalid',
      "The signature does not verify under the signing certificate's key",
    )
  } else if (check === 'payload-mismatch') {
    findings.warn(
      'signature-payload-mismatch',
      'The signature is over another register or another PCR0 than that of this image',
    )
  }
  findings.note(
    'certificate-path',
    'PCR8 is the hash of the signing certificate; nothing says who issued it',
  )
  return { pcr8, signature: { certificate, algorithm: algorithm?.name, check } }
}

function readCertificate(
  der: Uint8Array,
  currentDate: number,
  findings: Findings,
): SigningCertificate | undefined {
  let certificate: SigningCertificate
  try {
    certificate = readSigningCertificate(der)
  } catch (cause) {
    const reason = printable((cause as Error).message)
    findings.warn('certificate-unreadable', `The signing certificate cannot be read: ${reason}`)
    return undefined
  }
  if (currentDate < certificate.notBefore.getTime()) {
    findings.warn(
      'certificate-not-yet-valid',
      `The signing certificate is valid from ${certificate.notBefore.toISOString()} on; run-enclave refuses the image`,
    )
  }
  if (currentDate > certificate.notAfter.getTime()) {
    findings.warn(
      'certificate-expired',
      `The signing certificate was valid until ${certificate.notAfter.toISOString()}; run-enclave refuses the image`,
    )
  }
  return certificate
}

/** Whether a message verifies under the certificate's key, and whether it says this PCR0. */
export async function checkSignature(
  message: ReturnType<typeof decodeCoseSign1>,
  certificate: SigningCertificate | undefined,
  { pcr0, subtle }: Pick<SignatureContext, 'pcr0' | 'subtle'>,
): Promise<EifSignature['check']> {
  const curve = certificate?.curve
  if (message === undefined || curve === undefined) return 'invalid'
  const { alg, hash, half } = ALGORITHMS[curve]
  if (message.alg !== alg || message.signature.length !== 2 * half) return 'invalid'
  let good: boolean
  try {
    const parameters = { name: 'ECDSA', namedCurve: curve }
    const spki = new Uint8Array(certificate?.subjectPublicKeyInfo as Uint8Array)
    const key = await subtle.importKey('spki', spki, parameters, false, ['verify'])
    good = await subtle.verify(
      { name: 'ECDSA', hash },
      key,
      new Uint8Array(message.signature),
      new Uint8Array(sigStructure(message.protected, message.payload)),
    )
  } catch {
    // A point that is not on the curve.
    return 'invalid'
  }
  if (good !== true) return 'invalid'
  return equalBytes(message.payload, pcr0Payload(pcr0)) ? 'valid' : 'payload-mismatch'
}

/** @throws {TypeError} where the platform has no WebCrypto. */
export function platformSubtle(): Subtle {
  const subtle = globalThis.crypto?.subtle as Subtle | undefined
  if (subtle === undefined) {
    throw new TypeError('No crypto.subtle here (a page needs https): give one as the option subtle')
  }
  return subtle
}
