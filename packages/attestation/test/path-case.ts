import { decodeCertificate, ecdsaSignatureToP1363, type Certificate } from '@enclavejs/der'
import { equalBytes } from '../src/bytes.ts'
import { checkPath } from '../src/certification-path.ts'
import { verifyPathSignatures } from '../src/path-signatures.ts'
import { AttestationError } from '../src/index.ts'
import { ECDSA_P384_SHA384, type SignatureAlgorithm, type Subtle } from '../src/signature.ts'

/** One question to a path validator, as the public suites ask it. Certificates in DER. */
export interface PathCase {
  readonly anchors: readonly Uint8Array[]
  /** In any order, and more than needed. */
  readonly intermediates: readonly Uint8Array[]
  readonly target: Uint8Array
  readonly currentDate: number
  /** How many intermediates a path may have; a document has room for seven between root and target. */
  readonly maxDepth?: number
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'))
}

const P256 = hex('301306072a8648ce3d020106082a8648ce3d030107')
const P384 = ECDSA_P384_SHA384.publicKeyAlgorithm
const ECDSA_SHA256 = hex('300a06082a8648ce3d040302')
const ECDSA_SHA384 = ECDSA_P384_SHA384.signatureAlgorithm

function ecdsa(
  publicKeyAlgorithm: Uint8Array,
  signatureAlgorithm: Uint8Array,
  size: 32 | 48,
  hash: string,
): SignatureAlgorithm {
  return {
    signatureAlgorithm,
    publicKeyAlgorithm,
    isPublicKey: (publicKey) => publicKey.length === 1 + 2 * size && publicKey[0] === 4,
    importParameters: { name: 'ECDSA', namedCurve: size === 32 ? 'P-256' : 'P-384' },
    verifyParameters: { name: 'ECDSA', hash },
    signature: (bits) => ecdsaSignatureToP1363(bits, size),
  }
}

/** The algorithms of the suites, so that rules of structure decide and not the profile's one algorithm. */
const ALGORITHMS: readonly SignatureAlgorithm[] = [
  ECDSA_P384_SHA384,
  ecdsa(P384, ECDSA_SHA256, 48, 'SHA-256'),
  ecdsa(P256, ECDSA_SHA256, 32, 'SHA-256'),
  ecdsa(P256, ECDSA_SHA384, 32, 'SHA-384'),
  {
    signatureAlgorithm: hex('300d06092a864886f70d01010b0500'),
    publicKeyAlgorithm: hex('300d06092a864886f70d0101010500'),
    // 2048 bits or more: SEQUENCE and INTEGER heads, sign octet, modulus, exponent.
    isPublicKey: (publicKey) => publicKey.length >= 270,
    importParameters: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    verifyParameters: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    signature: (bits) => new Uint8Array(bits),
  },
]

/** Accepts the path, anchor first, or gives the code of the refusal. Any other error goes through. */
async function judgePath(
  path: readonly Certificate[],
  currentDate: number,
  algorithms: readonly SignatureAlgorithm[],
): Promise<string> {
  try {
    checkPath(path, { currentDate, clockTolerance: 0, algorithms })
    const subtle = globalThis.crypto.subtle as unknown as Subtle
    await verifyPathSignatures(path, algorithms, subtle, undefined, () =>
      Promise.resolve(undefined),
    )
    return 'accepted'
  } catch (error) {
    if (error instanceof AttestationError) return error.code
    throw error
  }
}

function decodeAll(list: readonly Uint8Array[]): Certificate[] {
  return list.flatMap((bytes) => {
    try {
      return [decodeCertificate(bytes)]
    } catch {
      return []
    }
  })
}

const MAX_CANDIDATES = 10_000

/** Every path by name from the target up to an anchor, shortest first, anchor first; bounded. */
function candidates(one: PathCase, target: Certificate): Certificate[][] {
  const anchors = decodeAll(one.anchors)
  const intermediates = decodeAll(one.intermediates)
  const found: Certificate[][] = []
  let open: Certificate[][] = [[target]]
  while (open.length > 0 && open.length + found.length < MAX_CANDIDATES) {
    const next: Certificate[][] = []
    for (const path of open) {
      const [top] = path as [Certificate]
      for (const anchor of anchors) {
        if (equalBytes(anchor.subject, top.issuer)) found.push([anchor, ...path])
      }
      // Self-issued certificates do not count, as in pathLenConstraint.
      const depth = path.slice(0, -1).filter((at) => !equalBytes(at.issuer, at.subject)).length
      if (depth >= (one.maxDepth ?? 8) || path.length > 8) continue
      for (const issuer of intermediates) {
        if (equalBytes(issuer.subject, top.issuer) && !path.includes(issuer)) {
          next.push([issuer, ...path])
        }
      }
    }
    open = next
  }
  return found
}

/** `accepted` when any path is; otherwise the codes of the refusals. Ours judges each; the search is the test's. */
export async function judge(
  one: PathCase,
  algorithms: readonly SignatureAlgorithm[] = ALGORITHMS,
): Promise<string> {
  const [target] = decodeAll([one.target])
  if (target === undefined) return 'ERR_ATTESTATION_CERTIFICATE_MALFORMED'
  const codes = new Set<string>()
  for (const path of candidates(one, target)) {
    const code = await judgePath(path, one.currentDate, algorithms)
    if (code === 'accepted') return code
    codes.add(code)
  }
  return codes.size === 0 ? 'no path' : [...codes].toSorted().join(' ')
}

/** The verdict on one path in its given order, anchor first. */
export async function judgeInOrder(
  path: readonly Uint8Array[],
  currentDate: number,
  algorithms: readonly SignatureAlgorithm[] = ALGORITHMS,
): Promise<string> {
  const decoded = decodeAll(path)
  if (decoded.length < path.length) return 'ERR_ATTESTATION_CERTIFICATE_MALFORMED'
  return judgePath(decoded, currentDate, algorithms)
}

export function fromPem(pem: string): Uint8Array {
  return new Uint8Array(Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64'))
}
