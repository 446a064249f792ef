// browser.d.ts

export { A as AttestedTlsError, a as AttestedTlsErrorCode } from './error.js';
import { AppraisalPolicyOptions, AttestationResult } from '@enclavejs/attestation';

/**
 * Options of `createSealedFetch`: a policy, as `createVerifier` of `@enclavejs/attestation` takes it, and what follows. Unknown names
 * are refused. Times are milliseconds.
 */
interface SealedFetchOptions extends AppraisalPolicyOptions {
    /** The origin of the enclave's server, as `https://enclave.example`. */
    readonly url: string | URL;
    /** How long a key serves after its document was verified: 1000 to 3600000. Default 900000; an enclave keeps keys for an hour at least. */
    readonly reattestAfter?: number;
    /** For one call with all that it needs. Default 30000. */
    readonly timeout?: number;
    /** The most bytes of a request: 1 KiB to 64 MiB. Default 1 MiB, as the server's. */
    readonly maxRequestBytes?: number;
    /** The most bytes of a response: 1 KiB to 64 MiB. Default 4 MiB, as the server's. */
    readonly maxResponseBytes?: number;
    /** Judges what was verified, beyond the policy. What it throws refuses the key. Called for each document. */
    readonly onAttested?: (result: AttestationResult) => void | Promise<void>;
    /** What carries the sealed messages; it is trusted with nothing else. Default `globalThis.fetch`. */
    readonly fetch?: typeof globalThis.fetch;
}

/**
 * Sends one request, sealed, and opens the answer.
 *
 * @param input a path (`/account?id=1`), or a URL of the enclave's origin. Others are a `TypeError`.
 * @param init as of `fetch`: method, headers, body and signal. Everything else has no effect.
 */
type SealedFetch = (input: string | URL, init?: RequestInit) => Promise<Response>;
/**
 * Makes a `fetch` whose requests only an enclave of the policy can read, and whose responses only it can have written: for pages, which
 * cannot see who ends their TLS. It asks the enclave for a document with a nonce of its own, verifies it, and seals each
 * request to the HPKE key in it. Whoever carries the messages sees their size and time, and can drop them; it can read, alter,
 * repeat or exchange none.
 *
 * It is worth as much as the page that runs it: one that the parent instance delivers can be any page. Redirects and cookies are not
 * followed or kept. A request is refused as a whole with `ERR_ATTESTED_TLS_SEALED_REFUSED` when its key is not known (any more), and
 * only GET, HEAD and OPTIONS are then sent once more under a new key: that it was not acted on is what the carrier says.
 *
 * It rejects with an {@link AttestedTlsError}; an answer of the application, whatever its status, is a `Response`.
 *
 * @throws {TypeError | RangeError} for options that are unsafe, wrong or unknown.
 *
 * @example
 * ```ts
 * import { createSealedFetch } from '@enclavejs/attested-tls/browser'
 *
 * const sealedFetch = createSealedFetch({
 *   url: 'https://enclave.example',
 *   referenceValues: { pcrs: { 0: 'a0'.repeat(48), 1: 'a1'.repeat(48), 2: 'a2'.repeat(48) } },
 * })
 * export async function save(secret: string): Promise<boolean> {
 *   const response = await sealedFetch('/secrets', { method: 'POST', body: secret })
 *   return response.ok
 * }
 * ```
 */
declare function createSealedFetch(options: SealedFetchOptions): SealedFetch;

export { createSealedFetch };
export type { SealedFetch, SealedFetchOptions };

// client.d.ts

import { ClientRequest } from 'node:http';
import { Agent, AgentOptions } from 'node:https';
import { Duplex } from 'node:stream';
import { AppraisalPolicyOptions, AttestationResult } from '@enclavejs/attestation';
import { Dispatcher } from 'undici';
export { A as AttestedTlsError, a as AttestedTlsErrorCode } from './error.js';

/** Opens a byte stream. What carries the bytes is trusted with nothing else. */
type Connect = (host: string, port: number, options: {
    readonly signal?: AbortSignal;
}) => Promise<Duplex>;
/** The other end, as the URL names it. */
interface AttestedPeer {
    readonly host: string;
    readonly port: number;
}
/**
 * Options of attested clients in Node: a policy, as `createVerifier` takes it, and what follows. Unknown names are refused. Times
 * are milliseconds.
 */
