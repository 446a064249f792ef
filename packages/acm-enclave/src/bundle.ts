import { decodeBase64, encodeBase64 } from './base64.ts'
import { AcmError } from './error.ts'

/** What lies in the object, as it is read: nothing of it is proven. */
export interface UnverifiedBundle {
  /** The leaf, PEM. */
  readonly certificate: string
  /** Its issuers, PEM; may be empty. */
  readonly certificateChain: string
  /** A KMS `CiphertextBlob` of the private key's PEM. */
  readonly encryptedPrivateKey: Uint8Array
  /** What the writer said; nothing depends on it. */
  readonly encryptionMethod: string
  /** Own bundles alone: which one it is of its ARN, counted from 1. The encryption context holds it too, so that it cannot be changed. */
  readonly version: number | undefined
}

/** The most bytes that a bundle may have. AWS's have five to ten thousand. */
export const BUNDLE_MAX = 65_536
const CIPHERTEXT_MAX = 6144
const REQUIRED = ['certificate', 'certificateChain', 'encryptedPrivateKey', 'encryptionMethod']
const MAY_BE_EMPTY: ReadonlySet<string> = new Set(['certificateChain'])
const VERSION = /^[1-9]\d{0,14}$/

/**
 * Reads a bundle: one JSON object with the four members that AWS's own enclave requires (`certificate`, `certificateChain`,
 * `encryptedPrivateKey` in base64, `encryptionMethod`), all texts; own bundles have `version` besides. Nothing in it is
 * trusted by being read.
 *
 * @throws {AcmError} `ERR_ACM_BUNDLE_SIZE`, `ERR_ACM_BUNDLE_JSON`, `ERR_ACM_BUNDLE_DUPLICATE`, `ERR_ACM_BUNDLE_UNKNOWN`,
 * `ERR_ACM_BUNDLE_MISSING`, `ERR_ACM_BUNDLE_CIPHERTEXT`, `ERR_ACM_BUNDLE_VERSION`
 */
export function decodeBundle(bytes: Uint8Array): UnverifiedBundle {
  if (bytes.length > BUNDLE_MAX) {
    throw new AcmError('ERR_ACM_BUNDLE_SIZE', `A bundle has at most ${BUNDLE_MAX} bytes`)
  }
  const members = readFlatObject(bytes)
  for (const name of members.keys()) {
    if (!REQUIRED.includes(name) && name !== 'version') {
      throw new AcmError('ERR_ACM_BUNDLE_UNKNOWN', `A bundle has no member ${shown(name)}`)
    }
  }
  const read = (name: string): string => {
    const value = members.get(name)
    if (value === undefined || (value === '' && !MAY_BE_EMPTY.has(name))) {
      throw new AcmError('ERR_ACM_BUNDLE_MISSING', `The bundle has no ${name}`)
    }
    return value
  }
  const [certificate = '', certificateChain = '', encrypted = '', encryptionMethod = ''] =
    REQUIRED.map(read)
  const encryptedPrivateKey = decodeBase64(Buffer.from(encrypted))
  if (
    encryptedPrivateKey === undefined ||
    encryptedPrivateKey.length === 0 ||
    encryptedPrivateKey.length > CIPHERTEXT_MAX
  ) {
    throw new AcmError(
      'ERR_ACM_BUNDLE_CIPHERTEXT',
      `encryptedPrivateKey must be base64 of 1 to ${CIPHERTEXT_MAX} bytes`,
    )
  }
  const version = members.get('version')
  if (version !== undefined && !VERSION.test(version)) {
    throw new AcmError('ERR_ACM_BUNDLE_VERSION', 'version must be a whole number from 1')
  }
  return {
    certificate,
    certificateChain,
    encryptedPrivateKey,
    encryptionMethod,
    version: version === undefined ? undefined : Number(version),
  }
}

/** Writes a bundle as it is stored. */
export function encodeBundle(bundle: UnverifiedBundle): Uint8Array {
  const { certificate, certificateChain, encryptedPrivateKey, encryptionMethod, version } = bundle
  const text = JSON.stringify({
    certificate,
    certificateChain,
    encryptedPrivateKey: Buffer.from(encodeBase64(encryptedPrivateKey)).toString('latin1'),
    encryptionMethod,
    ...(version !== undefined && { version: String(version) }),
  })
  return new TextEncoder().encode(text)
}

const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const BLANK = /[ \t\r\n]*/y

/** An object whose values are all texts. `JSON.parse` would keep the last of two members with one name. */
function readFlatObject(bytes: Uint8Array): Map<string, string> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw malformed('is not UTF-8')
  }
  let at = 0
  const skip = (): void => {
    BLANK.lastIndex = at
    BLANK.test(text)
    at = BLANK.lastIndex
  }
  const take = (character: string): boolean => {
    skip()
    if (text[at] !== character) return false
    at++
    return true
  }
  const string = (): string => {
    skip()
    TEXT.lastIndex = at
    const [literal] = TEXT.exec(text) ?? []
    if (literal === undefined) throw malformed('has something that is no text')
    at += literal.length
    return JSON.parse(literal) as string
  }
  const members = new Map<string, string>()
  if (!take('{')) throw malformed('is no JSON object')
  if (!take('}')) {
    do {
      const name = string()
      if (!take(':')) throw malformed('is no JSON')
      if (members.has(name)) {
        throw new AcmError('ERR_ACM_BUNDLE_DUPLICATE', `The bundle has ${shown(name)} twice`)
      }
      members.set(name, string())
    } while (take(','))
    if (!take('}')) throw malformed('ends too early')
  }
  skip()
  if (at !== text.length) throw malformed('goes on after its end')
  return members
}

/** A name that somebody else wrote, for a line of a log. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, 64)).replace(/[^ -~]/g, '?')
}

function malformed(fault: string): AcmError {
  return new AcmError('ERR_ACM_BUNDLE_JSON', `The bundle ${fault}; a JSON object of texts expected`)
}
