import type { IncomingMessage } from 'node:http'
import type { AccessKey, SimulatedAccount } from '../kms/account.ts'
import { KmsException } from '../kms/exception.ts'
import type { KmsFault } from '../kms/fault.ts'
import type { OpenRecord, RequestLog } from '../kms/request-log.ts'
import { verifySigV4 } from '../kms/sigv4.ts'
import { ACM_OPERATIONS } from './acm-operation.ts'
import type { Buckets } from './bucket.ts'
import type { CertificateStore } from './certificate-store.ts'
import { EC2_OPERATIONS, ec2Answer, ec2Error, escapeXml } from './ec2-operation.ts'
import { AwsException } from './error.ts'
import { performS3, S3_OPERATIONS } from './s3-operation.ts'

/** An answer before faults change it. */
export interface Outcome {
  readonly status: number
  readonly body: Uint8Array
  readonly contentType: string
  readonly headers?: readonly (readonly [string, string])[]
}

export interface RequestHandlerParts {
  readonly accounts: readonly SimulatedAccount[]
  readonly region: string
  /** `REGION.amazonaws.com` */
  readonly suffix: string
  readonly bucketName: string
  readonly buckets: Buckets
  readonly store: CertificateStore
  readonly log: RequestLog
}

const XML = 'application/xml'
const JSON_1_1 = 'application/x-amz-json-1.1'

/** From a request of S3, EC2 or ACM to its answer. */
export class RequestHandler {
  readonly #parts: RequestHandlerParts

  constructor(parts: RequestHandlerParts) {
    this.#parts = parts
  }

  /** Which service and operation a request is for. */
  route(
    request: IncomingMessage,
    headers: ReadonlyMap<string, string>,
    body: Uint8Array | undefined,
  ): { service: 's3' | 'ec2' | 'acm' | undefined; operation: string | undefined } {
    const host = (headers.get('host') ?? '').replace(/:\d+$/, '')
    if (host === `ec2.${this.#parts.suffix}`) {
      const action = new URLSearchParams(new TextDecoder().decode(body)).get('Action')
      return { service: 'ec2', operation: action ?? undefined }
    }
    if (host === `acm.${this.#parts.suffix}`) {
      const target = headers.get('x-amz-target') ?? ''
      return { service: 'acm', operation: /^CertificateManager\.(\w+)$/.exec(target)?.[1] }
    }
    const isS3 = host === `s3.${this.#parts.suffix}` || host.endsWith(`.s3.${this.#parts.suffix}`)
    return isS3
      ? { service: 's3', operation: S3_OPERATIONS[request.method ?? ''] }
      : { service: undefined, operation: undefined }
  }

  /** Checks the signature, and performs. */
  async answer(
    request: IncomingMessage,
    entry: OpenRecord,
    service: 's3' | 'ec2' | 'acm' | undefined,
    body: Uint8Array | undefined,
    headers: ReadonlyMap<string, string>,
    fault: KmsFault | undefined,
  ): Promise<Outcome> {
    try {
      if (fault?.kind === 'raw-body') {
        const { status = 200, contentType = XML } = fault
        return { status, body: Buffer.from(fault.body), contentType }
      }
      if (fault?.kind === 'unavailable')
        throw new AwsException('SlowDown', 'Reduce your rate.', 503)
      if (fault?.kind === 'error') {
        throw new AwsException(fault.type, fault.message ?? '', fault.status ?? 400)
      }
      if (service === undefined || body === undefined || entry.operation === undefined) {
        throw new AwsException('InvalidAction', 'The simulator does not know this call.')
      }
      const caller = this.#caller(request, entry, service, body)
      entry.principalArn = caller.principal.principalArn
      const outcome = await this.#perform(request, entry, service, caller, body, headers)
      this.#parts.log.end(entry, outcome.status, undefined)
      return outcome
    } catch (error) {
      const known =
        error instanceof AwsException
          ? error
          : new AwsException('InternalError', 'We encountered an internal error.', 500)
      this.#parts.log.end(entry, known.status, known.code)
      return refusal(service, known, entry.requestId)
    }
  }