interface AttestedClientOptions extends AppraisalPolicyOptions {
    /** How streams are opened. Default: TCP. On a parent: `connect` of `@enclavejs/vsock`. */
    readonly connect?: Connect;
    /**
     * Asks for a certificate of the URL's host under a public CA as well, or under the given ones (PEM): for certificates of ACM. It
     * is never instead of the document: a CA says who has a name, not what code has a key. Default false.
     */
    readonly webPki?: boolean | {
        readonly ca: readonly string[];
    };
    /**
     * How long a connection takes new requests, from 1000 to 3600000; then the next request opens, and attests, another one. A request
     * that is under way then may end, for as long again. Default 3600000.
     */
    readonly reattestAfter?: number;
    /**
     * Judges what was verified, beyond the policy: compares `pcrs`, logs `moduleId`. What it throws refuses the connection. It is
     * called for each connection, before the first request.
     */
    readonly onAttested?: (result: AttestationResult, peer: AttestedPeer) => void | Promise<void>;
    /** For the stream. Default 10000. */
    readonly connectTimeout?: number;
    /** For the TLS handshake. Default 10000. */
    readonly handshakeTimeout?: number;
    /** For the document to arrive, to be verified and judged. Default 10000. */
    readonly attestationTimeout?: number;
}

/** Options of {@link AttestedAgent}: those of attested clients, and some of `https.Agent`. */
interface AttestedAgentOptions extends AttestedClientOptions, Pick<AgentOptions, 'maxSockets' | 'maxFreeSockets' | 'timeout'> {
}
/**
 * An agent of node:https whose connections all end in an enclave of the policy, as those of
 * {@link createAttestedDispatcher} do. Connections are kept for further requests. Options of a request that concern TLS
 * (`ca`, `rejectUnauthorized`, `servername`, …) have no effect.
 *
 * @example
 * ```ts
 * import { get } from 'node:https'
 * import { AttestedAgent } from '@enclavejs/attested-tls/client'
 *
 * export function status(pcrs: { 0: string; 1: string; 2: string }): void {
 *   const agent = new AttestedAgent({ referenceValues: { pcrs } })
 *   get('https://enclave.example/status', { agent }, (response) => response.pipe(process.stdout))
 * }
 * ```
 */
declare class AttestedAgent extends Agent {
    #private;
    /** @throws {TypeError | RangeError} for options that are unsafe, wrong or unknown. */
    constructor(options: AttestedAgentOptions);
    createConnection(options: {
        readonly host?: string | null;
        readonly port?: number | string | null;
    }, callback?: (error: Error | null, stream: Duplex) => void): Duplex | null | undefined;
    /** Keeps a connection while it is young enough; idle, it ends when it no longer is. */
    keepSocketAlive(socket: Duplex): boolean;
    /** A kept connection is taken for another request: it is young enough, or it would have ended. */
    reuseSocket(socket: Duplex, request: ClientRequest): void;
    /** Ends all connections, those that are being made too. */
    destroy(): void;
}

/** `fetch` whose connections are attested, and their end. */
interface AttestedFetch extends AsyncDisposable {
    /**
     * As the platform's, for `https:` URLs; the `Response` is one of undici's. Redirects to another host are attested there, under
     * the same policy.
     */
    (input: string | URL, init?: RequestInit): Promise<Response>;
    /** Waits for requests under way, then closes all connections. */
    close(): Promise<void>;
}
/**
 * A dispatcher of undici whose connections all end in an enclave of the policy. Each connection is attested on itself before its
 * first request: a nonce of its own, the document verified, its `public_key` compared with the key of the connection's
 * certificate, its `user_data` with the connection's channel binding. Where any of it fails, nothing of the application has been
 * sent, and the request fails with an {@link AttestedTlsError}.
 *
 * Names and issuers of certificates are not looked at, unless `webPki` asks for it: whoever runs the parent instance may well
 * have a certificate for the name. It is for undici's own `fetch` and `request`; the `fetch` of Node 22 and 24 takes only
 * dispatchers of its own version: see {@link createAttestedFetch}.
 *
 * @throws {TypeError | RangeError} for options that are unsafe, wrong or unknown.
 *
 * @example
 * ```ts
 * import { createAttestedDispatcher } from '@enclavejs/attested-tls/client'
 * import { request } from 'undici'
 *
 * export async function status(pcrs: { 0: string; 1: string; 2: string }): Promise<string> {
 *   const dispatcher = createAttestedDispatcher({ referenceValues: { pcrs } })
 *   const { body } = await request('https://enclave.example/status', { dispatcher })
 *   return body.text()
 * }
 * ```
 */
