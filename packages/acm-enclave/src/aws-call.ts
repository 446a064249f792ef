import { KmsError, openAwsEndpoint, type AwsResponse } from '@enclavejs/kms-enclave'
import { dnsSuffix } from './arn.ts'
import { readWay, type AwsWay } from './aws-way.ts'
import { AcmError, AcmServiceError } from './error.ts'

/** One call of EC2 or ACM. */
export interface AwsCall {
  readonly service: 'ec2' | 'acm'
  readonly region: string
  readonly operation: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Sends a call, and gives the body of an answer with status 200.
 *
 * @throws {AcmServiceError} `ERR_ACM_SERVICE`
 * @throws {AcmError} `ERR_ACM_SERVICE` where the service cannot be had, `ERR_ACM_CREDENTIALS`
 */
export async function callAws(call: AwsCall, way: AwsWay): Promise<string> {
  const { service, region, operation, headers, body } = call
  const host = `${service}.${region}.${dnsSuffix(region)}`
  const { getEvidence: _unused, ...rest } = readWay(way, [host])
  const endpoint = openAwsEndpoint({ ...rest, host, region, service })
  try {
    const response = await endpoint.request({
      ...{ method: 'POST', path: '/', headers },
      body: new TextEncoder().encode(body),
    })
    const text = new TextDecoder().decode(response.body)
    if (response.status === 200) return text
    throw refusal(operation, response, text)
  } catch (cause) {
    if (!(cause instanceof KmsError)) throw cause
    const code = cause.code === 'ERR_KMS_CREDENTIALS' ? 'ERR_ACM_CREDENTIALS' : 'ERR_ACM_SERVICE'
    throw new AcmError(code, `${operation} cannot be called at ${host}: ${cause.message}`, {
      cause,
    })
  } finally {
    await endpoint.close()
  }
}

/** What the usual refusals come from, said to whoever reads them. */
const HINTS: Readonly<Record<string, string>> = {
  'InvalidCertificateArn.NotFound': 'the certificate is not in this account and region',
  ResourceNotFoundException: 'the certificate is not in this account and region',
  UnauthorizedOperation:
    'the caller needs the ec2 permission of this name, and iam:PassRole is not it',
  AccessDeniedException: 'the caller lacks the permission of this name',
  AssociationLimitExceeded: 'a certificate can be associated with 16 roles; disassociate one',
  'InvalidAssociation.NotFound': 'the two are not associated; see enclavejs acm status',
  AuthFailure: 'AWS does not take these credentials',
}

function refusal(operation: string, { status }: AwsResponse, text: string): AcmServiceError {
  const json = readJson(text)
  const xml = (name: string): string | undefined => readTag(text, name)
  const type = typeof json['__type'] === 'string' ? json['__type'].split('#').at(-1) : undefined
  const code = (type ?? xml('Code') ?? 'Unknown').slice(0, 128)
  const said = json['message'] ?? json['Message'] ?? xml('Message') ?? ''
  const message = typeof said === 'string' ? printable(said) : ''
  const hint = HINTS[code]
  return new AcmServiceError(
    operation,
    code,
    hint === undefined ? message : `${message} (${hint})`,
    status,
  )
}

function readJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** The text of the first element of a name that has no elements in it. */
export function readTag(xml: string, name: string): string | undefined {
  const [, text] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? []
  return text?.replace(
    /&(?:#(\d{1,6})|(lt|gt|amp|quot|apos));/g,
    (_whole, number: string | undefined, name: string) =>
      number === undefined
        ? ({ lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }[name] ?? '')
        : String.fromCodePoint(Math.min(Number(number), 0x10ffff)),
  )
}

function printable(text: string): string {
  return text.slice(0, 1024).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\u{fffd}')
}
