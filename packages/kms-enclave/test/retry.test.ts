import { describe, expect, it } from 'vitest'
import { KmsError, KmsServiceError } from '../src/index.ts'
import { backoff, remedyFor } from '../src/retry.ts'

function service(kmsCode: string, kmsMessage = '', status = 400): KmsServiceError {
  return new KmsServiceError({
    operation: 'Decrypt',
    kmsCode,
    kmsMessage,
    status,
    requestId: undefined,
  })
}

describe('the remedy', () => {
  it.each([
    [
      'wait',
      ['ThrottlingException', 'Throttling', 'TooManyRequestsException', 'RequestLimitExceeded'],
    ],
    ['wait', ['KMSInternalException', 'DependencyTimeoutException', 'KeyUnavailableException']],
    [
      'credentials',
      ['ExpiredTokenException', 'UnrecognizedClientException', 'InvalidClientTokenId'],
    ],
    [
      'clock',
      [
        'InvalidSignatureException',
        'RequestTimeTooSkewed',
        'RequestExpired',
        'AccessDeniedException',
      ],
    ],
    [
      undefined,
      [
        ...['ValidationException', 'InvalidCiphertextException', 'IncorrectKeyException'],
        ...['NotFoundException', 'DisabledException', 'KMSInvalidStateException'],
        ...[
          'InvalidKeyUsageException',
          'InvalidGrantTokenException',
          'UnsupportedOperationException',
        ],
        ...['DryRunOperationException', 'InvalidArnException', 'Unknown'],
      ],
    ],
  ] as const)('is %s for %j', (remedy, codes) => {
    for (const code of codes) expect(remedyFor(service(code)), code).toBe(remedy)
  })

  it.each([429, 500, 502, 503, 504])('is to wait for status %i without a name', (status) => {
    expect(remedyFor(service('Unknown', '', status))).toBe('wait')
  })

  it('is a new document for one text of ValidationException alone', () => {
    const text = 'document exceeded the five-minute age limit'
    expect(remedyFor(service('ValidationException', text))).toBe('document')
    expect(remedyFor(service('AccessDeniedException', text))).toBe('clock')
  })

  it('is to wait for a broken connection and a deadline, and nothing for all else of ours', () => {
    expect(remedyFor(new KmsError('ERR_KMS_CONNECTION', ''))).toBe('wait')
    expect(remedyFor(new KmsError('ERR_KMS_DEADLINE', ''))).toBe('wait')
    for (const code of [
      'ERR_KMS_TLS',
      'ERR_KMS_CMS',
      'ERR_KMS_RESPONSE',
      'ERR_KMS_CREDENTIALS',
    ] as const) {
      expect(remedyFor(new KmsError(code, ''))).toBeUndefined()
    }
    expect(remedyFor(new Error('other'))).toBeUndefined()
  })
})

describe('backoff', () => {
  it('is anything up to a bound that doubles, and is bounded itself', () => {
    expect([1, 2, 3, 10].map((attempt) => backoff(attempt, () => 0))).toEqual([0, 0, 0, 0])
    const most = [1, 2, 3, 6, 10].map((attempt) => backoff(attempt, () => 1))
    expect(most).toEqual([200, 400, 800, 5000, 5000])
    for (let index = 0; index < 1000; index++) expect(backoff(3)).toBeLessThan(800)
  })
})