declare function createAttestedDispatcher(options: AttestedClientOptions): Dispatcher;
/**
 * `fetch` over {@link createAttestedDispatcher}. A refusal is the `cause` of the `TypeError` that `fetch` rejects with.
 *
 * @throws {TypeError | RangeError} for options that are unsafe, wrong or unknown.
 *
 * @example
 * ```ts
 * import { createAttestedFetch } from '@enclavejs/attested-tls/client'
 *
 * export async function status(pcrs: { 0: string; 1: string; 2: string }): Promise<string> {
 *   await using fetch = createAttestedFetch({ referenceValues: { pcrs } })
 *   const response = await fetch('https://enclave.example/status')
 *   return response.text()
 * }
 * ```
 */
declare function createAttestedFetch(options: AttestedClientOptions): AttestedFetch;

/** A message on the diagnostics channel `enclavejs:attested-tls:connection`, after each connection of a client was attested or refused. */
interface AttestedConnectionEvent extends AttestedPeer {
    /** Milliseconds from dialing to the end of the attestation. */
    readonly duration: number;
    /** The code of the refusal; absent where the connection was attested. */
    readonly code?: string;
}

export { AttestedAgent, createAttestedDispatcher, createAttestedFetch };
export type { AttestedAgentOptions, AttestedClientOptions, AttestedConnectionEvent, AttestedFetch, AttestedPeer, Connect };

// error.d.ts

/** Every code that an {@link AttestedTlsError}, or the answer of a server, can carry. */
type AttestedTlsErrorCode = 
/** No connection, or one that broke. */
'ERR_ATTESTED_TLS_CONNECTION'
/** A step took longer than its deadline. */
 | 'ERR_ATTESTED_TLS_DEADLINE'
/** What should be the answer with the document has not its form, or is too large. */
 | 'ERR_ATTESTED_TLS_RESPONSE'
/** Whoever answered gives no document now: busy, or an error of its own. Not authenticated. */
 | 'ERR_ATTESTED_TLS_UNAVAILABLE'
/** The document is refused; `cause` is the `AttestationError` that says by which rule. */
 | 'ERR_ATTESTED_TLS_EVIDENCE'
/** The document is genuine and was made for another purpose, or for none. */
 | 'ERR_ATTESTED_TLS_PURPOSE'
/** `onAttested` refused the document; `cause` is what it threw. */
 | 'ERR_ATTESTED_TLS_REFUSED'
/** The client or server was closed. */
 | 'ERR_ATTESTED_TLS_CLOSED'
/** A URL with http: there is no TLS to attest. Nothing was sent. */
 | 'ERR_ATTESTED_TLS_PLAINTEXT'
/** The TLS handshake failed: no TLS 1.3, or no TLS at all. */
 | 'ERR_ATTESTED_TLS_HANDSHAKE'
/** The certificate fails the additional check that `webPki` asks for. */
 | 'ERR_ATTESTED_TLS_CERTIFICATE'
/** The key of the connection is not the one in the document: somebody ends TLS in the middle. */
 | 'ERR_ATTESTED_TLS_KEY'
/** The document was made on another connection than this one. */
 | 'ERR_ATTESTED_TLS_CHANNEL_BINDING'
/** `public_key` of the document is no P-256 key. */
 | 'ERR_ATTESTED_TLS_SEALED_KEY'
/** The answer to a sealed request says that it was not opened, or is no sealed response. Not authenticated. */
 | 'ERR_ATTESTED_TLS_SEALED_REFUSED'
/** The sealed response does not open: altered, or the answer to another request. */
 | 'ERR_ATTESTED_TLS_SEALED_RESPONSE'
/** A request or a response is larger than the option allows. */
 | 'ERR_ATTESTED_TLS_SEALED_SIZE'
/** The message inside is no binary HTTP (RFC 9292), or one that is not taken. */
 | 'ERR_ATTESTED_TLS_BINARY_HTTP'
/** The nonce is absent, not base64url, or not 16 to 512 bytes. */
 | 'ERR_ATTESTED_TLS_NONCE'
