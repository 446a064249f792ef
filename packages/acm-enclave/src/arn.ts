/** The ARN of a certificate in ACM, taken apart. */
export interface CertificateArn {
  readonly arn: string
  readonly partition: string
  readonly region: string
  readonly accountId: string
}

const CERTIFICATE =
  /^arn:(aws[a-z-]{0,20}):acm:([a-z]{2,8}(?:-[a-z]{2,12}){1,3}-\d{1,2}):(\d{12}):certificate\/[A-Za-z0-9-]{1,64}$/
const ROLE = /^arn:aws[a-z-]{0,20}:iam::\d{12}:role\/(?:[\x21-\x7e]{1,510}\/)?[\w+=,.@-]{1,64}$/
const REGION = /^[a-z]{2,8}(?:-[a-z]{2,12}){1,3}-\d{1,2}$/
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

/** @throws {TypeError} */
export function parseCertificateArn(text: string): CertificateArn {
  const [, partition, region, accountId] =
    typeof text === 'string' ? (CERTIFICATE.exec(text) ?? []) : []
  if (partition === undefined || region === undefined || accountId === undefined) {
    throw new TypeError('certificateArn must be arn:PARTITION:acm:REGION:ACCOUNT:certificate/ID')
  }
  return { arn: text, partition, region, accountId }
}

/** @throws {TypeError} */
export function checkRoleArn(text: string): string {
  if (typeof text === 'string' && ROLE.test(text)) return text
  throw new TypeError('roleArn must be arn:PARTITION:iam::ACCOUNT:role/NAME')
}

/** @throws {TypeError} */
export function checkRegion(text: string): string {
  if (typeof text === 'string' && REGION.test(text)) return text
  throw new TypeError('region must be the name of a region, as eu-west-1')
}

/** @throws {TypeError} */
export function checkBucket(text: string): string {
  if (typeof text === 'string' && BUCKET.test(text) && !text.includes('..')) return text
  throw new TypeError('bucket must be the name of an S3 bucket')
}

/** What the host names of a region end in. */
export function dnsSuffix(region: string): string {
  if (region.startsWith('cn-')) return 'amazonaws.com.cn'
  if (region.startsWith('eusc-')) return 'amazonaws.eu'
  return 'amazonaws.com'
}

/** The partition of a region. */
export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  if (region.startsWith('us-gov-')) return 'aws-us-gov'
  if (region.startsWith('eusc-')) return 'aws-eusc'
  return 'aws'
}
