import {
  KmsError,
  openAwsEndpoint,
  type AwsEndpoint,
  type AwsResponse,
} from '@enclavejs/kms-enclave'
import { checkBucket, checkRegion, dnsSuffix } from './arn.ts'
import { readWay, type AwsWay } from './aws-way.ts'
import { AcmError } from './error.ts'

/** A bucket in S3, and how it is reached. */
export interface ObjectStoreOptions extends AwsWay {
  readonly bucket: string
  readonly region: string
  /** The account that must own the bucket: S3 refuses otherwise, so that no other's bucket can stand in. */
  readonly expectedBucketOwner?: string | undefined
}

/** An object as S3 gave it: bytes that anybody who may write there wrote. */
export interface StoredObject {
  readonly bytes: Uint8Array
  readonly etag: string | undefined
}

/** The host of a bucket: its own, or where its name has dots, which a certificate's wildcard does not cover, the region's. */
function bucketHost(bucket: string, region: string): string {
  const host = `s3.${region}.${dnsSuffix(region)}`
  return bucket.includes('.') ? host : `${bucket}.${host}`
}

/** One bucket, over TLS that ends here. */
export class ObjectStore {
  readonly #endpoint: AwsEndpoint
  readonly #bucket: string
  readonly #owner: string | undefined

  /** @throws {TypeError} naming the option */
  constructor(options: ObjectStoreOptions) {
    const bucket = checkBucket(options.bucket)
    const region = checkRegion(options.region)
    const { expectedBucketOwner: owner } = options
    if (owner !== undefined && !/^\d{12}$/.test(owner)) {
      throw new TypeError('expectedBucketOwner must be the twelve digits of an account')
    }
    const host = bucketHost(bucket, region)
    const { getEvidence: _unused, ...way } = readWay(options, [host])
    this.#endpoint = openAwsEndpoint({ ...way, host, region, service: 's3' })
    this.#bucket = bucket
    this.#owner = owner
  }

  get host(): string {
    return this.#endpoint.host
  }

  /**
   * The object; undefined where it is still the one of `etag`.
   *
   * @throws {AcmError} `ERR_ACM_OBJECT_MISSING`, `ERR_ACM_OBJECT_DENIED`, `ERR_ACM_OBJECT`, `ERR_ACM_BUNDLE_SIZE`,
   * `ERR_ACM_STORE`, `ERR_ACM_CREDENTIALS`
   */
  async get(
    key: string,
    { etag, signal }: { etag?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<StoredObject | undefined> {
    const response = await this.#send('GET', key, {
      headers: etag === undefined ? {} : { 'if-none-match': etag },
      signal,
    })
    if (response.status === 304 && etag !== undefined) return undefined
    if (response.status !== 200) throw this.#refusal('GetObject', response)
    const { etag: given } = response.headers
    const isTag = typeof given === 'string' && /^"[\x21-\x7e]{1,128}"$/.test(given)
    return { bytes: response.body, etag: isTag ? given : undefined }
  }

  /** Writes the object, in place of whatever is there. @throws {AcmError} as {@link ObjectStore.get} */
  async put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const headers = { 'content-type': 'application/json' }
    const response = await this.#send('PUT', key, { headers, body: bytes, signal })
    if (response.status !== 200) throw this.#refusal('PutObject', response)
  }

  close(): Promise<void> {
    return this.#endpoint.close()
  }

  async #send(
    method: 'GET' | 'PUT',
    key: string,
    {
      headers,
      body,
      signal,
    }: {
      headers: Record<string, string>
      body?: Uint8Array
      signal?: AbortSignal | undefined
    },
  ): Promise<AwsResponse> {
    const prefix = this.#bucket.includes('.') ? `/${this.#bucket}` : ''
    const path = `${prefix}/${key.split('/').map(encodeSegment).join('/')}`
    const owner = this.#owner === undefined ? {} : { 'x-amz-expected-bucket-owner': this.#owner }
    try {
      return await this.#endpoint.request({
        method,
        path,
        headers: { ...headers, ...owner },
        ...(body !== undefined && { body }),
        ...(signal !== undefined && { signal }),
      })
    } catch (cause) {
      if (signal?.aborted === true || !(cause instanceof KmsError)) throw cause
      throw this.#outage(cause)
    }
  }

  #outage(cause: KmsError): AcmError {
    if (cause.code === 'ERR_KMS_RESPONSE_SIZE') {
      const message = `What ${this.host} answered has more than 64 KiB, and no bundle has`
      return new AcmError('ERR_ACM_BUNDLE_SIZE', message, { cause })
    }
    if (cause.code === 'ERR_KMS_CREDENTIALS') {
      return new AcmError('ERR_ACM_CREDENTIALS', cause.message, { cause })
    }
    if (cause.code === 'ERR_KMS_CLOSED') {
      return new AcmError('ERR_ACM_CLOSED', 'The source was closed', { cause })
    }
    const message = `S3 cannot be had at ${this.host} (${cause.code}); look at the parent's proxy`
    return new AcmError('ERR_ACM_STORE', message, { cause })
  }

  #refusal(operation: string, { status, body, headers }: AwsResponse): AcmError {
    const text = new TextDecoder().decode(body.subarray(0, 4096))
    const code = /<Code>([A-Za-z]{1,64})<\/Code>/.exec(text)?.[1] ?? 'Unknown'
    const said = `${operation} from ${this.#bucket}: ${code} (HTTP ${status})`
    if (status === 404) {
      return new AcmError('ERR_ACM_OBJECT_MISSING', `${said}; is it associated, or published?`)
    }
    if (CREDENTIALS.has(code)) {
      return new AcmError('ERR_ACM_CREDENTIALS', `${said}; AWS does not take these credentials`)
    }
    if (status === 403) {
      const owner =
        this.#owner === undefined ? '' : ` and account ${this.#owner} must own the bucket`
      return new AcmError(
        'ERR_ACM_OBJECT_DENIED',
        `${said}; the role needs s3:${operation} on the object${owner}`,
      )
    }
    if (status === 301 || status === 307 || status === 400) {
      const region = headers['x-amz-bucket-region']
      const where = typeof region === 'string' && /^[a-z0-9-]{1,32}$/.test(region) ? region : ''
      const hint = where === '' ? '' : `; the bucket is in ${where}`
      return new AcmError('ERR_ACM_OBJECT', `${said}${hint}`)
    }
    if (status >= 500 || status === 429) return new AcmError('ERR_ACM_STORE', said)
    return new AcmError('ERR_ACM_OBJECT', said)
  }
}

const CREDENTIALS: ReadonlySet<string> = new Set([
  ...['ExpiredToken', 'InvalidToken', 'InvalidAccessKeyId', 'SignatureDoesNotMatch'],
  ...['RequestTimeTooSkewed', 'TokenRefreshRequired'],
])

/** RFC 3986, as S3's signature wants it: everything but letters, digits and `-._~`. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
