import { createPublicKey, hash, verify, X509Certificate, type KeyObject } from 'node:crypto'
import { Decoder } from 'cbor-x'
import { encodeCbor } from '../cbor.ts'
import { readConstraints } from './certificate-constraints.ts'
import { validation, type KmsException } from './exception.ts'

/** What a verified attestation document gives to the rest of KMS. */
export interface VerifiedAttestation {
  /** SubjectPublicKeyInfo in DER, as it stands in the document. */
  readonly publicKey: Uint8Array
  readonly rsaKey: KeyObject
  /** PCRs as lower-case hex by index. */
  readonly pcrs: ReadonlyMap<number, string>
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

/** A document whose signature and path hold; its times are checked again at each use. */
interface Checked extends VerifiedAttestation {
  readonly notBefore: number
  readonly notAfter: number
}

/** A certification path that holds, with the time in which all its certificates are valid. */
interface CheckedPath {
  readonly leaf: X509Certificate
  readonly notBefore: number
  readonly notAfter: number
}

const MAX_AGE = 300_000
const MAX_KEPT = 64
const PROTECTED_ES384 = 'a1013822'
const decoder = new Decoder({ mapsAsObjects: false, useRecords: false })

/** Verifies attestation documents as KMS does, on node:crypto and cbor-x alone. */
export class AttestationVerifier {
  readonly #roots: readonly X509Certificate[]
  readonly #documents = new Map<string, Checked>()
  readonly #paths = new Map<string, CheckedPath>()

  /** @param roots Trusted root certificates, DER or PEM; at least one. */
  constructor(roots: readonly (Uint8Array | string)[]) {
    if (roots.length === 0) throw new TypeError('attestationRoots: expected at least one')
    this.#roots = roots.map((root) => {
      try {
        return new X509Certificate(root)
      } catch (cause) {
        throw new TypeError('attestationRoots: expected certificates in DER or PEM', { cause })
      }
    })
  }

  /** @throws KmsException `ValidationException`, with a text for each reason. */
  verify(document: Uint8Array, now: Date): VerifiedAttestation {
    const checked = keep(this.#documents, [document], () => this.#check(document))
    const at = now.getTime()
    if (at < checked.notBefore || at > checked.notAfter) {
      throw refused('a certificate of the attestation document is not valid at this time.')
    }
    if (at - checked.timestamp > MAX_AGE) {
      throw refused('the attestation document exceeded the five-minute age limit.')
    }
    if (checked.timestamp - at > MAX_AGE) {
      throw refused('the timestamp of the attestation document is in the future.')
    }
    return checked
  }

  #check(document: Uint8Array): Checked {
    const { protectedHeader, payload, signature } = readCoseSign1(document)
    const fields = readPayload(payload)
    const certificates = [...fields.cabundle, fields.certificate]
    const { leaf, notBefore, notAfter } = keep(this.#paths, certificates, () =>
      this.#checkPath(certificates),
    )
    const signed = encodeCbor(['Signature1', protectedHeader, new Uint8Array(), payload])
    const key = { key: leaf.publicKey, dsaEncoding: 'ieee-p1363' as const }
    if (signature.length !== 96 || !verify('sha384', signed, key, signature)) {
      throw refused('the signature of the attestation document is not valid.')
    }
    return {
      ...recipientKey(fields.publicKey),
      pcrs: fields.pcrs,
      timestamp: fields.timestamp,
      notBefore,
      notAfter,
    }
  }

  #checkPath(certificates: readonly Uint8Array[]): CheckedPath {
    let path: X509Certificate[]
    try {
      path = certificates.map((der) => new X509Certificate(der))
    } catch {
      throw unparsable()
    }
    const [top] = path
    const leaf = path.at(-1)
    if (top === undefined || leaf === undefined) throw unparsable()
    if (!this.#roots.some((root) => root.raw.equals(top.raw))) {
      throw refused('the certificates of the attestation document do not end in a trusted root.')
    }
    for (const [index, current] of path.entries()) {
      const issuer = path[index - 1] ?? current
      const genuine = current.checkIssued(issuer) && current.verify(issuer.publicKey)
      if (!genuine || !isAllowed(current, path.length - 1 - index)) {
        throw refused('the certificate path of the attestation document is not valid.')
      }
    }
    if (leaf.publicKey.asymmetricKeyDetails?.namedCurve !== 'secp384r1') {
      throw refused('the certificate path of the attestation document is not valid.')
    }
    return {
      leaf,
      notBefore: Math.max(...path.map((one) => Date.parse(one.validFrom))),
      notAfter: Math.min(...path.map((one) => Date.parse(one.validTo))),
    }
  }
}

