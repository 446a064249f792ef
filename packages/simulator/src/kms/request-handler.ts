import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { concat } from '../der.ts'
import type { AccessKey } from './account.ts'
import type { Answer } from './answer.ts'
import { AttestationVerifier, type VerifiedAttestation } from './attestation.ts'
import { Call } from './call.ts'
import { joinHeaders } from './canonical-request.ts'
import { KmsException, validation } from './exception.ts'
import type { KmsFault } from './fault.ts'
import { Input } from './input.ts'
import type { KeyRing } from './key-ring.ts'
import { ATTESTED, CHANGING, OPERATIONS } from './operation.ts'
import type { SimulatedKmsOptions } from './options.ts'
import type { OpenRecord, RequestLog } from './request-log.ts'
import type { RingDirectory } from './ring-directory.ts'
import { answerBody } from './sealed-answer.ts'
import { verifySigV4 } from './sigv4.ts'

/** Longest body of a request: a Recipient in base64 and all else fit. */
const MAX_BODY = 1024 * 1024
const AMZ_JSON = 'application/x-amz-json-1.1'
const TARGET = /^TrentService\.(\w+)$/

/** The connection that a request came on. */
export interface Connection {
  readonly number: number
  readonly protocol: string
  readonly servername: string | undefined
}

/** From a request to its answer: signature, recipient, operation, seal; and the log. */
export class RequestHandler {
  readonly #options: SimulatedKmsOptions
  readonly #hostNames: readonly string[]
  readonly #ring: KeyRing
  readonly #files: RingDirectory | undefined
  readonly #log: RequestLog
  readonly #verifier: AttestationVerifier

  constructor(
    options: SimulatedKmsOptions,
    parts: {
      readonly hostNames: readonly string[]
      readonly ring: KeyRing
      readonly files: RingDirectory | undefined
      readonly log: RequestLog
    },
  ) {
    this.#options = options
    this.#hostNames = parts.hostNames
    this.#ring = parts.ring
    this.#files = parts.files
    this.#log = parts.log
    this.#verifier = new AttestationVerifier(options.attestationRoots)
  }

  /** Reads a request and enters it into the log. */
  async receive(
    request: IncomingMessage,
    connection: Connection,
    now: Date,
  ): Promise<{ entry: OpenRecord; body: Uint8Array | undefined }> {
    const body = await readBody(request)
    const headers = joinHeaders(request.rawHeaders)
    const { number, protocol, servername } = connection
    const entry: OpenRecord = {
      operation: TARGET.exec(headers.get('x-amz-target') ?? '')?.[1],
      connection: number,
      headers: Object.fromEntries(headers),
      rawHeaders: [...request.rawHeaders],
      body: body ?? new Uint8Array(),
      receivedAt: now,
      tls: { protocol, servername },
      principalArn: undefined,
      status: undefined,
      errorType: undefined,
      requestId: randomUUID(),
    }
    this.#log.begin(entry)
    return { entry, body }
  }

  /** Answers what `receive` read. */
  async answer(
    request: IncomingMessage,
    entry: OpenRecord,
    body: Uint8Array | undefined,
    fault: KmsFault | undefined,
  ): Promise<Answer> {
    const common = { requestId: entry.requestId, now: entry.receivedAt, contentType: AMZ_JSON }
    try {
      if (fault?.kind === 'raw-body' || fault?.kind === 'unavailable') {
        const { status, text, contentType } = rawAnswer(fault)
        this.#log.end(entry, status, undefined)
        return { ...common, status, body: Buffer.from(text), contentType }
      }
      refuseByFault(fault)
      const value = await this.#perform(request, entry, body, fault)
      this.#log.end(entry, 200, undefined)
      return { ...common, status: 200, body: Buffer.from(JSON.stringify(value)) }
    } catch (error) {
      const known =
        error instanceof KmsException
          ? error
          : new KmsException('KMSInternalException', 'An internal error occurred.', 500)
      const { type, message, status } = known
      this.#log.end(entry, status, type)
      const text = message === '' ? { __type: type } : { __type: type, message }
      return { ...common, status, body: Buffer.from(JSON.stringify(text)) }
    }
  }

