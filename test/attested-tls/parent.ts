// The parent instance in a process of its own, which an attacker runs: one TCP port for each thing that it does with what it carries.
// It prints the ports, and answers on `record` with everything that it saw.
import { once } from 'node:events'
import {
  createServer,
  request as send,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer, get } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { connect, VsockAgent, VsockTlsAgent } from '@enclavejs/vsock'

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Buffer
}

const [ENCLAVE, OTHER] = [16, 17]
const [, , key = '', cert = ''] = process.argv
const record: Buffer[] = []
const ports: Record<string, number> = {}

/** Asks an enclave what the page asked. */
function pass(
  { headers, method, url }: IncomingMessage,
  body: Buffer,
  { cid = ENCLAVE } = {},
): Promise<Answer> {
  const agent = new VsockAgent({ cid, port: 8080 })
  return new Promise((resolve, reject) => {
    const { 'content-type': type, origin } = headers
    const sent = send(
      {
        ...{ agent, method, path: url, host: 'enclave' },
        headers: { ...(type && { 'content-type': type }), ...(origin && { origin }) },
      },
      (response) =>
        void buffer(response).then((bytes) => resolve(answerOf(response, bytes)), reject),
    )
    sent.on('error', reject).end(body)
  })
}

function answerOf({ headers, statusCode = 0 }: IncomingMessage, body: Buffer): Answer {
  const kept = ['content-type', 'access-control-allow-origin', 'access-control-allow-headers']
  const pairs = kept.flatMap((name) => (headers[name] ? [[name, String(headers[name])]] : []))
  return { status: statusCode, headers: Object.fromEntries(pairs) as Answer['headers'], body }
}

/** A document of the enclave's TLS key for any nonce, as everybody can have it. */
function tlsDocument(path: string): Promise<Answer> {
  const agent = new VsockTlsAgent({ cid: ENCLAVE, port: 8443 }, { rejectUnauthorized: false })
  return new Promise((resolve, reject) => {
    get({ agent, path, host: 'enclave' }, (response) => {
      buffer(response).then((bytes) => resolve(answerOf(response, bytes)), reject)
    }).on('error', reject)
  })
}

function flipped(body: Buffer, at: number): Buffer {
  const copy = Buffer.from(body)
  const index = at < 0 ? copy.length + at : at
  copy[index] = (copy[index] as number) ^ 1
  return copy
}

type Mischief = (request: IncomingMessage, body: Buffer) => Promise<Answer>
const kept: { document?: Answer; answer?: Answer } = {}
const isDocument = ({ method }: IncomingMessage): boolean => method === 'GET'
const isMessage = ({ method }: IncomingMessage): boolean => method === 'POST'

const MISCHIEFS: Readonly<Record<string, Mischief>> = {
  honest: async (request, body) => {
    const answer = await pass(request, body)
    if (isDocument(request)) kept.document ??= answer
    if (isMessage(request)) kept.answer ??= answer
    return answer
  },
  /** A key of its own in the place of the enclave's, in a document that is otherwise genuine. */
  swappedKey: async (request, body) => {
    const answer = await pass(request, body)
    const at = answer.body.indexOf(
      Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107', 'hex'),
    )
    return at < 0 ? answer : { ...answer, body: flipped(answer.body, at + 60) }
  },
  oldDocument: async (request, body) =>
    isDocument(request) ? (kept.document as Answer) : pass(request, body),
  tlsDocument: async (request, body) => {
    if (!isDocument(request)) return pass(request, body)
    const query = request.url?.split('?')[1] ?? ''
    const answer = await tlsDocument(`/.well-known/enclavejs/attestation?${query}`)
    return { ...answer, headers: { ...answer.headers, 'access-control-allow-origin': '*' } }
  },
  otherImage: (request, body) => pass(request, body, { cid: OTHER }),
  alteredRequest: (request, body) => pass(request, isMessage(request) ? flipped(body, -1) : body),
  alteredAnswer: async (request, body) => {
    const answer = await pass(request, body)
    return isMessage(request) ? { ...answer, body: flipped(answer.body, 20) } : answer
  },
  crossedAnswer: async (request, body) =>
    isMessage(request) ? (await pass(request, body), kept.answer as Answer) : pass(request, body),
  /** The page is told of the first; what the enclave said to the second is in the header `x-again`. */
  replayedRequest: async (request, body) => {
    const answer = await pass(request, body)
    if (!isMessage(request)) return answer
    const again = await pass(request, body)
    const headers = { 'x-again': String(again.status), 'access-control-expose-headers': 'x-again' }
    return { ...answer, headers: { ...answer.headers, ...headers } }
  },
  silent: async (request, body) =>
    isMessage(request) ? new Promise<never>(() => {}) : pass(request, body),
}

function handle(mischief: Mischief): RequestListener {
  const act = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request)
    try {
      const answer = await mischief(request, body)
      const head = Buffer.from(`${request.url}\n${JSON.stringify(request.headers)}\n`)
      record.push(head, body, answer.body)
      response.writeHead(answer.status, answer.headers).end(answer.body)
    } catch {
      response.destroy()
    }
  }
  return (request, response) => void act(request, response)
}

async function open(name: string, server: Server): Promise<void> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  ports[name] = (server.address() as AddressInfo).port
}

for (const [name, mischief] of Object.entries(MISCHIEFS)) {
  await open(name, createServer(handle(mischief)))
}
await open(
  'record',
  createServer((_request, response) => void response.end(Buffer.concat(record))),
)
for (const [name, cid] of [
  ['tls', ENCLAVE],
  ['tlsOtherImage', OTHER],
] as const) {
  const carry = createTcpServer(async (near) => {
    const far = await connect({ cid, port: 8443 })
    near.on('data', (bytes: Buffer) => record.push(bytes))
    near.pipe(far).pipe(near)
    for (const end of [near, far]) end.on('error', () => void near.destroy())
  })
  await open(name, carry)
}
const middle = createHttpsServer({ key, cert }, async (request, response) => {
  if (request.url?.startsWith('/.well-known/') !== true) {
    record.push(Buffer.from(`in the clear: ${request.url}\n`), await buffer(request))
    return void response.end('from the parent')
  }
  const answer = await tlsDocument(request.url)
  const length = { 'content-length': answer.body.length }
  response.writeHead(answer.status, { ...answer.headers, ...length }).end(answer.body)
})
await open('tlsMiddle', middle)
console.log(JSON.stringify(ports))
process.once('SIGTERM', () => process.exit(0))
