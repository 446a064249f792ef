/**
 * What a ciphertext is for, as pairs of text. It is not secret (CloudTrail shows it) and must be the same for encryption and
 * decryption. It is what keeps one ciphertext from being put in the place of another: name the purpose, the object and its
 * version, at least one of them from the enclave's own state.
 */
export type EncryptionContext = Readonly<Record<string, string>>

/** In the place of an encryption context: none, and said so. Any ciphertext under the key then fits anywhere. */
export const NO_ENCRYPTION_CONTEXT: unique symbol = Symbol('NO_ENCRYPTION_CONTEXT')

/** The most that KMS takes, in characters of JSON. */
const JSON_MAX = 8192

/**
 * Copies a context; undefined where it was declined.
 *
 * @throws {TypeError} when it is missing, empty, or not an object of texts
 */
export function readEncryptionContext(
  value: EncryptionContext | typeof NO_ENCRYPTION_CONTEXT,
  member = 'EncryptionContext',
): EncryptionContext | undefined {
  if (value === NO_ENCRYPTION_CONTEXT) return undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(
      `${member} must be an object of texts, or NO_ENCRYPTION_CONTEXT where there is to be none`,
    )
  }
  const entries: readonly (readonly [string, unknown])[] = Object.entries(value)
  if (entries.length === 0) {
    throw new TypeError(
      `${member} has no pairs; give NO_ENCRYPTION_CONTEXT where there is to be none`,
    )
  }
  for (const [name, text] of entries) {
    if (typeof text !== 'string') {
      throw new TypeError(`${member}[${JSON.stringify(name)}] must be a text`)
    }
  }
  const copy = Object.fromEntries(entries) as Record<string, string>
  if (JSON.stringify(copy).length > JSON_MAX) {
    throw new RangeError(`${member} must have at most ${JSON_MAX} characters as JSON`)
  }
  return copy
}
