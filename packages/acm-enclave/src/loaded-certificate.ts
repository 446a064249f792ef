import { createSecureContext, type SecureContext, type Server } from 'node:tls'
import type { UnverifiedBundle } from './bundle.ts'
import type { RequiredOptions } from './certificate-options.ts'
import type { SourceParts } from './certificate-source.ts'
import { readCertificationPath, type CertificationPath } from './certification-path.ts'
import { AcmError } from './error.ts'
import { readPrivateKey } from './private-key.ts'
import type { RollbackGuard } from './rollback-guard.ts'

/** A bundle that was decrypted and checked, and the context that serves it. */
export interface LoadedCertificate {
  readonly bundle: UnverifiedBundle
  readonly path: CertificationPath
  readonly context: SecureContext
}

/**
 * Checks a bundle, has its private key decrypted, compares the two, and puts them into a context, and into those servers. The
 * key's bytes are overwritten before this returns.
 */
export async function loadCertificate(
  bundle: UnverifiedBundle,
  source: SourceParts,
  guard: RollbackGuard,
  { hostNames, trustAnchors, tls, now }: RequiredOptions,
  servers: ReadonlySet<Server>,
  signal: AbortSignal,
): Promise<LoadedCertificate> {
  const path = readCertificationPath(bundle, { hostNames, trustAnchors, currentDate: now() })
  guard.check(path.leaf, bundle.version)
  const bytes = await source.decrypt(bundle, signal)
  try {
    using key = readPrivateKey(bytes)
    if (!path.leaf.checkPrivateKey(key.keyObject)) {
      throw new AcmError(
        'ERR_ACM_KEY_MISMATCH',
        'The private key is not that of the certificate; both come from one bundle, so one of them was put there by somebody else',
      )
    }
    const material = { ...tls, cert: path.pem, key: Buffer.from(key.pem.buffer) }
    const context = createSecureContext(material)
    signal.throwIfAborted()
    for (const server of servers) server.setSecureContext(material)
    guard.accept(path.leaf, bundle.version)
    return { bundle, path, context }
  } finally {
    bytes.fill(0)
  }
}

/** Whether two bundles are the same in every member. */
export function isSameBundle(a: UnverifiedBundle, b: UnverifiedBundle): boolean {
  return (
    a.certificate === b.certificate &&
    a.certificateChain === b.certificateChain &&
    a.encryptionMethod === b.encryptionMethod &&
    a.version === b.version &&
    Buffer.from(a.encryptedPrivateKey).equals(b.encryptedPrivateKey)
  )
}