/** A method or a media type that the resource does not take. */
 | 'ERR_ATTESTED_TLS_METHOD'
/** Only sealed requests are answered on this listener. */
 | 'ERR_ATTESTED_TLS_NOT_SEALED'
/** More requests at once, or in a second, than the server allows. */
 | 'ERR_ATTESTED_TLS_BUSY'
/** `getEvidence` failed, took too long, or gave something that is no document. */
 | 'ERR_ATTESTED_TLS_EVIDENCE_SOURCE'
/** A sealed request is not one of RFC 9458, or does not open. */
 | 'ERR_ATTESTED_TLS_SEALED_REQUEST'
/** A sealed request is for a key that this server does not have (any more). */
 | 'ERR_ATTESTED_TLS_SEALED_KEY_UNKNOWN'
/** A sealed request was taken before. */
 | 'ERR_ATTESTED_TLS_SEALED_REPLAY'
/** The handler gave no answer that fits, in time; the client reads it, sealed, as status 502 or 504. */
 | 'ERR_ATTESTED_TLS_HANDLER'
/** A package that a default needs is not installed. */
 | 'ERR_ATTESTED_TLS_PACKAGE';
/** Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`). */
declare class AttestedTlsError extends Error {
    readonly code: AttestedTlsErrorCode;
    constructor(code: AttestedTlsErrorCode, message: string, details?: {
        readonly cause?: unknown;
    });
}

export { AttestedTlsError as A };
export type { AttestedTlsErrorCode as a };

// index.d.ts

export { A as AttestedTlsError, a as AttestedTlsErrorCode } from './error.js';

/** Where the enclave answers a nonce with a document over its TLS key. */
declare const ATTESTATION_PATH = "/.well-known/enclavejs/attestation";
/** Where the enclave answers a nonce with a document over its HPKE key, and takes sealed requests. */
declare const SEALED_PATH = "/.well-known/enclavejs/sealed";
/**
 * What `user_data` of a document over a TLS key begins with; a zero byte and the 32 bytes of the connection's `tls-exporter`
 * channel binding (RFC 9266) follow.
 */
declare const TLS_PURPOSE = "enclavejs:attested-tls:v1";
/**
 * What `user_data` of a document over an HPKE key is. The label stands for the whole suite: DHKEM(P-256, HKDF-SHA256),
 * HKDF-SHA256, AES-128-GCM, and the messages of RFC 9458 around those of RFC 9292.
 */
declare const SEALED_HTTP_PURPOSE = "enclavejs:sealed-http:v1";

export { ATTESTATION_PATH, SEALED_HTTP_PURPOSE, SEALED_PATH, TLS_PURPOSE };

// server.d.ts

export { A as AttestedTlsError, a as AttestedTlsErrorCode } from './error.js';
import { IncomingMessage, RequestListener, Server as Server$2 } from 'node:http';
import { Server } from 'node:https';
import { Server as Server$1 } from 'node:net';

/** Asks the Attester for Evidence: `attestation` of `@enclavejs/nsm` is one. */
type GetEvidence = (input: {
    readonly publicKey: Uint8Array;
    readonly nonce: Uint8Array;
    readonly userData: Uint8Array;
}) => Promise<Uint8Array>;

/**
 * Over which attested channel a request came: a TLS connection that ends in this process, or sealed to its HPKE key. Undefined
 * for requests of another server.
 */
declare function channelOf(request: IncomingMessage): 'tls' | 'sealed' | undefined;

/** A curve of TLS 1.3 certificates. */
type TlsCurve = 'P-256' | 'P-384';