  async #perform(
    request: IncomingMessage,
    entry: OpenRecord,
    body: Uint8Array | undefined,
    fault: KmsFault | undefined,
  ): Promise<unknown> {
    if (body === undefined) {
      throw new KmsException('RequestEntityTooLargeException', 'The request is too large.', 413)
    }
    const { method = '', url = '' } = request
    const operation = entry.operation ?? ''
    const perform = OPERATIONS.get(operation)
    if (method !== 'POST' || url !== '/' || perform === undefined) {
      throw new KmsException('UnknownOperationException', '')
    }
    if (!this.#hostNames.includes((entry.headers['host'] ?? '').replace(/:\d+$/, ''))) {
      throw new KmsException('UnknownOperationException', '')
    }
    const { principal } = verifySigV4(
      { method, url, rawHeaders: entry.rawHeaders, body },
      {
        region: this.#ring.region,
        service: 'kms',
        now: entry.receivedAt,
        maxSkewMs: this.#options.maxSkewMs ?? 300_000,
        find: (accessKeyId) => this.#find(accessKeyId),
      },
    )
    entry.principalArn = principal.principalArn
    const account = this.#options.accounts.find((one) => one.accountId === principal.accountId)
    if (account === undefined) throw new Error('an access key without an account')
    const input = Input.parse(body)
    const recipient = ATTESTED.has(operation) ? this.#recipient(input, entry.receivedAt) : undefined
    const ring = this.#ring
    const call = new Call({ input, principal, account, ring, now: entry.receivedAt, recipient })
    const outcome = await perform(call)
    if (CHANGING.has(operation)) await this.#files?.save()
    return answerBody(outcome, recipient, this.#form(), fault)
  }

  #find(accessKeyId: string): AccessKey | undefined {
    for (const account of this.#options.accounts) {
      const key = account.find(accessKeyId)
      if (key !== undefined) return key
    }
    return undefined
  }

  #recipient(input: Input, now: Date): VerifiedAttestation | undefined {
    const recipient = input.structure('Recipient')
    if (recipient === undefined) return undefined
    recipient.oneOf('KeyEncryptionAlgorithm', ['RSAES_OAEP_SHA_256'])
    const document = recipient.optionalBlob('AttestationDocument', 1, 262_144)
    if (document === undefined) throw validation('Recipient must have an attestation document.')
    return this.#verifier.verify(document, now)
  }

  #form(): 'constructed' | 'primitive' {
    const { contentForm = 'random' } = this.#options
    if (contentForm !== 'random') return contentForm
    return Math.random() < 0.5 ? 'constructed' : 'primitive'
  }
}

/** The whole body; undefined where it is longer than any request of KMS. */
function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let length = 0
    request.on('data', (part: Buffer) => {
      length += part.length
      if (length <= MAX_BODY) parts.push(part)
    })
    request.once('end', () => resolve(length <= MAX_BODY ? concat(...parts) : undefined))
    request.once('error', reject)
    request.once('close', () => {
      if (!request.readableEnded) reject(new Error('the request ended before its body'))
    })
  })
}

function rawAnswer(fault: Extract<KmsFault, { kind: 'raw-body' | 'unavailable' }>): {
  status: number
  text: string | Uint8Array
  contentType: string
} {
  if (fault.kind === 'unavailable') {
    const text = '<html><body><b>Http/1.1 Service Unavailable</b></body></html>'
    return { status: 503, text, contentType: 'text/html' }
  }
  const { status = 200, body, contentType = AMZ_JSON } = fault
  return { status, text: body, contentType }
}

function refuseByFault(fault: KmsFault | undefined): void {
  switch (fault?.kind) {
    case 'throttling':
      throw new KmsException(
        'ThrottlingException',
        'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
      )
    case 'internal':
      throw new KmsException('KMSInternalException', 'An internal error occurred.', 500)
    case 'error':
      throw new KmsException(fault.type, fault.message ?? '', fault.status)
    default:
  }
}
