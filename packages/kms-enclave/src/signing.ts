import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import type { Credentials } from './credentials/credentials.ts'

type Source = string | ArrayBuffer | ArrayBufferView

interface Digest {
  update(data: string | NodeJS.ArrayBufferView): unknown
  digest(): Uint8Array
}

/** SHA-256, or HMAC-SHA-256 where there is a secret, in the form that @smithy/signature-v4 asks for. */
export class NodeSha256 {
  readonly #secret: Source | undefined
  #hash: Digest

  constructor(secret?: Source) {
    this.#secret = secret
    this.#hash = start(secret)
  }

  update(data: Source): void {
    this.#hash.update(typeof data === 'string' ? data : view(data))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {
    this.#hash = start(this.#secret)
  }
}

function start(secret: Source | undefined): Digest {
  if (secret === undefined) return createHash('sha256')
  return createHmac('sha256', typeof secret === 'string' ? secret : keyOf(secret))
}

/** The signer keeps its signing key for a day, and gives the same octets each time. */
const keys = new WeakMap<ArrayBuffer | ArrayBufferView, KeyObject>()

/** Node finds out that octets are no KeyObject by throwing and catching, which takes ten times as long as the HMAC. */
function keyOf(secret: ArrayBuffer | ArrayBufferView): KeyObject {
  let key = keys.get(secret)
  if (key === undefined) {
    key = createSecretKey(view(secret))
    keys.set(secret, key)
  }
  return key
}

function view(data: ArrayBuffer | ArrayBufferView): NodeJS.ArrayBufferView {
  return data instanceof ArrayBuffer ? new Uint8Array(data) : (data as NodeJS.ArrayBufferView)
}

/** A request, `POST /` unless told otherwise, as every one of AWS JSON 1.1 is. */
export interface UnsignedRequest {
  readonly method?: string
  /** As it goes into the request line: encoded, without a query. */
  readonly path?: string
  readonly host: string
  /** With lower-case names, `host` left out. */
  readonly headers: Readonly<Record<string, string>>
  /** The exact bytes that are sent. */
  readonly body: string | Uint8Array
}

/** Signs requests with AWS Signature Version 4 for one region of one service. */
export class RequestSigner {
  readonly #region: string
  readonly #service: string
  #credentials: Credentials | undefined
  #signer: SignatureV4 | undefined

  constructor(region: string, service = 'kms') {
    this.#region = region
    this.#service = service
  }

  /**
   * The headers to send: those given, `host`, `x-amz-date`, `x-amz-security-token` for temporary credentials, and
   * `authorization`. Every one of them but `authorization` and `user-agent` is signed.
   */
  async sign(
    { method = 'POST', path = '/', host, headers, body }: UnsignedRequest,
    credentials: Credentials,
    signingDate: Date,
  ): Promise<Record<string, string>> {
    const request = {
      method,
      protocol: 'https:',
      hostname: host,
      path,
      query: {},
      headers: { ...headers, host },
      body,
    }
    const signed = await this.#signerFor(credentials).sign(request, { signingDate })
    return signed.headers
  }

  /** One set of credentials serves for hours: what belongs to it is made once. */
  #signerFor(credentials: Credentials): SignatureV4 {
    if (this.#signer === undefined || this.#credentials !== credentials) {
      this.#credentials = credentials
      this.#signer = new SignatureV4({
        region: this.#region,
        service: this.#service,
        sha256: NodeSha256,
        // S3 alone wants the digest of the body in a header, and its path encoded once.
        applyChecksum: this.#service === 's3',
        uriEscapePath: this.#service !== 's3',
        credentials: {
          accessKeyId: credentials.accessKeyId,
          secretAccessKey: credentials.secretAccessKey,
          ...(credentials.sessionToken !== undefined && { sessionToken: credentials.sessionToken }),
        },
      })
    }
    return this.#signer
  }
}
