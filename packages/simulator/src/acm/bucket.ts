import { createHash } from 'node:crypto'
import { AwsException } from './error.ts'

/** What lies under one key of a bucket. */
export interface BucketObject {
  readonly bytes: Uint8Array
  /** MD5 in quotes, as S3 has it for what was put in one piece. */
  readonly etag: string
  readonly lastModified: Date
}

/** A bucket of the simulated S3. */
export interface Bucket {
  readonly name: string
  readonly ownerAccountId: string
  readonly region: string
  /** AWS's own, of associated certificates: a role may read what lies under its own ARN, and nobody else anything. */
  readonly byRole: boolean
  readonly objects: Map<string, BucketObject>
}

/** All buckets of the simulated S3. */
export class Buckets {
  readonly #buckets = new Map<string, Bucket>()

  create(
    name: string,
    options: {
      readonly ownerAccountId: string
      readonly region: string
      readonly byRole?: boolean
    },
  ): Bucket {
    const bucket = { byRole: false, ...options, name, objects: new Map<string, BucketObject>() }
    this.#buckets.set(name, bucket)
    return bucket
  }

  /** @throws AwsException `NoSuchBucket`. */
  get(name: string): Bucket {
    const bucket = this.#buckets.get(name)
    if (bucket !== undefined) return bucket
    throw new AwsException('NoSuchBucket', 'The specified bucket does not exist', 404)
  }

  find(name: string): Bucket | undefined {
    return this.#buckets.get(name)
  }
}

export function putObject(bucket: Bucket, key: string, bytes: Uint8Array, now: Date): BucketObject {
  const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
  const object = { bytes: Uint8Array.from(bytes), etag, lastModified: now }
  bucket.objects.set(key, object)
  return object
}
