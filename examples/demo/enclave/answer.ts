import type { IncomingMessage, RequestListener } from 'node:http'
import { AcmError } from '@enclavejs/acm-enclave'
import { KmsError, KmsServiceError } from '@enclavejs/kms-enclave'

/** A JSON object of a client. */
export type Fields = Readonly<Record<string, unknown>>

/** Answers one question. */
export type Answer = (fields: Fields, request: IncomingMessage) => Promise<object>

const MOST_BYTES = 131_072

/** A question that nobody has to answer. */
export class QuestionError extends Error {}

/** A handler for `POST /NAME`: JSON in, JSON out. */
export function answering(answers: Readonly<Record<string, Answer>>): RequestListener {
  return (request, response) => {
    void answerTo(answers, request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    })
  }
}

async function answerTo(
  answers: Readonly<Record<string, Answer>>,
  request: IncomingMessage,
): Promise<{ status: number; body: object }> {
  try {
    const name = (request.url ?? '').slice(1)
    const answer = Object.hasOwn(answers, name) ? answers[name] : undefined
    if (answer === undefined) throw new QuestionError('an unknown question')
    return { status: 200, body: await answer(await fieldsOf(request), request) }
  } catch (error) {
    return refusal(error)
  }
}

async function fieldsOf(request: IncomingMessage): Promise<Fields> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MOST_BYTES) throw new QuestionError(`at most ${MOST_BYTES} bytes expected`)
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString()) as Fields
}

/** What a client is told of an error: its code, KMS's own where KMS refused, and words for people. */
function refusal(error: unknown): { status: number; body: object } {
  if (error instanceof KmsError || error instanceof AcmError) {
    const code = error instanceof KmsServiceError ? error.kmsCode : error.code
    return { status: 403, body: { refused: { code, message: error.message } } }
  }
  const isTheirs = error instanceof QuestionError || error instanceof SyntaxError
  const refused = isTheirs
    ? { code: 'QUESTION', message: error.message }
    : { code: 'FAILED', message: 'the enclave failed' }
  return { status: isTheirs ? 400 : 500, body: { refused } }
}

/** The bytes of a field in base64. */
export function bytes(fields: Fields, name: string): Uint8Array {
  const text = fields[name]
  if (typeof text !== 'string') throw new QuestionError(`${name} in base64 expected`)
  return new Uint8Array(Buffer.from(text, 'base64'))
}

export function base64(data: Uint8Array): string {
  return Buffer.from(data).toString('base64')
}
