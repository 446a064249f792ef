/** An error that KMS answers with: `__type`, `message` and an HTTP status. */
export class KmsException extends Error {
  override readonly name = 'KmsException'
  /** The `__type` of the answer. */
  readonly type: string
  readonly status: number

  constructor(type: string, message: string, status = 400) {
    super(message)
    this.type = type
    this.status = status
  }
}

export function validation(message: string): KmsException {
  return new KmsException('ValidationException', message)
}

export function notFound(message: string): KmsException {
  return new KmsException('NotFoundException', message)
}

/** KMS gives no message here. */
export function invalidCiphertext(): KmsException {
  return new KmsException('InvalidCiphertextException', '')
}

export function invalidKeyUsage(arn: string, usage: string, operation: string): KmsException {
  return new KmsException(
    'InvalidKeyUsageException',
    `${arn} key usage is ${usage} which is not valid for ${operation}.`,
  )
}

export function unsupported(message: string): KmsException {
  return new KmsException('UnsupportedOperationException', message)
}