  #caller(
    { method = '', url = '' }: IncomingMessage,
    entry: OpenRecord,
    service: string,
    body: Uint8Array,
  ): AccessKey {
    try {
      return verifySigV4(
        { method, url, rawHeaders: entry.rawHeaders, body },
        {
          region: this.#parts.region,
          service,
          now: entry.receivedAt,
          maxSkewMs: service === 's3' ? 900_000 : 300_000,
          find: (accessKeyId) =>
            this.#parts.accounts
              .map((one) => one.find(accessKeyId))
              .find((one) => one !== undefined),
        },
      )
    } catch (error) {
      if (!(error instanceof KmsException)) throw error
      throw inWordsOf(service, error)
    }
  }

  async #perform(
    request: IncomingMessage,
    entry: OpenRecord,
    service: 's3' | 'ec2' | 'acm',
    caller: AccessKey,
    body: Uint8Array,
    headers: ReadonlyMap<string, string>,
  ): Promise<Outcome> {
    const { accountId } = caller.principal
    const { operation = '', requestId } = entry
    const store = this.#parts.store
    if (service === 's3') {
      const { bucket, key } = this.#objectOf(request.url ?? '/', headers.get('host') ?? '')
      const { method = '' } = request
      const where = { bucket, key, region: this.#parts.region, now: entry.receivedAt }
      const answer = performS3({ method, headers, body, caller, ...where }, this.#parts.buckets)
      return { ...answer, contentType: 'binary/octet-stream' }
    }
    if (service === 'ec2') {
      const perform = EC2_OPERATIONS.get(operation)
      if (perform === undefined)
        throw new AwsException('InvalidAction', `${operation} is not valid`)
      const parameters = new URLSearchParams(new TextDecoder().decode(body))
      const { bucketName } = this.#parts
      const members = await perform({ parameters, accountId, requestId, bucketName, store })
      const text = ec2Answer(operation, members, requestId)
      return { status: 200, body: Buffer.from(text), contentType: 'text/xml;charset=UTF-8' }
    }
    const perform = ACM_OPERATIONS.get(operation)
    if (perform === undefined) throw new AwsException('UnknownOperationException', '')
    const input = readJson(body)
    const value = await perform({ input, accountId, store })
    return { status: 200, body: Buffer.from(JSON.stringify(value)), contentType: JSON_1_1 }
  }

  #objectOf(url: string, host: string): { bucket: string; key: string } {
    const path = decodeURIComponent((url.split('?')[0] ?? '/').slice(1))
    const own = `.s3.${this.#parts.suffix}`
    if (host.endsWith(own)) return { bucket: host.slice(0, -own.length), key: path }
    const [bucket = '', ...rest] = path.split('/')
    return { bucket, key: rest.join('/') }
  }
}

/** S3 and the others say the same in other words. */
function inWordsOf(service: string, { type, message, status }: KmsException): AwsException {
  if (service === 'acm') return new AwsException(type, message, status)
  const words: Readonly<Record<string, readonly [string, string, number]>> = {
    MissingAuthenticationTokenException: ['AccessDenied', 'MissingAuthenticationToken', 403],
    UnrecognizedClientException: ['InvalidAccessKeyId', 'AuthFailure', 403],
    ExpiredTokenException: ['ExpiredToken', 'RequestExpired', 400],
    IncompleteSignatureException: ['AuthorizationHeaderMalformed', 'IncompleteSignature', 400],
  }
  const skewed = /expired: |not yet current/.test(message)
  const [s3, ec2, code] = words[type] ?? [
    skewed ? 'RequestTimeTooSkewed' : 'SignatureDoesNotMatch',
    skewed ? 'RequestExpired' : 'AuthFailure',
    403,
  ]
  return new AwsException(service === 's3' ? s3 : ec2, message, code)
}

function refusal(service: string | undefined, error: AwsException, requestId: string): Outcome {
  const { code, message, status } = error
  if (service === 'acm') {
    const text = JSON.stringify({ __type: code, message })
    return { status, body: Buffer.from(text), contentType: JSON_1_1 }
  }
  const text =
    service === 'ec2'
      ? ec2Error(error, requestId)
      : `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message><RequestId>${requestId}</RequestId></Error>`
  return { status, body: Buffer.from(text), contentType: XML }
}

function readJson(body: Uint8Array): Record<string, unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>
  } catch {
    throw new AwsException('SerializationException', 'The request is no JSON.')
  }
}