/** A key and certificates, PEM, from elsewhere. Whoever else has the key is trusted with what the connection carries. */
interface GivenCertificate {
    readonly key: string | Uint8Array;
    readonly cert: string | Uint8Array;
}
/** A certificate that gives itself to a server and renews itself there: `AcmCertificate` of `@enclavejs/acm-enclave`. */
interface AttachableCertificate {
    attach(server: Server): Promise<void>;
}
/** Options of `serveAttested`. Unknown names are refused. Times are milliseconds. */
interface ServeAttestedOptions {
    /** What answers: the application's handler, as `http.createServer` takes it, Express and Fastify included. */
    readonly handler: RequestListener;
    /**
     * Whose connections are served: `createServer()` of `@enclavejs/vsock`, or any `net.Server`. It is the caller who makes it
     * listen. Without one, connections come by `server.emit('connection', socket)`, as `acceptProxied` of acm-enclave does.
     */
    readonly listener?: Server$1;
    /**
     * `tls`: HTTPS that ends in this process, and sealed requests inside it. `sealed`: TLS ends before the enclave (a load
     * balancer, a CDN), what arrives is plain HTTP, and nothing but sealed requests is answered. Default `tls`.
     */
    readonly transport?: 'tls' | 'sealed';
    /** The certificate of TLS. Default: a new key, and a certificate that it signs itself. */
    readonly certificate?: GivenCertificate | AttachableCertificate;
    /** The curve of the key that is made. Default `P-256`. */
    readonly curve?: TlsCurve;
    /** Default: the NSM of this enclave, through `@enclavejs/nsm`. */
    readonly getEvidence?: GetEvidence;
    /** Documents at once, 1 to 64; further 64 requests wait. Default 4: the NSM answers one after another. */
    readonly maxConcurrentEvidence?: number;
    /** Documents a second, over all clients: 1 to 10000. Default 100. Above it 503 is answered. */
    readonly maxEvidencePerSecond?: number;
    /** For one document, waiting included. Default 10000. */
    readonly evidenceTimeout?: number;
    /** Connections at once: 1 to 100000. Default 1000. One too many is closed at once. */
    readonly maxConnections?: number;
    /** For the TLS handshake. Default 10000. */
    readonly handshakeTimeout?: number;
    /** For the head of a request to arrive. Default 10000. */
    readonly headersTimeout?: number;
    /** For a whole request to arrive. Default 60000. */
    readonly requestTimeout?: number;
    /** How long a connection may be idle between requests. Default 60000. Each new one costs its client a document. */
    readonly keepAliveTimeout?: number;
    /** For the handler to answer a sealed request. Default 30000. */
    readonly handlerTimeout?: number;
    /** The most bytes of a sealed request: 1 KiB to 64 MiB. Default 1 MiB. */
    readonly maxRequestBytes?: number;
    /** The most bytes of the answer to a sealed request: 1 KiB to 64 MiB. Default 4 MiB. */
    readonly maxResponseBytes?: number;
    /** Sealed requests under way at once: 1 to 10000. Default 64. Together they hold the two bounds above, each. */
    readonly maxConcurrentSealed?: number;
    /** When a new HPKE key is published; the one before opens requests for as long again. 60000 to a day, default an hour. */
    readonly rotateKeyAfter?: number;
    /** Sealed requests to one HPKE key: 100 to 1000000. Default 100000, about 12 MB, because each is remembered against replay. */
    readonly maxRequestsPerKey?: number;
    /** Origins of the pages that may send sealed requests, as `https://app.example`. Default: all. */
    readonly allowedOrigins?: readonly string[];
}

/** A server of {@link serveAttested}. */
interface AttestedServer extends AsyncDisposable {
    /**
     * The server of node:https (of node:http with `transport: 'sealed'`) behind the listener: for the event `upgrade`, and for
     * connections that come another way, by `emit('connection', socket)`.
     */
    readonly server: Server | Server$2;
    /**
     * Takes no more connections, lets those that are busy end, and cuts off what is left. The listener is closed too. Any number of times.
     *
     * @param options.deadline milliseconds, 0 to 600000. Default 10000.
     */
    close(options?: {
        readonly deadline?: number;
    }): Promise<void>;
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
declare function serveAttested(options: ServeAttestedOptions): Promise<AttestedServer>;

/**
 * A message on the diagnostics channel `enclavejs:attested-tls:served`, after each answer of a server under
 * `/.well-known/enclavejs/`. Nothing of what was sealed is in it.
 */
interface AttestedServedEvent {
    /** A document over the TLS key; a document over the HPKE key, or a sealed request. */
    readonly resource: 'attestation' | 'sealed';
    readonly method: string;
    /** Of the answer on the wire: what a sealed answer says inside is not told. */
    readonly status: number;
    /** Milliseconds from the head of the request to the end of the answer, or of the connection. */
    readonly duration: number;
    /** Whether the answer was sent to its end. */
    readonly complete: boolean;
}

export { channelOf, serveAttested };
export type { AttachableCertificate, AttestedServedEvent, AttestedServer, GetEvidence, GivenCertificate, ServeAttestedOptions };
