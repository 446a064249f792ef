import { constants } from 'node:crypto'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { answerAttestation } from './attestation-endpoint.ts'
import { LONGEST_DEADLINE } from './deadline.ts'
import { defaultEvidence } from './defaults.ts'
import { AttestedTlsError } from './error.ts'
import { EvidenceGate } from './evidence-gate.ts'
import { InnerServer, setChannel } from './inner-server.ts'
import { integerOption } from './option.ts'
import { refuse } from './problem.ts'
import { ATTESTATION_PATH, SEALED_PATH } from './purpose.ts'
import { SealedEndpoint } from './sealed-endpoint.ts'
import { SealedKeys } from './sealed-keys.ts'
import { publishServed } from './served-event.ts'
import { readServeOptions, type ServeAttestedOptions, type ServeSettings } from './serve-options.ts'
import { makeTlsKey } from './tls-key.ts'

/** A server of {@link serveAttested}. */
export interface AttestedServer extends AsyncDisposable {
  /**
   * The server of node:https (of node:http with `transport: 'sealed'`) behind the listener: for the event `upgrade`, and for
   * connections that come another way, by `emit('connection', socket)`.
   */
  readonly server: HttpsServer | HttpServer
  /**
   * Takes no more connections, lets those that are busy end, and cuts off what is left. The listener is closed too. Any number of times.
   *
   * @param options.deadline milliseconds, 0 to 600000. Default 10000.
   */
  close(options?: { readonly deadline?: number }): Promise<void>
}

/**
 * Serves a handler from inside an enclave, so that clients can know that what they send ends in it and in no other place:
 *
 * - over TLS 1.3, with a key that was made here. A client sends a nonce to `/.well-known/enclavejs/attestation` and gets a
 *   document over nonce, TLS key and the connection's channel binding (RFC 9266). `@enclavejs/attested-tls/client` does so
 *   before it sends anything else.
 * - sealed, for pages, which see no TLS key: `/.well-known/enclavejs/sealed` answers a nonce with a document over an HPKE key
 *   (RFC 9180), and takes requests that are sealed to it (RFC 9458, RFC 9292). `@enclavejs/attested-tls/browser` sends them.
 *
 * It proves nothing about its clients: everybody may ask. Session tickets are never taken, HTTP is 1.1. Under
 * `/.well-known/enclavejs/` the handler is not asked; {@link channelOf} tells it how a request came.
 *
 * @throws {TypeError | RangeError} for options that are wrong or unknown; what `certificate.attach` throws.
 *
 * @example
 * ```ts
 * import { serveAttested } from '@enclavejs/attested-tls/server'
 * import { createServer } from '@enclavejs/vsock'
 *
 * const listener = createServer()
 * const server = await serveAttested({
 *   listener,
 *   handler: (request, response) => response.end('from the enclave'),
 * })
 * listener.listen({ port: 8443 })
 * process.once('SIGTERM', () => void server.close())
 * ```
 */
export async function serveAttested(options: ServeAttestedOptions): Promise<AttestedServer> {
  const settings = readServeOptions(options)
  const evidence = settings.getEvidence === undefined ? defaultEvidence() : undefined
  const getEvidence = settings.getEvidence ?? evidence?.getEvidence
  const gate = new EvidenceGate(getEvidence as NonNullable<typeof getEvidence>, settings.evidence)
  const keys = new SealedKeys(settings.keys)
  await keys.current()
  const sealed = new SealedEndpoint({
    ...{ gate, keys },
    inner: new InnerServer(settings.handler, settings.handlerTimeout, settings.maxResponseBytes),
    maxRequestBytes: settings.maxRequestBytes,
    maxConcurrent: settings.maxConcurrentSealed,
    allowedOrigins: settings.allowedOrigins,
  })
  const listener = route(settings, gate, sealed)
  const server = await createServer(settings, listener)
  const connections = new Connections(server, settings)
  let closing: Promise<void> | undefined
  const close = async (deadline: number): Promise<void> => {
    await connections.close(deadline)
    keys.close()
    await evidence?.close()
  }
  const end: AttestedServer['close'] = async ({ deadline } = {}) => {
    const left = integerOption('deadline', deadline, 10_000, 0, LONGEST_DEADLINE)
    await (closing ??= close(left))
  }
  return { server, close: end, [Symbol.asyncDispose]: end }
}

