import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { writeCertificationRequest } from './certification-request.ts'
import { refuseUnknown } from './option.ts'
import { writePem } from './pem.ts'

/** Kinds of keys that a request can be made with, as ACM names them. */
export type RequestKeyAlgorithm =
  'EC_prime256v1' | 'EC_secp384r1' | 'RSA_2048' | 'RSA_3072' | 'RSA_4096'

/** Options of {@link createCertificateRequest}. Unknown names are refused. */
export interface CertificateRequestOptions {
  /** The DNS names that the certificate is to have, 1 to 100. */
  readonly hostNames: readonly string[]
  /** Default `EC_prime256v1`. */
  readonly keyAlgorithm?: RequestKeyAlgorithm
}

const NAMES: ReadonlySet<string> = new Set(['hostNames', 'keyAlgorithm'])
const HOST_NAME = /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/i

let open: (request: CertificateRequest) => KeyObject

/** A private key that was made in this process, and what a CA is asked with. Comes from {@link createCertificateRequest}. */
export class CertificateRequest {
  /** PKCS #10 (RFC 2986), PEM, for any CA: ACM Private CA, ACME, your own. */
  readonly pem: string
  /** The same, DER. */
  readonly der: Uint8Array
  readonly hostNames: readonly string[]
  readonly #privateKey: KeyObject

  static {
    open = (request) => request.#privateKey
  }

  /** Requests come from {@link createCertificateRequest}. */
  constructor(privateKey: KeyObject, hostNames: readonly string[]) {
    this.der = writeCertificationRequest(privateKey, hostNames)
    this.pem = Buffer.from(writePem('CERTIFICATE REQUEST', this.der)).toString('latin1')
    this.hostNames = hostNames
    this.#privateKey = privateKey
  }
}

/** The key of a request, for this package alone. */
export function privateKeyOf(request: CertificateRequest): KeyObject {
  if (request instanceof CertificateRequest) return open(request)
  throw new TypeError('request must come from createCertificateRequest')
}

/**
 * Makes a key and a request for a certificate, in the enclave: the first half of publishing. The key stays in this process until
 * {@link publishCertificate} encrypts it, and is lost when the process ends before that.
 *
 * @throws {TypeError} naming the option
 * @example
 * ```ts
 * import { createCertificateRequest } from '@enclavejs/acm-enclave'
 *
 * const request = await createCertificateRequest({ hostNames: ['www.example.com'] })
 * console.log(request.pem)
 * ```
 */
export async function createCertificateRequest(
  options: CertificateRequestOptions,
): Promise<CertificateRequest> {
  refuseUnknown(options, 'createCertificateRequest', NAMES)
  const { hostNames, keyAlgorithm = 'EC_prime256v1' } = options
  const isList = Array.isArray(hostNames) && hostNames.length >= 1 && hostNames.length <= 100
  if (!isList || !hostNames.every((name) => typeof name === 'string' && HOST_NAME.test(name))) {
    throw new TypeError('hostNames must be 1 to 100 host names, as www.example.com')
  }
  const names = hostNames.map((name) => name.toLowerCase())
  const [, type, size] = /^(EC|RSA)_(\w+)$/.exec(keyAlgorithm) ?? []
  const isKnown = type === 'EC' ? EC.has(size ?? '') : RSA.has(size ?? '')
  if (!isKnown) throw new TypeError('keyAlgorithm must be one that ACM knows, as EC_prime256v1')
  const generate = promisify(generateKeyPair) as (
    kind: string,
    parameters: object,
  ) => Promise<{ privateKey: KeyObject }>
  const { privateKey } =
    type === 'EC'
      ? await generate('ec', { namedCurve: size })
      : await generate('rsa', { modulusLength: Number(size) })
  return new CertificateRequest(privateKey, names)
}

const EC: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1'])
const RSA: ReadonlySet<string> = new Set(['2048', '3072', '4096'])
