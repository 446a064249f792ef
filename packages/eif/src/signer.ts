import { ecdsaSignatureToP1363 } from '@enclavejs/der'
import { EifError } from './error.ts'
import {
  decodeCoseSign1,
  encodeCoseSign1,
  encodeSignatureSection,
  MAX_SIGNATURE_SIZE,
  pcr0Payload,
  protectedHeader,
  sigStructure,
} from './signature-section.ts'
import { ALGORITHMS, checkSignature, platformSubtle, type Subtle } from './signature.ts'
import { firstCertificate, readSigningCertificate } from './signing-certificate.ts'

/** What a signer is asked to sign. */
export interface SignRequest {
  /** The bytes to be signed (RFC 9052 §4.4), about 150 of them: KMS takes them with `MessageType: RAW`. */
  readonly message: Uint8Array<ArrayBuffer>
  /** By the curve of the certificate's key. KMS: `ECDSA_SHA_256`, `ECDSA_SHA_384`, `ECDSA_SHA_512`. */
  readonly hash: 'SHA-256' | 'SHA-384' | 'SHA-512'
}

/** Signs images: a PEM key in Node (`pemSigner`), or anything else, such as KMS. */
export interface EifSigner {
  /** The PEM file of the signing certificate, which goes into the image byte for byte. PCR8 is the hash of its first. */
  readonly certificate: string | Uint8Array
  /** An ECDSA signature over `message`, as `format` says. */
  sign(request: SignRequest): Promise<Uint8Array>
  /** `der` (OpenSSL, KMS) or `p1363` (WebCrypto). Default `der`. */
  readonly format?: 'der' | 'p1363'
}

/**
 * A signature section over PCR0, verified before it is given out.
 *
 * @throws {EifError} `ERR_EIF_SIGNER` when the certificate's key is no ECDSA key of P-256, P-384 or P-521, when the
 *   signature is not one of that key, or when the section grows beyond 32768 bytes.
 */
export async function signPcr0(
  pcr0: string,
  signer: EifSigner,
  subtle: Subtle = platformSubtle(),
): Promise<Uint8Array> {
  const pem =
    typeof signer.certificate === 'string'
      ? new TextEncoder().encode(signer.certificate)
      : new Uint8Array(signer.certificate)
  const certificate = readCertificate(pem)
  if (certificate.curve === undefined) {
    throw new EifError(
      'ERR_EIF_SIGNER',
      'The certificate must hold an ECDSA key of P-256, P-384 or P-521',
    )
  }
  const { alg, hash, half } = ALGORITHMS[certificate.curve]
  const payload = pcr0Payload(pcr0)
  const message = new Uint8Array(sigStructure(protectedHeader(alg), payload))
  const given = await signer.sign({ message, hash: hash as SignRequest['hash'] })
  let signature = given
  if ((signer.format ?? 'der') === 'der') {
    try {
      signature = ecdsaSignatureToP1363(given, half)
    } catch (cause) {
      throw new EifError('ERR_EIF_SIGNER', 'The signer gave no ECDSA signature in DER', { cause })
    }
  }
  const cose = encodeCoseSign1(alg, payload, signature)
  const check = await checkSignature(decodeCoseSign1(cose), certificate, { pcr0, subtle })
  if (check !== 'valid') {
    throw new EifError(
      'ERR_EIF_SIGNER',
      "The signature does not verify under the certificate's key: do key and certificate belong together?",
    )
  }
  const section = encodeSignatureSection(pem, cose)
  if (section.length > MAX_SIGNATURE_SIZE) {
    throw new EifError(
      'ERR_EIF_SIGNER',
      `The signature section would have ${section.length} bytes, more than ${MAX_SIGNATURE_SIZE}: give a PEM file of one certificate`,
    )
  }
  return section
}

function readCertificate(pem: Uint8Array): ReturnType<typeof readSigningCertificate> {
  try {
    return readSigningCertificate(firstCertificate(pem))
  } catch (cause) {
    throw new EifError('ERR_EIF_SIGNER', 'certificate is not the PEM text of a certificate', {
      cause,
    })
  }
}
