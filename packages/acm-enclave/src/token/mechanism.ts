import { CKF, CKM, CKR, CryptokiError } from './cryptoki.ts'
import type { Mechanism } from './rpc-mechanism.ts'
import { DIGEST_LENGTHS, type HashName, type SigningKey } from './signing-key.ts'

/** What a mechanism does with what it is given. */
export interface SignPlan {
  readonly scheme: 'pkcs1' | 'pss' | 'ecdsa'
  /** The hash of the mechanism or of its parameters; undefined where the data say it themselves. */
  readonly hash: HashName | undefined
  /** `data` is hashed here and may come in parts. */
  readonly input: 'data' | 'digest' | 'digest-info'
}

/** CK_MECHANISM_INFO. */
export interface MechanismInfo {
  readonly minKeySize: number
  readonly maxKeySize: number
  readonly flags: number
}

interface Row extends SignPlan {
  readonly key: 'rsa' | 'ec'
}

const RSA = { key: 'rsa' } as const
const MECHANISMS: ReadonlyMap<number, Row> = new Map<number, Row>([
  [CKM.RSA_PKCS, { ...RSA, scheme: 'pkcs1', hash: undefined, input: 'digest-info' }],
  [CKM.SHA256_RSA_PKCS, { ...RSA, scheme: 'pkcs1', hash: 'sha256', input: 'data' }],
  [CKM.SHA384_RSA_PKCS, { ...RSA, scheme: 'pkcs1', hash: 'sha384', input: 'data' }],
  [CKM.SHA512_RSA_PKCS, { ...RSA, scheme: 'pkcs1', hash: 'sha512', input: 'data' }],
  [CKM.RSA_PKCS_PSS, { ...RSA, scheme: 'pss', hash: undefined, input: 'digest' }],
  [CKM.SHA256_RSA_PKCS_PSS, { ...RSA, scheme: 'pss', hash: 'sha256', input: 'data' }],
  [CKM.SHA384_RSA_PKCS_PSS, { ...RSA, scheme: 'pss', hash: 'sha384', input: 'data' }],
  [CKM.SHA512_RSA_PKCS_PSS, { ...RSA, scheme: 'pss', hash: 'sha512', input: 'data' }],
  [CKM.ECDSA, { key: 'ec', scheme: 'ecdsa', hash: undefined, input: 'digest' }],
])

/** CK_MECHANISM_TYPE and CK_RSA_PKCS_MGF_TYPE of each hash. */
const HASHES: ReadonlyMap<number, { hash: HashName; mgf: number }> = new Map([
  [CKM.SHA256, { hash: 'sha256' as const, mgf: 2 }],
  [CKM.SHA384, { hash: 'sha384' as const, mgf: 3 }],
  [CKM.SHA512, { hash: 'sha512' as const, mgf: 4 }],
])

/** The mechanisms of the token. CKM_RSA_X_509 is none: it would be raw RSA, with which anything can be decrypted. */
export const MECHANISM_TYPES: readonly number[] = [...MECHANISMS.keys()]

/** @throws {CryptokiError} CKR_MECHANISM_INVALID */
export function mechanismInfo(type: number): MechanismInfo {
  const row = MECHANISMS.get(type)
  if (row === undefined) throw new CryptokiError(CKR.MECHANISM_INVALID)
  if (row.key === 'rsa') return { minKeySize: 2048, maxKeySize: 8192, flags: CKF.SIGN }
  const flags = CKF.SIGN | CKF.EC_F_P | CKF.EC_NAMEDCURVE | CKF.EC_UNCOMPRESS
  return { minKeySize: 256, maxKeySize: 521, flags }
}

/**
 * What a mechanism means for a key.
 *
 * @throws {CryptokiError} CKR_MECHANISM_INVALID, CKR_KEY_TYPE_INCONSISTENT, CKR_MECHANISM_PARAM_INVALID: PSS needs its
 *   parameters, MGF1 over the same hash, a salt as long as the hash, and the hash of the mechanism where that names one
 */
export function signPlan(mechanism: Mechanism, key: SigningKey): SignPlan {
  const row = MECHANISMS.get(mechanism.type)
  if (row === undefined) throw new CryptokiError(CKR.MECHANISM_INVALID)
  if (row.key !== key.type) throw new CryptokiError(CKR.KEY_TYPE_INCONSISTENT)
  if (row.scheme !== 'pss') return row
  const { pss } = mechanism
  const known = pss && HASHES.get(pss.hash)
  const good =
    known !== undefined &&
    known.mgf === pss?.mgf &&
    DIGEST_LENGTHS[known.hash] === pss.saltLength &&
    (row.hash === undefined || row.hash === known.hash)
  if (!good) throw new CryptokiError(CKR.MECHANISM_PARAM_INVALID)
  return { ...row, hash: known.hash }
}

/** The same parameters again. */
export function pssMechanism(hash: HashName): Mechanism {
  for (const [type, known] of HASHES) {
    if (known.hash === hash) {
      const pss = { hash: type, mgf: known.mgf, saltLength: DIGEST_LENGTHS[hash] }
      return { type: CKM.RSA_PKCS_PSS, pss }
    }
  }
  throw new RangeError(`no hash ${hash}`)
}
