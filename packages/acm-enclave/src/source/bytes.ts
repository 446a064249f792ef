import { createHash } from 'node:crypto'
import { WAY_NAMES, type AttestedWay } from '../aws-way.ts'
import { BUNDLE_MAX, decodeBundle } from '../bundle.ts'
import { CertificateSource } from '../certificate-source.ts'
import { bundleContext, checkArn, versionOf } from '../encryption-context.ts'
import { AcmError } from '../error.ts'
import { decryptPrivateKey, openKms } from '../kms-decryption.ts'
import { readMilliseconds, refuseUnknown } from '../option.ts'
import { kmsKey } from './own-key.ts'

/** Options of {@link fromBytes}. Unknown names are refused. */
export interface BytesOptions extends AttestedWay {
  /**
   * Gives the bundle as the parent handed it in: over vsock, out of a message. It is untrusted and is asked for at each poll; what is
   * the same as before costs nothing further.
   */
  readonly read: (options: { readonly signal: AbortSignal }) => Promise<Uint8Array>
  /** The full ARN of the own KMS key. */
  readonly keyArn: string
  /** The ARN that the private key was published under. */
  readonly arn: string
  /** Milliseconds that `read` may take. Default 10000. */
  readonly readTimeout?: number
}

const NAMES: ReadonlySet<string> = new Set(['read', 'keyArn', 'arn', 'readTimeout', ...WAY_NAMES])

/**
 * An own bundle whose bytes the parent brings, where the enclave is to have no way to S3. The parent can withhold renewals and
 * replay old bundles from before this boot; it cannot make one, nor read the private key.
 *
 * @throws {TypeError} naming the option
 */
export function fromBytes(options: BytesOptions): CertificateSource {
  refuseUnknown(options, 'fromBytes', NAMES)
  const { read, readTimeout = 10_000 } = options
  if (typeof read !== 'function') throw new TypeError('read must be a function')
  readMilliseconds('readTimeout', readTimeout, 1, 600_000)
  const arn = checkArn(options.arn)
  const key = kmsKey(options.keyArn)
  const kms = openKms(options, key)
  return new CertificateSource({
    description: 'bytes of the parent',
    async fetch(etag, signal) {
      const bytes = await take(read, readTimeout, signal)
      const digest = createHash('sha256').update(bytes).digest('hex')
      if (digest === etag) return undefined
      const bundle = decodeBundle(bytes)
      versionOf(bundle)
      return { bundle, etag: digest }
    },
    decrypt: (bundle, signal) =>
      decryptPrivateKey(
        kms,
        key,
        bundle.encryptedPrivateKey,
        bundleContext(arn, versionOf(bundle)),
        signal,
      ),
    close: () => kms.close(),
  })
}

async function take(
  read: BytesOptions['read'],
  timeout: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(timeout)])
  const aborted = new Promise<never>((_resolve, reject) => {
    ended.addEventListener('abort', () => reject(ended.reason as Error), { once: true })
  })
  aborted.catch(() => undefined)
  let bytes: unknown
  try {
    bytes = await Promise.race([(async () => read({ signal: ended }))(), aborted])
  } catch (cause) {
    if (signal.aborted) throw cause
    const late = ended.aborted ? `gave no bundle within ${timeout} ms` : 'failed'
    throw new AcmError('ERR_ACM_BYTES', `read ${late}; look at the parent`, { cause })
  }
  if (!(bytes instanceof Uint8Array)) {
    throw new AcmError('ERR_ACM_BYTES', 'read must give a Uint8Array')
  }
  if (bytes.length > BUNDLE_MAX) {
    throw new AcmError('ERR_ACM_BUNDLE_SIZE', `A bundle has at most ${BUNDLE_MAX} bytes`)
  }
  return Uint8Array.from(bytes)
}
