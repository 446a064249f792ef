import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'
import type { AccessKey } from './account.ts'
import { canonicalRequest, joinHeaders, sha256, type SignedRequest } from './canonical-request.ts'
import { KmsException } from './exception.ts'

/** What a signature is checked against. */
export interface SigV4Expectations {
  readonly region: string
  readonly service: string
  readonly now: Date
  readonly maxSkewMs: number
  readonly find: (accessKeyId: string) => AccessKey | undefined
}

const ALGORITHM = 'AWS4-HMAC-SHA256'

/**
 * Checks the Authorization header of a request (Signature Version 4) over exactly the bytes that
 * came in.
 *
 * @returns whose access key it is.
 * @throws KmsException with the code and text of AWS's front end.
 */
export function verifySigV4(request: SignedRequest, expected: SigV4Expectations): AccessKey {
  const headers = joinHeaders(request.rawHeaders)
  const authorization = headers.get('authorization')
  if (authorization === undefined) {
    throw new KmsException('MissingAuthenticationTokenException', 'Missing Authentication Token')
  }
  const { credential, signedHeaders, signature } = readAuthorization(authorization)
  const amzDate = headers.get('x-amz-date')
  const signedAt = readDate(amzDate)
  const scope = readScope(credential, amzDate ?? '', expected)
  checkSignedHeaders(headers, signedHeaders)
  const key = expected.find(scope.accessKeyId)
  const token = headers.get('x-amz-security-token')
  if (key === undefined || !sameText(token ?? '', key.credentials.sessionToken ?? '')) {
    throw new KmsException(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    )
  }
  const { expiration } = key.credentials
  if (expiration !== undefined && expiration.getTime() <= expected.now.getTime()) {
    throw new KmsException(
      'ExpiredTokenException',
      'The security token included in the request is expired',
    )
  }
  checkSkew(signedAt, amzDate ?? '', expected)
  const bodyHash = sha256(request.body)
  const canonical = canonicalRequest(request, headers, signedHeaders, bodyHash)
  const stringToSign = [ALGORITHM, amzDate, scope.text, sha256(canonical)].join('\n')
  const genuine = hmac(signingKey(key, scope), stringToSign).toString('hex')
  const declared = headers.get('x-amz-content-sha256') ?? bodyHash
  if (!sameText(signature, genuine) || declared !== bodyHash) {
    throw invalid(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    )
  }
  return key
}

function readAuthorization(authorization: string): {
  credential: string
  signedHeaders: string[]
  signature: string
} {
  const [algorithm = '', ...rest] = authorization.split(' ')
  if (algorithm !== ALGORITHM) {
    throw incomplete(`Unsupported AWS 'algorithm': '${algorithm.slice(0, 32)}'.`)
  }
  const parts = new Map(
    rest
      .join('')
      .split(',')
      .map((part) => {
        const [name = '', value = ''] = part.split(/=(.*)/s)
        return [name, value]
      }),
  )
  const missing = ['Credential', 'Signature', 'SignedHeaders'].filter((name) => !parts.get(name))
  if (missing.length > 0) {
    const texts = missing.map((name) => `Authorization header requires '${name}' parameter.`)
    throw incomplete(texts.join(' '))
  }
  return {
    credential: parts.get('Credential') ?? '',
    signedHeaders: (parts.get('SignedHeaders') ?? '').split(';'),
    signature: parts.get('Signature') ?? '',
  }
}

function readDate(amzDate: string | undefined): Date {
  if (amzDate === undefined) {
    throw incomplete("Authorization header requires existence of either a 'X-Amz-Date' header.")
  }
  const [, day = '', time = ''] = /^(\d{8})T(\d{6})Z$/.exec(amzDate) ?? []
  const text = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}Z`
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) {
    throw incomplete("Date must be in ISO-8601 'basic format'.")
  }
  return date
}

interface Scope {
  readonly accessKeyId: string
  /** Date, region, service and terminator. */
  readonly parts: readonly string[]
  readonly text: string
}

function readScope(credential: string, amzDate: string, expected: SigV4Expectations): Scope {
  const all = credential.split('/')
  if (all.length !== 5) {
    throw incomplete(
      'Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.',
    )
  }
  const [accessKeyId = '', ...parts] = all
  const [date = '', region, service, terminator] = parts
  if (date !== amzDate.slice(0, 8)) {
    throw invalid(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${amzDate.slice(0, 8)}', from '${amzDate}'.`,
    )
  }
  if (region !== expected.region) {
    throw invalid(`Credential should be scoped to a valid region, not '${region}'.`)
  }
  if (service !== expected.service) {
    throw invalid(`Credential should be scoped to correct service: '${expected.service}'.`)
  }
  if (terminator !== 'aws4_request') {
    throw invalid(
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${terminator}'.`,
    )
  }
  return { accessKeyId, parts, text: parts.join('/') }
}

/** Host and every X-Amz-… header that is there must be signed: what is not could be changed on the way. */
function checkSignedHeaders(
  headers: ReadonlyMap<string, string>,
  signedHeaders: readonly string[],
): void {
  if (!signedHeaders.includes('host')) {
    throw invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
  }
  for (const name of headers.keys()) {
    if (name.startsWith('x-amz-') && !signedHeaders.includes(name)) {
      throw invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`)
    }
  }
  const isOrdered = signedHeaders.every(
    (name, index) => index === 0 || (signedHeaders[index - 1] ?? '') < name,
  )
  if (!isOrdered) throw invalid('SignedHeaders must be in order and without duplicates.')
}

function checkSkew(signedAt: Date, amzDate: string, expected: SigV4Expectations): void {
  const { now, maxSkewMs } = expected
  const minutes = Math.round(maxSkewMs / 60_000)
  const bound = (offset: number): string => basic(new Date(now.getTime() + offset))
  if (signedAt.getTime() < now.getTime() - maxSkewMs) {
    throw invalid(
      `Signature expired: ${amzDate} is now earlier than ${bound(-maxSkewMs)} (${basic(now)} - ${minutes} min.)`,
    )
  }
  if (signedAt.getTime() > now.getTime() + maxSkewMs) {
    throw invalid(
      `Signature not yet current: ${amzDate} is still later than ${bound(maxSkewMs)} (${basic(now)} + ${minutes} min.)`,
    )
  }
}

function basic(date: Date): string {
  return date.toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

/** The signing key of each access key that was used last: it is the same for a day in one region of one service. */
const signingKeys = new WeakMap<AccessKey, { readonly scope: string; readonly key: KeyObject }>()

function signingKey(accessKey: AccessKey, { parts, text }: Scope): KeyObject {
  const known = signingKeys.get(accessKey)
  if (known?.scope === text) return known.key
  // As KeyObjects: that octets are none Node finds out by throwing and catching.
  const key = parts.reduce<KeyObject>(
    (key, part) => createSecretKey(hmac(key, part)),
    createSecretKey(Buffer.from(`AWS4${accessKey.credentials.secretAccessKey}`)),
  )
  signingKeys.set(accessKey, { scope: text, key })
  return key
}

function hmac(key: KeyObject, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function invalid(message: string): KmsException {
  return new KmsException('InvalidSignatureException', message)
}

function incomplete(message: string): KmsException {
  return new KmsException('IncompleteSignatureException', message)
}
