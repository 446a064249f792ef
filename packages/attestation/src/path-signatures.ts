import type { Certificate } from '@enclavejs/der'
import { location, refusal } from './certification-path.ts'
import type { AttestationError } from './error.ts'
import { findAlgorithm, importPublicKey } from './signature.ts'
import type { SignatureAlgorithm, Subtle, SubtleKey } from './signature.ts'
import type { VerifiedLinks } from './verified-links.ts'

/** A signature at work: what it refuses with, or nothing. It never rejects, so that none is left unhandled. */
export type SignatureCheck = Promise<AttestationError | undefined>

/**
 * Verifies all signatures of a path, each under the key of the certificate before it, and what the target signed. The
 * keys are read one after the other, so that the first signatures are at work while the next key is read.
 *
 * @param verifyMessage starts the signature under the target's key.
 * @returns what keeps the verified links in the memory; to be called when the whole document is accepted.
 * @throws {AttestationError} for the first signature, from the root down, that does not verify, or key that is none.
 */
export async function verifyPathSignatures(
  path: readonly Certificate[],
  algorithms: readonly SignatureAlgorithm[],
  subtle: Subtle,
  links: VerifiedLinks | undefined,
  verifyMessage: (targetKey: SubtleKey) => SignatureCheck,
): Promise<() => void> {
  const target = path.length - 1
  const keys = path.map((certificate, index) =>
    index === 0 ? undefined : links?.get(certificate, spkiBefore(path, index)),
  )
  const algorithmOf = ({ publicKeyAlgorithm }: Certificate): SignatureAlgorithm =>
    findAlgorithm(algorithms, publicKeyAlgorithm) as SignatureAlgorithm
  const checks: SignatureCheck[] = []
  let at = 0
  try {
    // Asked together, which takes less, and once a signature is at work.
    let points: readonly (boolean | undefined)[] | undefined
    for (; at <= target; at++) {
      if (keys[at] !== undefined) continue
      if (at > 0) checks.push(verifyLink(path, at, keys[at - 1], algorithms, subtle))
      // A key that signs nothing but known links is not needed.
      if (at < target && keys[at + 1] !== undefined) continue
      const certificate = path[at] as Certificate
      const kept = anchorKeys.get(certificate)
      if (kept?.subtle === subtle) {
        keys[at] = kept.key
        continue
      }
      points ??= path.map((one, index) =>
        keys[index] === undefined ? algorithmOf(one).isPoint?.(one.publicKey) : undefined,
      )
      const key = await importPublicKey(certificate, algorithmOf(certificate), subtle, points[at])
      if (at === 0) anchorKeys.set(certificate, { subtle, key })
      keys[at] = key
    }
    checks.push(verifyMessage(keys[target] as SubtleKey))
  } catch (cause) {
    // The signatures at work stand above the key that is none.
    await settle(checks)
    const message = 'its key is not a point on the curve'
    throw refusal({ path, index: at }, 'ERR_ATTESTATION_CERTIFICATE_KEY', message, cause)
  }
  await settle(checks)
  return () => {
    for (let index = 1; index <= target; index++) {
      const key = keys[index]
      if (key) links?.add(path[index] as Certificate, spkiBefore(path, index), key)
    }
  }
}

/** @throws {AttestationError} the first refusal. */
async function settle(checks: readonly SignatureCheck[]): Promise<void> {
  for (const error of await Promise.all(checks)) if (error !== undefined) throw error
}

function spkiBefore(path: readonly Certificate[], index: number): Uint8Array {
  return (path[index - 1] as Certificate).subjectPublicKeyInfo
}

/** The key of each trust anchor, as the provider that read it first keeps it. */
const anchorKeys = new WeakMap<Certificate, { readonly subtle: Subtle; readonly key: SubtleKey }>()

async function verifyLink(
  path: readonly Certificate[],
  index: number,
  issuerKey: SubtleKey | undefined,
  algorithms: readonly SignatureAlgorithm[],
  subtle: Subtle,
): SignatureCheck {
  const certificate = path[index] as Certificate
  const issuer = path[index - 1] as Certificate
  const algorithm = findAlgorithm(
    algorithms,
    issuer.publicKeyAlgorithm,
    certificate.signatureAlgorithm,
  )
  let cause: unknown
  try {
    if (algorithm !== undefined && issuerKey !== undefined) {
      const data = certificate.tbsCertificate as Uint8Array<ArrayBuffer>
      const signature = algorithm.signature(certificate.signature)
      const good = await subtle.verify(algorithm.verifyParameters, issuerKey, signature, data)
      if (good === true) return undefined
    }
  } catch (error) {
    cause = error
  }
  const message = `its signature does not verify under the key of ${location(path, index - 1)}`
  return refusal({ path, index }, 'ERR_ATTESTATION_CERTIFICATE_SIGNATURE', message, cause)
}
