import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { SignatureV4 } from '@smithy/signature-v4'
import { vectors } from '../../../test/vectors.ts'
import { NodeSha256, RequestSigner } from '../src/signing.ts'

interface KmsVector {
  readonly name: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly amzDate: string
  readonly region: string
  readonly host: string
  readonly operation: string
  readonly body: string
  readonly contentSha256?: boolean
  readonly authorization: string
}

function dateOf(amzDate: string): Date {
  return new Date(amzDate.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}

const kmsFile = vectors('sigv4/kms-vectors.json')
const kmsVectors =
  kmsFile === undefined
    ? []
    : (JSON.parse(readFileSync(kmsFile, 'utf8')) as { vectors: KmsVector[] }).vectors

describe('a request of KMS is signed as in', () => {
  it.skipIf(kmsFile === undefined)('the vectors, of which there are some', () => {
    expect(kmsVectors.length).toBeGreaterThanOrEqual(4)
  })

  it.each(kmsVectors.map((one) => [one.name, one] as const))('%s', async (_name, vector) => {
    const { accessKeyId, secretAccessKey, sessionToken } = vector
    const hash = new NodeSha256()
    hash.update(vector.body)
    const sum = Buffer.from(await hash.digest()).toString('hex')
    const headers = await new RequestSigner(vector.region).sign(
      {
        host: vector.host,
        headers: {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': `TrentService.${vector.operation}`,
          ...(vector.contentSha256 === true && { 'x-amz-content-sha256': sum }),
        },
        body: Buffer.from(vector.body),
      },
      { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      dateOf(vector.amzDate),
    )
    expect(headers['authorization']).toBe(vector.authorization)
  })
})

interface SuiteCase {
  readonly id: string
  readonly files: Readonly<Record<string, string>>
}

interface SuiteContext {
  readonly credentials: { access_key_id: string; secret_access_key: string; token?: string }
  readonly region: string
  readonly service: string
  readonly timestamp: string
  readonly normalize: boolean
  readonly sign_body: boolean
  readonly omit_session_token?: boolean
}

const suiteFile = vectors('sigv4/aws-c-auth-v4.json')
const suite =
  suiteFile === undefined ? [] : (JSON.parse(readFileSync(suiteFile, 'utf8')) as SuiteCase[])

/**
 * What the package cannot do, and KMS never needs: sign without the token and add it afterwards, and leave a path as it is. A
 * request of KMS is always `POST /` without a query.
 */
const DOES_NOT_APPLY = new Set(['get-space-unnormalized', 'post-sts-header-after'])

describe("the signer that this is built on, in AWS's suite:", () => {
  it.skipIf(suiteFile === undefined)('some of it is here', () => {
    expect(suite.length).toBeGreaterThanOrEqual(20)
  })

  it.each(suite.filter(({ id }) => !DOES_NOT_APPLY.has(id)).map((one) => [one.id, one] as const))(
    '%s',
    async (_id, { files }) => {
      const context = JSON.parse(files['context.json'] as string) as SuiteContext
      const { credentials, region, service } = context
      const signer = new SignatureV4({
        region,
        service,
        sha256: NodeSha256,
        applyChecksum: context.sign_body,
        uriEscapePath: context.normalize,
        credentials: {
          accessKeyId: credentials.access_key_id,
          secretAccessKey: credentials.secret_access_key,
          ...(credentials.token !== undefined && { sessionToken: credentials.token }),
        },
      })
      const signed = await signer.sign(parse(files['request.txt'] as string), {
        signingDate: new Date(context.timestamp),
      })
      expect(signed.headers['authorization']).toMatch(
        new RegExp(`Signature=${(files['header-signature.txt'] as string).trim()}$`),
      )
    },
  )
})

function parse(text: string): Parameters<SignatureV4['sign']>[0] & object {
  const [head = '', body = ''] = text.split(/\n\n([^]*)/)
  const [start = '', ...lines] = head.replace(/\n[ \t]+/g, ' ').split('\n')
  const [, method = '', target = ''] = /^(\S+) (.*) HTTP\/1\.1$/.exec(start) ?? []
  const headers: Record<string, string> = {}
  for (const line of lines.filter((one) => one !== '')) {
    const [, name = '', value = ''] = /^([^:]+):(.*)$/.exec(line) ?? []
    const key = name.toLowerCase()
    headers[key] = headers[key] === undefined ? value.trim() : `${headers[key]},${value.trim()}`
  }
  const [path = '', search = ''] = target.split(/\?(.*)/)
  const query: Record<string, string | string[]> = {}
  for (const pair of search.split('&').filter((one) => one !== '')) {
    const [key = '', value = ''] = pair.split(/=(.*)/).map((part) => decodeURIComponent(part))
    const before = query[key]
    query[key] = before === undefined ? value : [before, value].flat()
  }
  return {
    method,
    protocol: 'https:',
    hostname: headers['host'] ?? '',
    path: decodeURI(path),
    query,
    headers,
    body,
  } as never
}