/** What was found out about these octets before, or is now; only what holds is kept, and little of it. */
function keep<T>(kept: Map<string, T>, octets: readonly Uint8Array[], find: () => T): T {
  const name = octets.map((one) => hash('sha256', one, 'base64')).join(' ')
  const value = kept.get(name) ?? find()
  kept.delete(name)
  kept.set(name, value)
  const [oldest] = kept.keys()
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest)
  return value
}

/** Whether a certificate may stand `below` certificates above the end of a path. */
function isAllowed(certificate: X509Certificate, below: number): boolean {
  const constraints = readConstraints(certificate.raw)
  if (constraints === undefined || constraints.hasUnknownCritical) return false
  if (below === 0) return !constraints.ca && constraints.usages.has('digitalSignature')
  const { ca, usages, pathLenConstraint = Infinity } = constraints
  return ca && usages.has('keyCertSign') && below - 1 <= pathLenConstraint
}

function readCoseSign1(document: Uint8Array): {
  protectedHeader: Uint8Array
  payload: Uint8Array
  signature: Uint8Array
} {
  const items = decode(document)
  if (!Array.isArray(items) || items.length !== 4) throw unparsable()
  const [protectedHeader, unprotected, payload, signature] = items as unknown[]
  const isEmpty = unprotected instanceof Map && unprotected.size === 0
  if (!isBytes(protectedHeader) || !isEmpty || !isBytes(payload) || !isBytes(signature)) {
    throw unparsable()
  }
  if (Buffer.from(protectedHeader).toString('hex') !== PROTECTED_ES384) throw unparsable()
  return { protectedHeader, payload, signature }
}

interface Fields {
  readonly timestamp: number
  readonly pcrs: ReadonlyMap<number, string>
  readonly certificate: Uint8Array
  readonly cabundle: readonly Uint8Array[]
  readonly publicKey: Uint8Array | undefined
}

function readPayload(payload: Uint8Array): Fields {
  const map = decode(payload)
  if (!(map instanceof Map)) throw unparsable()
  const moduleId: unknown = map.get('module_id')
  const timestamp = Number(map.get('timestamp'))
  const pcrs: unknown = map.get('pcrs')
  const certificate: unknown = map.get('certificate')
  const cabundle: unknown = map.get('cabundle')
  const publicKey: unknown = map.get('public_key') ?? undefined
  if (typeof moduleId !== 'string' || moduleId === '' || map.get('digest') !== 'SHA384') {
    throw unparsable()
  }
  if (!Number.isSafeInteger(timestamp) || timestamp <= 0) throw unparsable()
  if (!(pcrs instanceof Map) || pcrs.size === 0 || pcrs.size > 32) throw unparsable()
  if (!isBytes(certificate) || !Array.isArray(cabundle)) throw unparsable()
  if (cabundle.length === 0 || cabundle.length > 8 || !cabundle.every(isBytes)) throw unparsable()
  if (publicKey !== undefined && !isBytes(publicKey)) throw unparsable()
  return { timestamp, pcrs: hexPcrs(pcrs), certificate, cabundle, publicKey }
}

function hexPcrs(pcrs: ReadonlyMap<unknown, unknown>): Map<number, string> {
  const hex = new Map<number, string>()
  for (const [index, value] of pcrs) {
    const isIndex = typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < 32
    if (!isIndex || !isBytes(value) || ![32, 48, 64].includes(value.length)) throw unparsable()
    hex.set(index, Buffer.from(value).toString('hex'))
  }
  return hex
}

function recipientKey(publicKey: Uint8Array | undefined): {
  publicKey: Uint8Array
  rsaKey: KeyObject
} {
  if (publicKey === undefined || publicKey.length === 0) {
    throw refused('the attestation document has no public key.')
  }
  try {
    const rsaKey = createPublicKey({ key: Buffer.from(publicKey), type: 'spki', format: 'der' })
    const isRsa = rsaKey.asymmetricKeyType === 'rsa'
    const modulusLength = rsaKey.asymmetricKeyDetails?.modulusLength ?? 0
    if (isRsa && [2048, 3072, 4096].includes(modulusLength)) {
      return { publicKey: publicKey.slice(), rsaKey }
    }
  } catch {
    // Said below.
  }
  throw refused(
    'the public key of the attestation document is not an RSA key of 2048 bits or more.',
  )
}

function decode(octets: Uint8Array): unknown {
  try {
    // A copy: what cbor-x returns are views into what it is given.
    return decoder.decode(new Uint8Array(octets)) as unknown
  } catch {
    throw unparsable()
  }
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

function unparsable(): KmsException {
  return validation('Failed to verify the recipient: cannot parse the attestation document.')
}

function refused(reason: string): KmsException {
  return validation(`Failed to verify the recipient: ${reason}`)
}
