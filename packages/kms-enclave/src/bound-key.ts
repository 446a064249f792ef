import { ENDPOINT_VARIANTS, kmsHost, partitionOf, type EndpointVariant } from './endpoint.ts'
import { KmsError } from './error.ts'
import { parseKeyArn, type KeyArn } from './key-arn.ts'
import { ownMembers } from './own-members.ts'

/** Which key a client is for. */
export interface BoundKeyOptions {
  /**
   * The full ARN of one key, `arn:aws:kms:REGION:ACCOUNT:key/ID`, from the image or from attested configuration and never from the
   * parent. Host, signing region and account come from it; it goes into every request as `KeyId` and is compared with
   * the answer's.
   */
  readonly keyArn: string
  /** Which of KMS's host names to call. Default `standard`, `kms.REGION.amazonaws.com` and its like in other partitions. */
  readonly endpoint?: EndpointVariant
  /**
   * Takes an alias or a bare key id as `keyArn`, in this region. Which key answers is then up to whoever may repoint the alias, or
   * to the account of the credentials, which the parent chooses: its own key can answer, over genuine TLS, and what it
   * decrypts proves nothing. Default: refused.
   */
  readonly dangerouslyUnboundKey?: {
    readonly region: string
    /**
     * `keyArn` is the bare id of a key of an account that is not known: Decrypt goes without `KeyId`, KMS finds the key by the
     * ciphertext, and the answer must name a key of that id in that region, of whatever account. Default false.
     */
    readonly anyAccount?: boolean
  }
}

const BARE =
  /^(?:alias\/[A-Za-z0-9/_-]{1,250}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/

const KEY_ID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/

/** The key that a client is for, and where to ask for it. */
export class BoundKey {
  /** What is sent as `KeyId`. */
  readonly keyId: string
  /** What Decrypt sends as `KeyId`: nothing where the account is not known. */
  readonly decryptKeyId: string | undefined
  readonly region: string
  readonly host: string
  /** Undefined where only an id or a name of an alias is known. */
  readonly #arn: KeyArn | undefined

  /** @throws {TypeError} naming the option */
  constructor(options: BoundKeyOptions) {
    const { keyArn, endpoint = 'standard', dangerouslyUnboundKey } = ownMembers(options)
    const unbound = isObject(dangerouslyUnboundKey)
      ? ownMembers(dangerouslyUnboundKey)
      : dangerouslyUnboundKey
    if (typeof keyArn !== 'string') throw new TypeError('keyArn must be the ARN of a KMS key')
    if (!ENDPOINT_VARIANTS.includes(endpoint)) {
      throw new TypeError(`endpoint must be one of ${ENDPOINT_VARIANTS.join(', ')}`)
    }
    const arn = parseKeyArn(keyArn)
    if (unbound === undefined) {
      if (arn === undefined || arn.resourceType !== 'key') throw unboundError(keyArn)
    } else if (!isObject(unbound) || typeof unbound.region !== 'string') {
      throw new TypeError('dangerouslyUnboundKey must be { region }')
    } else if (unbound.anyAccount === true && !KEY_ID.test(keyArn)) {
      throw new TypeError('keyArn must be the bare id of a key where anyAccount is true')
    } else if (arn === undefined ? !BARE.test(keyArn) : arn.region !== unbound.region) {
      throw new TypeError(
        'keyArn must be an alias, the id of a key, or an ARN of dangerouslyUnboundKey.region',
      )
    }
    const region = arn?.region ?? (unbound as { region: string }).region
    const host = kmsHost(region, endpoint)
    if (host === undefined || (arn !== undefined && arn.partition !== partitionOf(region))) {
      throw new TypeError(`keyArn: ${JSON.stringify(region)} is no region of its partition`)
    }
    this.keyId = keyArn
    this.decryptKeyId = unbound?.anyAccount === true ? undefined : keyArn
    this.region = region
    this.host = host
    this.#arn = arn
  }

  /**
   * Compares the `KeyId` of an answer with the key that was asked for.
   *
   * @throws {KmsError} `ERR_KMS_KEY_MISMATCH`
   */
  check(operation: string, keyId: string): void {
    if (this.#isMine(keyId)) return
    const seen = parseKeyArn(keyId)
    throw new KmsError(
      'ERR_KMS_KEY_MISMATCH',
      `${operation} was answered with another key: ${this.keyId} expected, ${seen === undefined ? 'something that is no ARN of a key' : seen.arn} seen; the result was discarded`,
    )
  }

  #isMine(keyId: string): boolean {
    const mine = this.#arn
    if (mine?.resourceType === 'key') return keyId === mine.arn
    const seen = parseKeyArn(keyId)
    if (seen?.resourceType !== 'key' || seen.region !== this.region) return false
    if (mine !== undefined) {
      return seen.accountId === mine.accountId && seen.partition === mine.partition
    }
    return this.keyId.startsWith('alias/') || seen.resourceId === this.keyId
  }
}

function isObject<T>(value: T): value is T & object {
  return typeof value === 'object' && value !== null
}

function unboundError(keyArn: string): TypeError {
  const what = parseKeyArn(keyArn) !== undefined || BARE.test(keyArn)
  return new TypeError(
    what
      ? 'keyArn must be the full ARN of a key: an alias or a bare id lets others choose which key answers; see dangerouslyUnboundKey'
      : 'keyArn must be the full ARN of a key, arn:PARTITION:kms:REGION:ACCOUNT:key/ID',
  )
}
