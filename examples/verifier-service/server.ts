// POST /verify: 200 when the document is accepted, 422 with the verifier's code when it is refused, 4xx when nothing was judged.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { AttestationError, type AttestationResult, type Verifier } from '@enclavejs/attestation'
import { QuestionError, readQuestion } from './question.ts'

/** A document has at most 16 KiB, in base64 a third more. */
const LONGEST_BODY = 32_768

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

class TooLargeError extends Error {}

export function createVerifierServer(verifier: Verifier): Server {
  const server = createServer(
    { requestTimeout: 5000, headersTimeout: 5000, keepAliveTimeout: 5000, maxHeaderSize: 8192 },
    (request, response) => {
      answer(request, verifier).then(
        ({ status, body }) => {
          const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
          // Whatever is left of a body that was not read would be taken for the next request.
          const closing = request.complete ? {} : { connection: 'close' }
          response.writeHead(status, { ...headers, ...closing })
          response.end(`${JSON.stringify(body)}\n`)
        },
        () => response.destroy(),
      )
    },
  )
  server.maxConnections = 1000
  return server
}

async function answer(request: IncomingMessage, verifier: Verifier): Promise<Answer> {
  if (request.url !== '/verify') return refusal(404, 'NOT_FOUND', 'POST /verify')
  if (request.method !== 'POST') return refusal(405, 'METHOD', 'POST expected')
  if (request.headers['content-type'] !== 'application/json') {
    return refusal(415, 'CONTENT_TYPE', 'application/json expected')
  }
  try {
    const { document, ...expected } = readQuestion(await readBody(request))
    return { status: 200, body: accepted(await verifier.verify(document, expected)) }
  } catch (error) {
    if (error instanceof TooLargeError) return refusal(413, 'TOO_LARGE', error.message)
    if (error instanceof QuestionError) return refusal(400, error.code, error.message)
    if (error instanceof AttestationError) return refusal(422, error.code, error.message)
    throw error
  }
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const tooLarge = `at most ${LONGEST_BODY} bytes expected`
  if (Number(request.headers['content-length'] ?? 0) > LONGEST_BODY)
    throw new TooLargeError(tooLarge)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > LONGEST_BODY) throw new TooLargeError(tooLarge)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function accepted(result: AttestationResult): Readonly<Record<string, unknown>> {
  const base64 = (bytes: Uint8Array | null): string | null =>
    bytes && Buffer.from(bytes).toString('base64')
  return {
    accepted: true,
    label: result.referenceLabel,
    moduleId: result.moduleId,
    timestamp: result.timestamp.toISOString(),
    notAfter: result.notAfter.toISOString(),
    publicKey: base64(result.publicKey),
    userData: base64(result.userData),
    pcrs: Object.fromEntries(
      [...result.pcrs].map(([index, value]) => [index, Buffer.from(value).toString('hex')]),
    ),
    trustAnchor: result.trustAnchor,
  }
}

function refusal(status: number, code: string, message: string): Answer {
  return { status, body: { accepted: false, code, message } }
}
