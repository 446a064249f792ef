/** An error that S3, EC2 or ACM answers with. */
export class AwsException extends Error {
  override readonly name = 'AwsException'
  /** `NoSuchKey`, `InvalidParameterValue`… */
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}

export function accessDenied(message = 'Access Denied'): AwsException {
  return new AwsException('AccessDenied', message, 403)
}
