import type { AccessKey } from '../kms/account.ts'
import { putObject, type Bucket, type Buckets } from './bucket.ts'
import { accessDenied, AwsException } from './error.ts'

/** A request to S3 whose signature held. */
export interface S3Request {
  readonly method: string
  /** Bucket and key out of host name and path, decoded. */
  readonly bucket: string
  readonly key: string
  readonly headers: ReadonlyMap<string, string>
  readonly body: Uint8Array
  readonly caller: AccessKey
  readonly region: string
  readonly now: Date
}

export interface S3Answer {
  readonly status: number
  readonly body: Uint8Array
  readonly headers: readonly (readonly [string, string])[]
}

/** The operations by method. */
export const S3_OPERATIONS: Readonly<Record<string, string>> = {
  GET: 'GetObject',
  HEAD: 'HeadObject',
  PUT: 'PutObject',
}

/** @throws AwsException. */
export function performS3(request: S3Request, buckets: Buckets): S3Answer {
  const { method, key, headers, now } = request
  const bucket = buckets.get(request.bucket)
  if (bucket.region !== request.region) {
    throw new AwsException('PermanentRedirect', 'The bucket must be addressed in its region.', 301)
  }
  const owner = headers.get('x-amz-expected-bucket-owner')
  if (owner !== undefined && owner !== bucket.ownerAccountId) throw accessDenied()
  authorize(request, bucket)
  if (key === '') throw new AwsException('MethodNotAllowed', 'The simulator lists nothing.', 405)
  if (method === 'PUT') {
    const { etag } = putObject(bucket, key, request.body, now)
    return { status: 200, body: new Uint8Array(), headers: [['ETag', etag]] }
  }
  const object = bucket.objects.get(key)
  if (object === undefined) {
    throw new AwsException('NoSuchKey', 'The specified key does not exist.', 404)
  }
  const { etag, lastModified, bytes } = object
  const common = [
    ['ETag', etag],
    ['Last-Modified', lastModified.toUTCString()],
    ['Accept-Ranges', 'bytes'],
  ] as const
  if (headers.get('if-none-match') === etag) {
    return { status: 304, body: new Uint8Array(), headers: common }
  }
  return { status: 200, body: bytes, headers: common }
}

/** The owner's principals may all in their own buckets; in AWS's bucket a role reads what is under its ARN. */
function authorize({ method, key, caller }: S3Request, bucket: Bucket): void {
  const { accountId, principalArn, sessionArn } = caller.principal
  const action = method === 'PUT' ? 's3:PutObject' : 's3:GetObject'
  const allowed = bucket.byRole
    ? method !== 'PUT' && key.startsWith(`${principalArn}/`)
    : accountId === bucket.ownerAccountId
  if (allowed) return
  throw accessDenied(
    `User: ${sessionArn} is not authorized to perform: ${action} on resource: "arn:aws:s3:::${bucket.name}/${key}"`,
  )
}
