import { createHash, createHmac } from 'node:crypto'

/** What to sign for: each member may be wrong. */
export interface Signing {
  readonly credentials: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string | undefined
  }
  readonly region: string
  readonly service: string
  readonly at: Date
}

/** The headers of a POST to / with those of Signature Version 4, all of them signed. */
export function signHeaders(
  given: Readonly<Record<string, string>>,
  body: string,
  { credentials, region, service, at }: Signing,
): Record<string, string> {
  const date = at.toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const headers: Record<string, string> = {
    ...given,
    'x-amz-date': date,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  }
  const names = Object.keys(headers).toSorted()
  const payload = headers['x-amz-content-sha256'] ?? sha256(body)
  const lines = names.map((name) => `${name}:${headers[name] ?? ''}\n`).join('')
  const canonical = ['POST', '/', '', lines, names.join(';'), payload].join('\n')
  const scope = [date.slice(0, 8), region, service, 'aws4_request']
  const text = ['AWS4-HMAC-SHA256', date, scope.join('/'), sha256(canonical)].join('\n')
  let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`)
  for (const part of scope) key = hmac(key, part)
  const signature = hmac(key, text).toString('hex')
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope.join('/')}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