function route(
  { handler, transport }: ServeSettings,
  gate: EvidenceGate,
  sealed: SealedEndpoint,
): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    const [path = '', query = ''] = (request.url ?? '').split(/\?(.*)/s)
    if (path === SEALED_PATH) {
      publishServed('sealed', request, response)
      void sealed.answer(request, response, query)
    } else if (transport === 'sealed') {
      const message = 'TLS ends before the enclave here: only sealed requests are answered'
      refuse(request, response, new AttestedTlsError('ERR_ATTESTED_TLS_NOT_SEALED', message))
    } else if (path === ATTESTATION_PATH) {
      publishServed('attestation', request, response)
      void answerAttestation(gate, request, response, query)
    } else handler(request, response)
  }
}

async function createServer(
  settings: ServeSettings,
  listener: RequestListener,
): Promise<HttpsServer | HttpServer> {
  const { headersTimeout, requestTimeout, keepAliveTimeout, handshakeTimeout } = settings
  const http = {
    headersTimeout: Math.min(headersTimeout, requestTimeout),
    ...{ requestTimeout, keepAliveTimeout },
    connectionsCheckingInterval: Math.max(100, Math.min(5000, headersTimeout / 2)),
  }
  if (settings.transport === 'sealed') return createHttpServer(http, listener)
  const made =
    settings.attachable === undefined ? (settings.key ?? (await makeTlsKey(settings.curve))) : {}
  const server = createHttpsServer(
    {
      ...http,
      ...made,
      handshakeTimeout,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      secureOptions: constants.SSL_OP_NO_TICKET,
    },
    listener,
  )
  server.on('secureConnection', (socket: TLSSocket) => setChannel(socket, 'tls'))
  await settings.attachable?.attach(server)
  return server
}

/** The connections of a server that does not listen itself. */
class Connections {
  readonly #server: HttpsServer | HttpServer
  readonly #settings: ServeSettings
  readonly #open = new Set<Socket>()
  readonly #hand: (socket: Socket) => void

  constructor(server: HttpsServer | HttpServer, settings: ServeSettings) {
    this.#server = server
    this.#settings = settings
    this.#hand = (socket) => server.emit('connection', socket)
    settings.listener?.on('connection', this.#hand)
    server.prependListener('connection', (socket: Socket) => this.#admit(socket))
    // Node begins to look at the deadlines of a server's connections when it listens; this one's listener does.
    server.emit('listening')
  }

  #admit(socket: Socket): void {
    // An end that nobody listens for yet, or any more, must not end the process.
    socket.on('error', () => undefined)
    if (this.#open.size >= this.#settings.maxConnections) {
      socket.destroy()
      return
    }
    // What node:https does for those that it accepts; a stream of another kind has no such method.
    if (typeof socket.setNoDelay === 'function') socket.setNoDelay(true)
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
  }

  async close(deadline: number): Promise<void> {
    const { listener } = this.#settings
    listener?.off('connection', this.#hand)
    if (listener?.listening === true) listener.close()
    this.#server.prependListener('connection', (socket: Socket) => socket.destroy())
    // Ends what is idle, and the look at deadlines. It says that it did not listen.
    this.#server.close(() => undefined)
    const until = performance.now() + deadline
    while (this.#open.size > 0 && performance.now() < until) {
      this.#server.closeIdleConnections()
      await new Promise((resolve) => setTimeout(resolve, Math.min(20, until - performance.now())))
    }
    for (const socket of this.#open) socket.destroy()
  }
}
