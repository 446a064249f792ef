// error.d.ts

/** Every code a {@link VsockError} can carry. */
type VsockErrorCode = 
/** The native addon is missing or does not load: no Linux, or an architecture without a prebuilt addon. */
'ERR_VSOCK_BINDING'
/** A worker of node:cluster, whose primary process would have to listen, and has no AF_VSOCK. */
 | 'ERR_VSOCK_CLUSTER'
/** A simulator is registered where real AF_VSOCK or `/dev/nsm` exists. */
 | 'ERR_VSOCK_SIMULATOR_CONFLICT'
/** What is registered as the simulator does not have the form of one. */
 | 'ERR_VSOCK_SIMULATOR_INVALID'
/** A message is longer than `maxMessageLength`, by the length that was announced. */
 | 'ERR_VSOCK_FRAME_TOO_LARGE'
/** The stream ended inside a message. */
 | 'ERR_VSOCK_FRAME_TRUNCATED'
/** The connection of a `MessageClient` could not be made, or ended before the answer; see `cause`. */
 | 'ERR_VSOCK_MESSAGE_CONNECTION'
/** The server answered with a code in place of a message; the error is a `MessageRemoteError`. */
 | 'ERR_VSOCK_MESSAGE_REMOTE'
/** What the server sent is no answer of the protocol. */
 | 'ERR_VSOCK_MESSAGE_RESPONSE'
/** No answer within the deadline. The server may have acted on the request. */
 | 'ERR_VSOCK_MESSAGE_DEADLINE'
/** Too many requests wait in the `MessageClient` (`maxQueued`). */
 | 'ERR_VSOCK_MESSAGE_BUSY'
/** The `MessageClient` was closed. */
 | 'ERR_VSOCK_MESSAGE_CLOSED'
/** The other end of a connection for HTTPS did not finish the TLS handshake in time. */
 | 'ERR_VSOCK_TLS_TIMEOUT'
/** The parent did not answer the heartbeat. */
 | 'ERR_VSOCK_HEARTBEAT'
/** The PROXY protocol header of a connection is malformed, too long, late or missing. */
 | 'ERR_VSOCK_PROXY_HEADER'
/** A configuration of the proxy, or AWS's allowlist, does not hold what it should. */
 | 'ERR_VSOCK_PROXY_CONFIG'
/** A destination of the proxy is not in AWS's allowlist, or a CONNECT asks for one that is not configured. */
 | 'ERR_VSOCK_PROXY_NOT_ALLOWED'
/** DNS gives a destination only addresses that may not be reached: private, loopback, link-local… */
 | 'ERR_VSOCK_PROXY_ADDRESS'
/** DNS gives a destination no address, and never gave one before. */
 | 'ERR_VSOCK_PROXY_DNS'
/** No address of a destination accepts a connection. */
 | 'ERR_VSOCK_PROXY_CONNECT'
/** DNS or connecting took longer than the proxy waits. */
 | 'ERR_VSOCK_PROXY_TIMEOUT'
/** The enclave's own list does not allow the host and port. Nothing was sent. */
 | 'ERR_VSOCK_EGRESS_NOT_ALLOWED'
/** The parent's proxy cannot be reached. */
 | 'ERR_VSOCK_EGRESS_DIAL'
/** The parent's proxy did not answer in time. */
 | 'ERR_VSOCK_EGRESS_TIMEOUT'
/** What the parent's proxy answered is not an answer to CONNECT. */
 | 'ERR_VSOCK_EGRESS_RESPONSE'
/** The parent's proxy does not allow the host, or found the request wrong: status 4xx. */
 | 'ERR_VSOCK_EGRESS_REFUSED'
/** The parent's proxy has too many connections: status 503. */
 | 'ERR_VSOCK_EGRESS_BUSY'
/** The parent's proxy cannot reach the host: every other status, as 502 and 504. */
 | 'ERR_VSOCK_EGRESS_UNREACHABLE'
/** What listens where a log should be is none. */
 | 'ERR_VSOCK_LOG_PROTOCOL'
/** A line of a log is longer than 8,192 bytes. */
 | 'ERR_VSOCK_LOG_LINE'
/** A log was not read in time. */
 | 'ERR_VSOCK_LOG_TIMEOUT';
/**
 * What goes wrong in this package, except failed system calls, which are system errors as Node makes
 * them (`ECONNRESET`, `ENODEV`), and the caller's own mistakes (`TypeError`, `RangeError`).
 */
declare class VsockError extends Error {
    readonly code: VsockErrorCode;
    constructor(code: VsockErrorCode, message: string, options?: {
        readonly cause?: unknown;
    });
}

export { VsockError as V };
export type { VsockErrorCode as a };

// index.d.ts

import { Socket, SocketConstructorOpts, Server, AddressInfo, ServerOpts } from 'node:net';
import { Duplex, Transform, TransformCallback } from 'node:stream';
import { V as VsockError } from './error.js';
export { a as VsockErrorCode } from './error.js';
import { Agent, AgentOptions } from 'node:http';
import { Agent as Agent$1, AgentOptions as AgentOptions$1 } from 'node:https';
import { ConnectionOptions } from 'node:tls';

/** Any CID: a listener takes connections to every local one (vsock(7)). */
declare const VMADDR_CID_ANY = 4294967295;
/** The hypervisor itself; nothing of this package uses it. */
declare const VMADDR_CID_HYPERVISOR = 0;
/** This machine, by loopback, where the kernel has the transport (`vsock_loopback`). */
declare const VMADDR_CID_LOCAL = 1;
/** The host of a virtual machine. On Nitro the parent is not at this CID but at {@link NITRO_PARENT_CID}. */
declare const VMADDR_CID_HOST = 2;
/** The kernel picks a free port above 1023. */
declare const VMADDR_PORT_ANY = 4294967295;
/** The parent instance of a Nitro Enclave, as the enclave sees it. Elsewhere (QEMU, Firecracker) it is `VMADDR_CID_HOST`. */
declare const NITRO_PARENT_CID = 3;
/** Both halves of an AF_VSOCK address: unsigned 32-bit integers. */
interface VsockAddress {
    readonly cid: number;
    readonly port: number;
}

/**
 * A `net.Socket` whose other end has an AF_VSOCK address. Everything that works on `net.Socket` works on it, except
 * `resetAndDestroy()`, `setKeepAlive()` and `setNoDelay()`, which AF_VSOCK does not have: the first throws as it does for
 * Unix sockets, the others do nothing.
 *
 * A reset by the other side after the connection is made arrives as an end, not as `ECONNRESET` (the kernel's choice):
 * an end proves nothing. Where a cut must be told from an end, use messages with a length (`FrameDecoder`, HTTP).
 * node:tls does not tell either: without the other side's close_notify it emits `end` all the same.
 *
 * `remoteCid` comes from the hypervisor; it tells the machine, never which process of it, and the parent of an enclave
 * can be any program there.
 */
declare class VsockSocket extends Socket {
    constructor(options?: SocketConstructorOpts);
    /** The CID of the other end; undefined until connected, and over a hybrid path. */
    get remoteCid(): number | undefined;
    /** The CID of this end; undefined until connected. */
    get localCid(): number | undefined;
    /** node:net's `connect` would open TCP: a connection over vsock is made by `createConnection`, and once. */
    connect(...values: readonly unknown[]): this;
    _destroy(error: Error | null, callback: (error?: Error | null) => void): void;
}

/** Where a connection goes and how. All of node:net's options for sockets apply too. */
interface VsockConnectionOptions extends Pick<SocketConstructorOpts, 'allowHalfOpen' | 'onread' | 'signal'> {
    /** The port: 0 to 4294967295. */
    readonly port: number;
    /**
     * The CID of the other machine. Left out, it is the parent of a Nitro Enclave, {@link NITRO_PARENT_CID} (3); in other
     * virtual machines the host is `VMADDR_CID_HOST` (2).
     */
    readonly cid?: number;
    /**
     * In place of a CID: the Unix socket of a virtual machine on this host (hybrid vsock of Firecracker, Cloud Hypervisor,
     * vhost-device-vsock). The connection goes to a port of that machine.
     */
    readonly path?: string;
    /** Milliseconds until `ETIMEDOUT`: 1 to 3,600,000. 2,000 unless given, as in the kernel. */
    readonly connectTimeout?: number;
    /**
     * Bytes that the other side may send before this one reads: 128 to 1 GiB. The kernel's (262,144) unless given. Kernels
     * since 2026 take the smaller of what both ends say, so that more than theirs needs both.
     */
    readonly bufferSize?: number;
    /**
     * VMADDR_FLAG_TO_HOST (Linux 5.11): on a parent that has `vhost_vsock` loaded, a CID above 2 is a local virtual machine
     * unless this is true, and an enclave is reached with it only. False unless given.
     */
    readonly toHost?: boolean;
    /** Milliseconds without traffic until the event `timeout`, as for node:net. None unless given. */
    readonly timeout?: number;
    /** As for streams. */
    readonly highWaterMark?: number;
}
/**
 * Opens a connection, as `net.createConnection` does: it returns at once, and `connect` or `error` follows. What is
 * written before waits. With the simulator registered the same call goes over its Unix sockets.
 *
 * Nothing is known about the other side by then but its CID: on a parent instance every program can answer.
 *
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @throws {VsockError} `ERR_VSOCK_BINDING`, `ERR_VSOCK_SIMULATOR_CONFLICT`, `ERR_VSOCK_SIMULATOR_INVALID`
 *
 * Failed system calls arrive as the event `error`: a {@link VsockSystemError} with `code` (`ECONNRESET` where nobody
 * listens, `ETIMEDOUT`, `ENODEV`), `cid` and `port`.
 *
 * @see vsock(7)
 * @example
 * ```ts
 * import { createConnection } from '@enclavejs/vsock'
 *
 * const socket = createConnection({ cid: 3, port: 5000 }, () => socket.end('hello'))
 * socket.on('error', (error) => console.error(error.message))
 * ```
 */
declare function createConnection(options: VsockConnectionOptions, connectListener?: () => void): VsockSocket;
/**
 * Opens a connection and waits until it is made. Aborting `signal` destroys it, before and after.
 *
 * @throws As {@link createConnection}; what arrives there as `error` before `connect` rejects here.
 * @example
 * ```ts
 * import { connect } from '@enclavejs/vsock'
 *
 * await using socket = await connect({ port: 5000, signal: AbortSignal.timeout(5000) })
 * socket.write('hello')
 * ```
 */
declare function connect(options: VsockConnectionOptions): Promise<VsockSocket>;

/** Opens a byte stream to a host of the outside world. */
type Connect = (host: string, port: number, options: {
    signal?: AbortSignal;
}) => Promise<Duplex>;
/** Where the parent's proxy listens: an address, or a function that opens a stream to it. */
type EgressDoor = Pick<VsockConnectionOptions, 'cid' | 'path' | 'port' | 'bufferSize' | 'toHost'> | ((options: {
    signal: AbortSignal;
}) => Promise<Duplex>);
/** Settings of {@link createEgress}. */
interface EgressOptions {
    /** The CONNECT door of the parent's proxy. */
    readonly connect: EgressDoor;
    /** The hosts and ports that this program may reach. Part of the image, so that a measurement covers it. */
    readonly allow: readonly {
        readonly host: string;
        readonly port: number;
    }[];
    /** Milliseconds until a stream is open, 1 to 600,000. 15,000 unless given: the proxy itself takes up to 10,000. */
    readonly timeout?: number;
}
/** Settings of {@link createPortEgress}. */
interface PortEgressOptions {
    /** The CID of the parent: 3 on Nitro, which is the default, 2 elsewhere. */
    readonly cid?: number;
    /** In place of a CID: the Unix socket of a virtual machine (hybrid vsock). */
    readonly path?: string;
    /** The vsock port of each destination: `{ 'kms.eu-west-1.amazonaws.com:443': 8000, '[fd00::1]:443': 8001 }`. */
    readonly ports: Readonly<Record<string, number>>;
    /** Milliseconds until a stream is open, 1 to 600,000. 5,000 unless given. */
    readonly timeout?: number;
}
/**
 * Reaches many hosts through one CONNECT door of the parent (`enclavejs proxy`, `startProxy`). The hosts are checked here
 * against `allow` before anything is sent, and by the parent against its own list again: a parent that is taken over can
 * connect the enclave to anything, so use TLS and check the certificate inside.
 *
 * The `Connect` that it returns rejects with {@link VsockError}: `ERR_VSOCK_EGRESS_NOT_ALLOWED`, `ERR_VSOCK_EGRESS_DIAL`,
 * `ERR_VSOCK_EGRESS_TIMEOUT`, `ERR_VSOCK_EGRESS_RESPONSE`, `ERR_VSOCK_EGRESS_REFUSED`, `ERR_VSOCK_EGRESS_BUSY`,
 * `ERR_VSOCK_EGRESS_UNREACHABLE`; with the reason of `signal` when it is aborted.
 *
 * @throws {TypeError | RangeError} A host, port or timeout is not as described, or an option is not known, be it of an
 * entry of `allow`.
 * @see RFC 9110 §9.3.6
 * @example
 * ```ts
 * import { connect as connectTls } from 'node:tls'
 * import { createEgress } from '@enclavejs/vsock'
 *
 * const egress = createEgress({
 *   connect: { cid: 3, port: 8001 },
 *   allow: [{ host: 'api.example.com', port: 443 }],
 * })
 * const socket = await egress('api.example.com', 443, {})
 * connectTls({ socket, servername: 'api.example.com' })
 * ```
 */
declare function createEgress(options: EgressOptions): Connect;
/**
 * Reaches each host through a vsock port of its own: one `outbound` entry of `enclavejs proxy` each, or one `vsock-proxy`
 * of AWS.
 *
 * The `Connect` that it returns rejects with {@link VsockError}: `ERR_VSOCK_EGRESS_NOT_ALLOWED` for what is not in
 * `ports`, `ERR_VSOCK_EGRESS_DIAL`, `ERR_VSOCK_EGRESS_TIMEOUT`; with the reason of `signal` when it is aborted. That the
 * parent reached the host is not known by then: if it cannot, the stream ends.
 *
 * @throws {TypeError | RangeError} A destination, CID, path, port or timeout is not as described, a destination is there
 * twice (`a.example:443` and `A.example.:443` are one), or an option is not known.
 * @example
 * ```ts
 * import { createPortEgress } from '@enclavejs/vsock'
 *
 * const egress = createPortEgress({ ports: { 'kms.eu-west-1.amazonaws.com:443': 8000 } })
 * ```
 */
declare function createPortEgress(options: PortEgressOptions): Connect;

/** The longest message that is taken unless told otherwise: 1 MiB. */
declare const DEFAULT_MAX_MESSAGE_LENGTH: number;
/** Options of {@link FrameEncoder} and {@link FrameDecoder}. */
interface FrameOptions {
    /** The longest message in bytes, without its header: 0 to 2147483647. 1048576 (1 MiB) unless given. */
    readonly maxMessageLength?: number;
}
/**
 * A message with its length before it, in one piece: 4 bytes big-endian, then the bytes of `parts` one after the other.
 * The parts are copied.
 *
 * @throws {TypeError} A part is no Uint8Array.
 */
declare function encodeFrame(...parts: readonly Uint8Array[]): Uint8Array;

/**
 * Bytes in, messages out: takes the 4-byte big-endian lengths off. Each message is a `Uint8Array` with memory of its
 * own; empty ones count. At most 4 messages wait for a reader, then the source is made to wait.
 *
 * A length above `maxMessageLength` is refused when it is read. Memory grows with the bytes that have come, not with what
 * was announced. The messages that came before a fault are read before the stream fails with it.
 *
 * The stream fails with a {@link VsockError}: `ERR_VSOCK_FRAME_TOO_LARGE`, or `ERR_VSOCK_FRAME_TRUNCATED` when the bytes end
 * inside a message. That they end between two messages proves nothing about the peer: on vsock one that dies looks the same.
 *
 * @example
 * ```ts
 * import { pipeline } from 'node:stream/promises'
 * import { connect, FrameDecoder } from '@enclavejs/vsock'
 *
 * const socket = await connect({ port: 5000 })
 * await pipeline(socket, new FrameDecoder(), async (messages: AsyncIterable<Uint8Array>) => {
 *   for await (const message of messages) console.log(message.length)
 * })
 * ```
 */
declare class FrameDecoder extends Transform {
    #private;
    /** @throws {TypeError | RangeError} An option is not as described, or is not known. */
    constructor(options?: FrameOptions);
    /** @internal */
    _transform(chunk: Uint8Array, _encoding: string, callback: TransformCallback): void;
    /** @internal */
    _flush(callback: TransformCallback): void;
    /** @internal */
    _read(size: number): void;
    /** As for any stream. */
    read(size?: number): ReturnType<Transform['read']>;
}

/**
 * Messages in, bytes out: puts the 4-byte big-endian length before each. A header and its message are one chunk, and so
 * are the small messages that are written in one tick, up to 16 KiB: vsock counts packets, and many small ones fill the
 * credit of a receiver before its bytes do.
 *
 * Messages are copied when the stream takes them; as for any stream, leave one alone until its `write` has called back.
 *
 * The stream fails with a {@link VsockError} `ERR_VSOCK_FRAME_TOO_LARGE` for a message above `maxMessageLength`, and with a
 * `TypeError` for one that is no `Uint8Array`. Nothing of that message is sent then.
 *
 * @example
 * ```ts
 * import { pipeline } from 'node:stream/promises'
 * import { connect, FrameEncoder } from '@enclavejs/vsock'
 *
 * const messages = [new TextEncoder().encode('one'), new TextEncoder().encode('two')]
 * await pipeline(messages, new FrameEncoder(), await connect({ port: 5000 }))
 * ```
 */
declare class FrameEncoder extends Transform {
    #private;
    /** @throws {TypeError | RangeError} An option is not as described, or is not known. */
    constructor(options?: FrameOptions);
    /** @internal */
    _transform(message: unknown, _encoding: string, callback: TransformCallback): void;
    /** @internal */
    _flush(callback: TransformCallback): void;
    /** @internal */
    _read(size: number): void;
}

/** Options of {@link sendHeartbeat}. */
interface HeartbeatOptions {
    /** The CID of the parent. {@link NITRO_PARENT_CID} (3) unless given. */
    readonly cid?: number;
    /** 9000 unless given. */
    readonly port?: number;
    /** Milliseconds for all of it: 1 to 2147483647. 10000 unless given. */
    readonly timeout?: number;
    /** Opens the connection. `connect` of this package unless given. */
    readonly connect?: (options: {
        readonly cid: number;
        readonly port: number;
        readonly signal: AbortSignal;
    }) => Promise<Duplex>;
}
/**
 * The heartbeat of Nitro's init: connects to the parent (CID 3, port 9000), writes the byte 0xB7, reads it back, and closes.
 * `nitro-cli run-enclave` waits for it and terminates an enclave that does not send it (its error E36). Send it once, early,
 * from the program that is the enclave's init; if another init starts your program, AWS's or that of `@enclavejs/eif`, it has
 * sent it already. QEMU's `nitro-enclave` machine wants none.
 *
 * That it is answered says that something listens on that port of the parent, no more.
 *
 * @throws {VsockError} `ERR_VSOCK_HEARTBEAT`: no connection, no answer within `timeout`, an end or another byte in its place;
 * `cause` is what the connection failed with
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @see aws-nitro-enclaves-sdk-bootstrap, init/init.c, `enclave_ready`
 * @example
 * ```ts
 * import { sendHeartbeat } from '@enclavejs/vsock'
 *
 * await sendHeartbeat({ timeout: 5000 })
 * ```
 */
declare function sendHeartbeat(options?: HeartbeatOptions): Promise<void>;

/**
 * An agent of node:http whose connections go to one vsock address, whatever the URL says: the URL's host is only the
 * `Host` header. Of its options, `timeout` is that of the sockets, as for `http.Agent`.
 *
 * @example
 * ```ts
 * import { get } from 'node:http'
 * import { VsockAgent } from '@enclavejs/vsock'
 *
 * const agent = new VsockAgent({ cid: 16, port: 8080 }, { keepAlive: true })
 * get('http://enclave/status', { agent }, (response) => response.pipe(process.stdout))
 * ```
 */
declare class VsockAgent extends Agent {
    #private;
    constructor(vsock: VsockConnectionOptions, options?: AgentOptions);
    createConnection(options?: Parameters<Agent['createConnection']>[0]): Duplex;
}
/**
 * An agent of node:https whose connections go to one vsock address (a proxy's, which passes bytes on), with TLS inside:
 * the certificate is verified against the URL's host, exactly as without vsock. Sessions are resumed as by
 * `https.Agent`, and `timeout` is that of the sockets. The handshake has 10 seconds: the request then fails with a
 * {@link VsockError} `ERR_VSOCK_TLS_TIMEOUT`. The AWS SDK v3 takes it as `httpsAgent` of its `NodeHttpHandler`.
 *
 * @example
 * ```ts
 * import { get } from 'node:https'
 * import { VsockTlsAgent } from '@enclavejs/vsock'
 *
 * const agent = new VsockTlsAgent({ port: 8000 }, { keepAlive: true, minVersion: 'TLSv1.3' })
 * get('https://kms.eu-west-1.amazonaws.com/', { agent }, (response) => response.resume())
 * ```
 */
declare class VsockTlsAgent extends Agent$1 {
    #private;
    constructor(vsock: VsockConnectionOptions, options?: AgentOptions$1);
    createConnection(options: Parameters<Agent$1['createConnection']>[0], callback?: Parameters<Agent$1['createConnection']>[1]): Duplex | null | undefined;
}
/** What undici's `connect` option is given and answers: its `buildConnector.connector`. */
type UndiciConnector = (options: {
    readonly hostname: string;
    readonly protocol: string;
    readonly servername?: string | undefined;
}, callback: (...result: [error: null, socket: Socket] | [error: Error, socket: null]) => void) => void;
/**
 * What undici's `Agent`, `Pool` and `Client` take as `connect`, and `fetch` through them: connections go to one vsock
 * address, and for `https:` URLs TLS runs inside, verified against the URL's host.
 *
 * @param tls Options of `tls.connect`. `servername` and `socket` are this function's. The handshake has 10 seconds, and fails
 * then with a {@link VsockError} `ERR_VSOCK_TLS_TIMEOUT`.
 * @example
 * ```ts
 * import { Agent, fetch } from 'undici'
 * import { vsockConnector } from '@enclavejs/vsock'
 *
 * const dispatcher = new Agent({ connect: vsockConnector({ port: 8000 }) })
 * const response = await fetch('https://kms.eu-west-1.amazonaws.com/', { dispatcher })
 * ```
 */
declare function vsockConnector(vsock: VsockConnectionOptions, tls?: Omit<ConnectionOptions, 'socket' | 'servername' | 'host' | 'port' | 'path'>): UndiciConnector;

/** Where a server listens and whom it takes. */
interface VsockListenOptions {
    /** The port: 0 to 4294967295. `VMADDR_PORT_ANY` lets the kernel pick; `address()` then tells. */
    readonly port: number;
    /** A local CID. `VMADDR_CID_ANY` unless given. */
    readonly cid?: number;
    /**
     * In place of a CID: the Unix socket of a virtual machine on this host (hybrid vsock). What the machine opens to
     * CID 2 and `port` arrives at the Unix socket `PATH_PORT`.
     */
    readonly path?: string;
    /**
     * Connections of other CIDs are closed before anything sees them. Everyone is taken unless given: in an enclave only
     * the parent can connect, while a parent must say which enclaves it means. The hypervisor vouches for the CID.
     */
    readonly allowedCids?: readonly number[];
    /** Connections that wait to be accepted: 1 to 65535. 4,096 unless given; a full queue answers `ECONNRESET`. */
    readonly backlog?: number;
    /**
     * Bytes that a peer may send before this side reads, for every accepted socket: 128 to 1 GiB. The kernel's unless given;
     * kernels since 2026 take the smaller of what both ends say.
     */
    readonly bufferSize?: number;
    /** Aborting it closes the server, as for node:net. */
    readonly signal?: AbortSignal;
}
/**
 * Makes a server of node:net, node:tls, node:http or node:https listen on AF_VSOCK, or, with the simulator registered,
 * on its Unix sockets. `listening` or `error` follows. The sockets of its event `connection` are {@link VsockSocket}.
 *
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @throws {VsockError} `ERR_VSOCK_BINDING`, `ERR_VSOCK_CLUSTER`, `ERR_VSOCK_SIMULATOR_CONFLICT`,
 * `ERR_VSOCK_SIMULATOR_INVALID`
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { listenVsock } from '@enclavejs/vsock'
 *
 * const server = createServer((request, response) => response.end('from the enclave'))
 * listenVsock(server, { port: 8080 })
 * ```
 */
declare function listenVsock<T extends Server>(server: T, options: VsockListenOptions, listeningListener?: () => void): T;

/**
 * This machine's CID: in an enclave the one that the parent connects to. `VMADDR_CID_ANY` where there is no transport.
 *
 * @throws {VsockSystemError} `ENOENT` (no `/dev/vsock`: the module vsock is not loaded), `EACCES`
 * @throws {VsockError} `ERR_VSOCK_BINDING`, `ERR_VSOCK_SIMULATOR_CONFLICT`, `ERR_VSOCK_SIMULATOR_INVALID`
 * @see vsock(7), IOCTL_VM_SOCKETS_GET_LOCAL_CID
 */
declare function getLocalCid(): number;

/** Options of `MessageClient.request`. */
interface MessageRequestOptions {
    /** Gives the request up. */
    readonly signal?: AbortSignal | undefined;
    /** Milliseconds, waiting and connecting included: 1 to 2147483647. That of the client unless given. */
    readonly deadline?: number | undefined;
}

/** Options of a {@link MessageClient}. Unknown names are refused. */
interface MessageClientOptions {
    /**
     * Opens a connection to the server, when the first request needs one and again after one has died. `signal` is aborted
     * after `connectTimeout` and when the client is closed.
     */
    readonly connect: (options: {
        readonly signal: AbortSignal;
    }) => Promise<Duplex>;
    /** The longest request, and the longest response, in bytes: 0 to 2147483647. 1048576 (1 MiB) unless given. */
    readonly maxMessageLength?: number;
    /** Requests sent and not answered, at most: 1 to 1024. 32 unless given. */
    readonly maxInFlight?: number;
    /** Requests that wait to be sent; the next is refused with `ERR_VSOCK_MESSAGE_BUSY`. 1 to 1000000. 1000 unless given. */
    readonly maxQueued?: number;
    /** Milliseconds for a request, waiting and connecting included: 1 to 2147483647. 30000 unless given. */
    readonly deadline?: number;
    /** Milliseconds for `connect`: 1 to 2147483647. 10000 unless given. */
    readonly connectTimeout?: number;
    /** Milliseconds without a request until the connection is ended. 30000 unless given, half of the server's. */
    readonly idleTimeout?: number;
}
/**
 * Sends requests to a {@link MessageServer} over one connection, several under way at a time, and gives each its response.
 * It connects when there is something to send, and again after a connection has died; it never sends a request twice.
 * Between requests its connection does not keep the process alive.
 *
 * @example
 * ```ts
 * import { connect, MessageClient } from '@enclavejs/vsock'
 *
 * await using client = new MessageClient({ connect: ({ signal }) => connect({ port: 5000, signal }) })
 * const response = await client.request(new TextEncoder().encode('question'), { deadline: 1000 })
 * console.log(new TextDecoder().decode(response))
 * ```
 */
declare class MessageClient implements AsyncDisposable {
    #private;
    /** @throws {TypeError | RangeError} An option is not as described, or is not known. */
    constructor(options: MessageClientOptions);
    /**
     * Sends a message and gives the response, in memory of its own. The message is copied before this returns.
     *
     * A request that meets its deadline or is aborted gives up its response, not its place: those behind it are answered as
     * if nothing had happened. Whether the server acted on it is not known, as with every error but `ERR_VSOCK_MESSAGE_BUSY`
     * and `ERR_VSOCK_MESSAGE_REMOTE`.
     *
     * @throws {VsockError} `ERR_VSOCK_MESSAGE_REMOTE` with `remoteCode` when the server answers with a code,
     * `ERR_VSOCK_MESSAGE_DEADLINE`, `ERR_VSOCK_MESSAGE_CONNECTION` with its `cause` (no connection, or it ended before the
     * response, or what came was no response), `ERR_VSOCK_MESSAGE_BUSY`, `ERR_VSOCK_MESSAGE_CLOSED`
     * @throws The reason of `signal` when it is aborted
     * @throws {TypeError | RangeError} `message` is no Uint8Array or longer than `maxMessageLength`, or an option is not as
     * described, or is not known.
     */
    request(message: Uint8Array, options?: MessageRequestOptions): Promise<Uint8Array>;
    /**
     * Takes no more requests, waits for those under way, and ends the connection. After `deadline` the rest is rejected with
     * `ERR_VSOCK_MESSAGE_CLOSED`. Never rejects; may be called any number of times.
     *
     * @param options.deadline - milliseconds, 0 to 2147483647. 10000 unless given.
     * @throws {TypeError | RangeError} `deadline` is no such number, or an option is not known.
     */
    close(options?: {
        readonly deadline?: number;
    }): Promise<void>;
    /** {@link MessageClient.close}, for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
}

/**
 * What a handler throws to tell the peer a code: this code and nothing else is sent. Whatever else a handler throws, the
 * peer sees `INTERNAL`.
 *
 * @example
 * ```ts
 * import { MessageError } from '@enclavejs/vsock'
 *
 * function handle(message: Uint8Array): Uint8Array {
 *   if (message.length !== 32) throw new MessageError('BAD_LENGTH')
 *   return message
 * }
 * ```
 */
declare class MessageError extends Error {
    readonly code: string;
    /**
     * @param code - 1 to 64 of `A`–`Z`, `0`–`9` and `_`, a letter first
     * @param message - for yourself; it is not sent. Default: the code
     * @throws {TypeError} The code is not of this form.
     */
    constructor(code: string, message?: string, options?: {
        readonly cause?: unknown;
    });
}
/** The server's answer is a code in place of a message: `ERR_VSOCK_MESSAGE_REMOTE`. */
declare class MessageRemoteError extends VsockError {
    /** The code: `INTERNAL`, `TIMEOUT`, `TOO_LARGE`, `TRUNCATED`, `BUSY`, or one that the handler chose. */
    readonly remoteCode: string;
    constructor(remoteCode: string);
}

/** A message on the diagnostics channel `enclavejs:vsock:message`, after each request to a server. Never holds payload. */
interface VsockMessageEvent {
    /** What the peer was told: `OK`, or the code. */
    readonly status: string;
    /** Bytes of the request; of one that did not arrive whole, as many as did, its header included. */
    readonly requestBytes: number;
    /** Bytes of the response with its frame. Absent when the connection was gone. */
    readonly responseBytes?: number;
    /** Milliseconds in the handler; 0 where it was not called. */
    readonly duration: number;
    /** The name of what the handler threw: `TypeError`. */
    readonly errorName?: string;
}

/** Who sent a request, as the socket says it. It does not authenticate a program. */
interface MessageRemote {
    /** On vsock. */
    readonly cid?: number;
    /** On vsock and TCP. */
    readonly port?: number;
    /** On TCP. */
    readonly address?: string;
}
/** What a handler is told beside the message. */
interface MessageContext {
    /** Aborted when the answer is of no use any more: after `handlerTimeout`, and when the connection is gone. */
    readonly signal: AbortSignal;
    readonly remote: MessageRemote;
    /** The connection, for what it knows of its peer (`getPeerCertificate()` of TLS). Do not read or write it. */
    readonly socket: Socket;
}
/**
 * Answers a request. The message is the handler's own. What it throws reaches the peer as a code: that of a
 * {@link MessageError}, `INTERNAL` otherwise.
 */
type MessageHandler = (message: Uint8Array, context: MessageContext) => Uint8Array | Promise<Uint8Array>;

/** Bounds of {@link serveMessages}: integers, times in milliseconds up to 2147483647. Unknown names are refused. */
interface MessageServerOptions {
    /** The longest request, and the longest response, in bytes: 0 to 2147483647. 1048576 (1 MiB) unless given. */
    readonly maxMessageLength?: number;
    /**
     * Connections at a time; the next is answered with `BUSY` and closed. 1000 unless given. At most 100 more are open to be
     * told so, and over TLS those whose handshake is under way are among these: what comes then is cut without a word.
     */
    readonly maxConnections?: number;
    /** Requests of one connection at work at a time; those behind are not read meanwhile. 32 unless given. */
    readonly maxInFlight?: number;
    /** Bytes of responses of one connection that wait for the peer before nothing more is read. 262144 unless given. */
    readonly highWaterMark?: number;
    /**
     * Bytes held for all connections together, in requests and responses. A connection that brings more is answered with
     * `BUSY` and closed. 134217728 (128 MiB) unless given; responses that handlers make can go above.
     */
    readonly maxHeldBytes?: number;
    /** From the first byte of a request to its last, waiting for this side not counted: then `TIMEOUT`. 30000 unless given. */
    readonly readTimeout?: number;
    /** Without a request, until the connection is ended. 60000 unless given. */
    readonly idleTimeout?: number;
    /** For the peer to take a response, until the connection is cut. 30000 unless given. */
    readonly writeTimeout?: number;
    /** For the handler, until the peer is told `TIMEOUT` and `signal` is aborted. 30000 unless given. */
    readonly handlerTimeout?: number;
}
/** Answers messages on the connections of a server. Made by {@link serveMessages}. */
declare class MessageServer implements AsyncDisposable {
    #private;
    /** Servers come from {@link serveMessages}. */
    constructor(server: Server, handler: MessageHandler, options?: MessageServerOptions);
    /** Connections that are served at present. */
    get connections(): number;
    /** Bytes held in requests and responses at present. */
    get heldBytes(): number;
    /**
     * Closes the server: it stops listening, finishes the requests that have begun to arrive, sends their responses, and ends
     * the connections. What is left after `deadline` is cut, and its handlers' signals are aborted. Resolves when no
     * connection of it is open. May be called any number of times; a later call may bring a shorter deadline.
     *
     * A peer whose request is not answered by then has its connection ended without an answer to it.
     *
     * @param options.deadline - milliseconds, 0 to 2147483647. 10000 unless given.
     * @throws {TypeError | RangeError} `deadline` is no such number, or an option is not known.
     */
    close(options?: {
        readonly deadline?: number;
    }): Promise<void>;
    /** {@link MessageServer.close}, for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
}
/**
 * Answers the messages that arrive on a server's connections: requests and responses with the 4-byte big-endian length
 * before each, in order, several under way at a time. Give it the server before it listens: of `@enclavejs/vsock`,
 * `node:net` or `node:tls`.
 *
 * On the wire a request is a frame that holds the message. A response is a frame whose first byte is 0, before the
 * message, or 1, before a code in ASCII: `INTERNAL` (the handler failed), `TIMEOUT`, `TOO_LARGE`, `TRUNCATED`, `BUSY`, or one
 * that the handler chose with a {@link MessageError}. Nothing else of an error is sent. After `TOO_LARGE`, `TRUNCATED`,
 * `BUSY` and the `TIMEOUT` of a request that does not arrive whole, the connection ends.
 *
 * The diagnostics channel `enclavejs:vsock:message` has a {@link VsockMessageEvent} for each request.
 *
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { createServer, serveMessages } from '@enclavejs/vsock'
 *
 * const server = createServer()
 * const messages = serveMessages(server, (message) => message.toReversed(), { maxMessageLength: 65_536 })
 * server.listen({ port: 5000 })
 * process.once('SIGTERM', () => void messages.close({ deadline: 5000 }))
 * ```
 */
declare function serveMessages(server: Server, handler: MessageHandler, options?: MessageServerOptions): MessageServer;

/** An address that a PROXY header claims. */
interface ClaimedAddress {
    /** An IP address as text: IPv6 in eight groups without abbreviation. */
    readonly address: string;
    readonly family: 4 | 6;
    readonly port: number;
}
/** What a PROXY header says. The parent wrote it, and the parent can write anything. */
interface ProxyHeader {
    /** `LOCAL`: the proxy itself connected, as for a health check, and no address is claimed. */
    readonly command: 'PROXY' | 'LOCAL';
    /** The client's address as the parent tells it. For logs and limits; never for access. */
    readonly claimedAddress: ClaimedAddress | undefined;
    /** Where the client connected to, as the parent tells it. */
    readonly claimedDestination: ClaimedAddress | undefined;
}
/** Settings of {@link readProxyHeader}. */
interface ReadProxyHeaderOptions {
    /** Milliseconds for the whole header, 1 to 60,000. 2,000 unless given: the parent writes it before anything else. */
    readonly timeout?: number;
}
/**
 * Reads the PROXY protocol v2 header that a connection must begin with, and leaves what follows in the socket, so that it
 * can be given to a server of node:http, node:https or node:tls by `emit('connection', socket)`. On a failure the socket
 * is destroyed.
 *
 * Strict: version 2, command LOCAL or PROXY, TCP over IPv4 or IPv6 (or none, where nothing is claimed), the length that
 * the family has, well-formed TLVs, a right CRC-32C where there is one, at most 536 bytes. Version 1 is refused.
 *
 * Proven is nothing: whoever can connect to the port can claim any address.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_HEADER`.
 * @throws {TypeError | RangeError} `timeout` is not within its bounds, or an option is not known.
 * @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt §2.2
 * @example
 * ```ts
 * import { createServer as createHttpServer } from 'node:http'
 * import { createServer, readProxyHeader } from '@enclavejs/vsock'
 *
 * const http = createHttpServer((request, response) => response.end('hello'))
 * const server = createServer(async (socket) => {
 *   try {
 *     const { claimedAddress } = await readProxyHeader(socket)
 *     console.log(claimedAddress?.address)
 *     http.emit('connection', socket)
 *   } catch {
 *     // The socket is destroyed.
 *   }
 * })
 * server.listen({ port: 8080 })
 * ```
 */
declare function readProxyHeader(socket: Duplex, options?: ReadProxyHeaderOptions): Promise<ProxyHeader>;

/** Where a server listens. `address` is the CID as text, so that it has the form of node:net's. */
interface VsockServerAddress extends AddressInfo {
    family: 'VSOCK';
    cid: number;
}
/** A `net.Server` that listens on AF_VSOCK. Made by {@link createServer}. */
declare class VsockServer extends Server {
    /** As {@link listenVsock}. Other forms of node:net's `listen` are a `TypeError`: they would open another door. */
    listen(options: VsockListenOptions, listeningListener?: () => void): this;
    listen(...values: readonly unknown[]): this;
    /** Null until it listens. */
    address(): VsockServerAddress | null;
}
/**
 * Makes a server, as `net.createServer` does. The sockets of its event `connection` are {@link VsockSocket}.
 *
 * @throws {TypeError} `options` has `allowedCids`, which is for {@link VsockServer.listen}.
 * @example
 * ```ts
 * import { createServer } from '@enclavejs/vsock'
 *
 * const server = createServer((socket) => socket.pipe(socket))
 * server.listen({ port: 5000 })
 * ```
 */
declare function createServer(options?: ServerOpts | ((socket: VsockSocket) => void), connectionListener?: (socket: VsockSocket) => void): VsockServer;

/** What a failed system call of this package looks like: as Node makes them, and with the address. */
interface VsockSystemError extends NodeJS.ErrnoException {
    /** `ECONNRESET`, `ETIMEDOUT`, `ENODEV`… */
    code: string;
    errno: number;
    syscall: string;
    cid?: number;
    port?: number;
    /** The Unix socket of a listener over hybrid vsock. */
    address?: string;
}

export { DEFAULT_MAX_MESSAGE_LENGTH, FrameDecoder, FrameEncoder, MessageClient, MessageError, MessageRemoteError, MessageServer, NITRO_PARENT_CID, VMADDR_CID_ANY, VMADDR_CID_HOST, VMADDR_CID_HYPERVISOR, VMADDR_CID_LOCAL, VMADDR_PORT_ANY, VsockAgent, VsockError, VsockServer, VsockSocket, VsockTlsAgent, connect, createConnection, createEgress, createPortEgress, createServer, encodeFrame, getLocalCid, listenVsock, readProxyHeader, sendHeartbeat, serveMessages, vsockConnector };
export type { ClaimedAddress, Connect, EgressDoor, EgressOptions, FrameOptions, HeartbeatOptions, MessageClientOptions, MessageContext, MessageHandler, MessageRemote, MessageRequestOptions, MessageServerOptions, PortEgressOptions, ProxyHeader, ReadProxyHeaderOptions, UndiciConnector, VsockAddress, VsockConnectionOptions, VsockListenOptions, VsockMessageEvent, VsockServerAddress, VsockSystemError };

// log.d.ts

import { Duplex } from 'node:stream';

/** The vsock port of a log unless another is chosen. */
declare const LOG_PORT = 8006;
/** How much an event matters. */
type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** The value of a field. */
type LogValue = string | number | boolean;
/** What did not leave the enclave, counted since the log began. */
interface LogDrops {
    /** Lines that nobody had read when their place was needed. */
    readonly overflow: number;
    /** Lines above the rate. */
    readonly rate: number;
    /** Events, counters and gauges that are not declared; the whole line is dropped. */
    readonly name: number;
    /** Fields that are not declared. */
    readonly field: number;
    /** Fields of another type or outside of their bounds, and values of metrics that are no numbers. */
    readonly value: number;
}
interface Sent {
    /** Rises by one with each entry of a log; a jump is what was dropped, see `missing`. */
    readonly sequence: number;
    /** By the enclave's clock. */
    readonly time: Date;
    /** Entries that were dropped between the one before and this one, or that were there before this reader came. */
    readonly missing: number;
}
/** One entry of a log, as a parent reads it. Nothing of it is attested: it is what the other end of the connection says. */
type LogEntry = (Sent & {
    readonly type: 'event';
    readonly level: LogLevel;
    readonly event: string;
    readonly fields: Readonly<Record<string, LogValue>>;
}) | (Sent & {
    readonly type: 'counter' | 'gauge';
    readonly name: string;
    readonly value: number;
}) | (Sent & {
    readonly type: 'dropped';
    readonly drops: LogDrops;
})
/** The connection was made: which log this is (another after the program began anew). */
 | {
    readonly type: 'beginning';
    readonly id: string;
    readonly next: number;
}
/** A line that is no entry. What it holds is not repeated. */
 | {
    readonly type: 'malformed';
    readonly length: number;
};

/**
 * What a field may hold. There is no free text: a message, a name or an error's text would carry what the author did not
 * think of. A value of another type or outside of the bounds is dropped as a whole and not cut, since the beginning of a
 * secret is one too.
 */
type LogField = 
/** A whole number of `min` to `max`. */
{
    readonly type: 'integer';
    readonly min: number;
    readonly max: number;
}
/** A finite number of `min` to `max`. */
 | {
    readonly type: 'number';
    readonly min: number;
    readonly max: number;
} | {
    readonly type: 'boolean';
}
/** One of these words: 1 to 256 of them, each at most 64 printable ASCII characters. */
 | {
    readonly type: 'enum';
    readonly values: readonly string[];
}
/**
 * 1 to `maxLength` (at most 128) characters: `hex` digits in lower case, or the letters, digits, `.`, `_`, `:`, `/` and
 * `-` of a `token`. Whoever can choose the text can make the parent read it.
 */
 | {
    readonly type: 'hex' | 'token';
    readonly maxLength: number;
};

/**
 * One line for people. Whatever an enclave wrote, it is printable ASCII without control characters, so that no terminal can
 * be moved by it.
 *
 * @example
 * ```ts
 * import { formatLogEntry } from '@enclavejs/vsock/log'
 *
 * const line = formatLogEntry({
 *   ...{ type: 'event', sequence: 1, missing: 0, time: new Date(0) },
 *   ...{ level: 'info', event: 'request', fields: { status: 200 } },
 * })
 * if (line !== '1970-01-01T00:00:00.000Z info  request status=200') throw new Error(line)
 * ```
 */
declare function formatLogEntry(entry: LogEntry): string;

/** Settings of {@link createLog}. Unknown names are refused. */
interface LogOptions<Event extends string = string, Field extends string = string, Counter extends string = string, Gauge extends string = string> {
    /** The events that may leave, by name: a small letter, then at most 47 letters, digits, `.`, `_` and `-`. 1 to 256. */
    readonly events: readonly Event[];
    /** The fields that may leave, each with what it may hold. None unless given, at most 64. */
    readonly fields?: Readonly<Record<Field, LogField>>;
    /** Counters, which only rise. None unless given, at most 256. */
    readonly counters?: readonly Counter[];
    /** Gauges, which are set. None unless given, at most 256. */
    readonly gauges?: readonly Gauge[];
    /** The vsock port where the parent reads. {@link LOG_PORT} (8006) unless given. */
    readonly port?: number;
    /** Lines a second, 1 to 10,000; ten seconds' worth may come at once. 100 unless given. What is above is counted. */
    readonly rate?: number;
    /** Bytes of lines that are kept, 4,096 to 64 MiB. 1 MiB unless given. The oldest goes first. */
    readonly maxBytes?: number;
    /** Milliseconds between the lines of metrics that have changed, 100 to 3,600,000. 10,000 unless given. */
    readonly metricsInterval?: number;
    /** Default: the system's clock. */
    readonly now?: () => Date;
}
/** A log that leaves the enclave. None of its methods throws or waits, whatever it is given. */
interface Log<Event extends string = string, Field extends string = string, Counter extends string = string, Gauge extends string = string> extends AsyncDisposable {
    debug(event: Event, fields?: Readonly<Partial<Record<Field, LogValue>>>): void;
    info(event: Event, fields?: Readonly<Partial<Record<Field, LogValue>>>): void;
    warn(event: Event, fields?: Readonly<Partial<Record<Field, LogValue>>>): void;
    error(event: Event, fields?: Readonly<Partial<Record<Field, LogValue>>>): void;
    /** Adds to a counter: 1 unless given, not less than 0. */
    count(counter: Counter, by?: number): void;
    /** Sets a gauge. */
    set(gauge: Gauge, value: number): void;
    /** What was dropped so far. */
    readonly drops: LogDrops;
    /** Resolves when the parent can read; rejects with what `listenVsock` failed with. Not calling it loses nothing but that. */
    listening(): Promise<void>;
    /** Takes no more, gives readers what is there, and frees the port. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}
/**
 * Structured logs and metrics of a production enclave, which has no console: the program declares what may leave, and the
 * parent reads it at a vsock port (`enclavejs logs`, {@link readLog}). An event, counter or gauge that is not declared is dropped,
 * and so is each field that is not declared, of another type or outside of its bounds; all are counted. There is no free
 * text. The declaration is part of the program, so the image's measurement covers it.
 *
 * Nothing waits for the parent. The newest lines up to `maxBytes` are kept, read or not, for up to four readers at a time; what
 * went unread is counted. The parent sees when events happen and how often, and can drop what it reads: lines are numbered,
 * but neither signed nor encrypted.
 *
 * It does not keep the process alive. Where the port cannot be taken the log works and nobody reads it; `listening` tells.
 *
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { createLog } from '@enclavejs/vsock/log'
 *
 * const log = createLog({
 *   events: ['request', 'started'],
 *   fields: {
 *     status: { type: 'integer', min: 100, max: 599 },
 *     route: { type: 'enum', values: ['/', '/sign'] },
 *     milliseconds: { type: 'number', min: 0, max: 60_000 },
 *   },
 *   counters: ['requests'],
 *   gauges: ['sessions'],
 * })
 * log.info('request', { status: 200, route: '/sign', milliseconds: 1.7 })
 * log.count('requests')
 * log.set('sessions', 3)
 * await log.close()
 * ```
 */
declare function createLog<const Event extends string, const Field extends string = never, const Counter extends string = never, const Gauge extends string = never>(options: LogOptions<Event, Field, Counter, Gauge>): Log<Event, Field, Counter, Gauge>;

/** Settings of {@link readLog}. Unknown names are refused. */
interface ReadLogOptions {
    /** The CID of the enclave. It, `path` or `connect` is needed. */
    readonly cid?: number;
    /** In place of a CID: the Unix socket of a virtual machine (hybrid vsock). */
    readonly path?: string;
    /** {@link LOG_PORT} (8006) unless given. */
    readonly port?: number;
    /** Opens the connection, in place of an address. */
    readonly connect?: (options: {
        readonly signal: AbortSignal;
    }) => Promise<Duplex>;
    /** Goes on when everything that was there has been read, until the enclave ends the connection. False unless given. */
    readonly follow?: boolean;
    /** Milliseconds for connecting and the first line, and without `follow` for all of it: 1 to 600,000. 10,000 unless given. */
    readonly timeout?: number;
    /** Ends the reading; its reason is thrown. */
    readonly signal?: AbortSignal;
}
/**
 * Reads the log of an enclave that made one with `createLog`: the parent's side. The enclave is not trusted: a line is at
 * most 8,192 bytes, what is no entry is given as `malformed` without its content, and reading is at the caller's pace. Text in
 * fields may hold anything; print entries with `formatLogEntry` or as JSON with everything but ASCII escaped.
 *
 * The first entry is `beginning`. Entries come from the oldest that the enclave still has.
 *
 * @throws {VsockError} `ERR_VSOCK_LOG_PROTOCOL`: what listens there is no log; `ERR_VSOCK_LOG_LINE`: a line is too long;
 * `ERR_VSOCK_LOG_TIMEOUT`. What the connection failed with (`ECONNRESET` where nothing listens), and the reason of `signal`.
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { formatLogEntry, readLog } from '@enclavejs/vsock/log'
 *
 * for await (const entry of readLog({ cid: 16, follow: true })) console.log(formatLogEntry(entry))
 * ```
 */
declare function readLog(options: ReadLogOptions): AsyncGenerator<LogEntry, void, undefined>;

export { LOG_PORT, createLog, formatLogEntry, readLog };
export type { Log, LogDrops, LogEntry, LogField, LogLevel, LogOptions, LogValue, ReadLogOptions };

// proxy.d.ts

import { VsockErrorCode } from './index.js';

/** One line of AWS's `vsock-proxy.yaml`. */
interface AllowlistEntry {
    /** A DNS name or an IP address. No wildcards. */
    readonly address: string;
    /** 1 to 65535. */
    readonly port: number;
}
/**
 * Reads AWS's `vsock-proxy.yaml`: a map with the one key `allowlist`, a list of `{address, port}`. Every other key, a key
 * given twice, an alias, a port in quotes or a name that is none is refused: of a list that decides what an enclave
 * reaches nothing is guessed.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG`.
 * @example
 * ```ts
 * import { parseAllowlist } from '@enclavejs/vsock/proxy'
 *
 * const entries = parseAllowlist('allowlist:\n- {address: kms.eu-west-1.amazonaws.com, port: 443}\n')
 * ```
 */
declare function parseAllowlist(text: string): readonly AllowlistEntry[];

/** A host of the outside world that an enclave may reach. */
interface DestinationOptions {
    /** A DNS name, or an IP address, which allows just that address whatever it is. No wildcards. */
    readonly host: string;
    /** 1 to 65535. */
    readonly port: number;
    /**
     * Allows the name to resolve to private addresses as well (RFC 1918, 100.64.0.0/10, fc00::/7 without fd00:ec2::/32): VPC
     * endpoints do. False unless given, because whoever answers for the name could otherwise aim at the parent's network.
     */
    readonly allowPrivateAddresses?: boolean;
    /**
     * Allows the name to resolve to anything: loopback, link-local, multicast. With it whoever answers DNS for the name lets
     * the enclave reach services of the parent itself, and its instance metadata with the role's credentials.
     */
    readonly dangerouslyAllowAnyAddress?: boolean;
    /** Only addresses of this family. Both unless given. */
    readonly family?: 4 | 6;
}
/** Where the parent listens on vsock, and whom it takes. */
interface VsockListenerOptions {
    /** 0 to 4294967295. */
    readonly port: number;
    /** The CIDs of the enclaves that may connect. It or `anyCid` is needed, unless there is a `path`. */
    readonly allowedCids?: readonly number[];
    /** Takes every enclave of this instance, and every other local program that can open vsock. */
    readonly anyCid?: boolean;
    /** In place of CIDs: the Unix socket of one virtual machine (hybrid vsock). Listens on `PATH_PORT`. */
    readonly path?: string;
}
/** Limits of one listener. */
interface LimitOptions {
    /** What the listener is called in counters and events: 1 to 64 letters, digits, `.`, `_` and `-`. Made up unless given. */
    readonly name?: string;
    /** Connections at a time, 1 to 100,000; one more is closed at once. 1,000 unless given. */
    readonly maxConnections?: number;
    /** Milliseconds for DNS and connecting together, 1 to 600,000. 10,000 unless given. */
    readonly connectTimeout?: number;
    /** Milliseconds without a byte in either direction until both ends are closed, 1 to 86,400,000. 300,000 unless given. */
    readonly idleTimeout?: number;
}
/** A vsock port of the parent that leads to one host and port. */
interface OutboundOptions extends LimitOptions {
    readonly listen: VsockListenerOptions;
    readonly to: DestinationOptions;
}
/** A vsock port of the parent that leads to the hosts that are asked for by HTTP CONNECT, of those in `allow`. */
interface ConnectDoorOptions extends LimitOptions {
    readonly listen: VsockListenerOptions;
    readonly allow: readonly DestinationOptions[];
    /** Milliseconds for the whole head of the request, 1 to 60,000. 5,000 unless given. */
    readonly headTimeout?: number;
}
/** A TCP port of the parent that leads to a port of an enclave, for TLS that ends there. */
interface InboundOptions extends LimitOptions {
    /** `host` is an IP address of the parent: 127.0.0.1 unless given, `0.0.0.0` or `::` for everyone. */
    readonly listen: {
        readonly port: number;
        readonly host?: string;
    };
    /** The CID of the enclave, or the Unix socket of a virtual machine in its place. */
    readonly to: {
        readonly port: number;
        readonly cid?: number;
        readonly path?: string;
        /** VMADDR_FLAG_TO_HOST, for a parent that has `vhost_vsock` loaded. */
        readonly toHost?: boolean;
    };
    /** Tells the enclave who connects by PROXY protocol v2: it must then read it, see `readProxyHeader`. False unless given. */
    readonly proxyProtocol?: boolean;
}
/** Everything that one proxy does. */
interface ProxyOptions {
    readonly outbound?: readonly OutboundOptions[];
    readonly inbound?: readonly InboundOptions[];
    readonly connect?: readonly ConnectDoorOptions[];
    /** AWS's allowlist, see `parseAllowlist`. Where it is given, every destination must be in it too. */
    readonly allowlist?: readonly AllowlistEntry[];
    /** Counters as Prometheus reads them, at `http://HOST:PORT/metrics`. */
    readonly metrics?: {
        readonly port: number;
        /** A loopback address: 127.0.0.1 unless given. */
        readonly host?: string;
        /** Allows `host` to be any address. The counters tell what the enclave talks to, and nobody is asked who he is. */
        readonly unsafeAnyInterface?: boolean;
    };
}

/**
 * Reads the configuration of a proxy from YAML (or JSON) with the keys of {@link ProxyOptions}. What is not known, out of
 * bounds or contradictory is refused.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG`, with the place.
 * @example
 * ```ts
 * import { parseProxyConfig } from '@enclavejs/vsock/proxy'
 *
 * const options = parseProxyConfig(`
 * outbound:
 *   - listen: { port: 8000, allowedCids: [16] }
 *     to: { host: kms.eu-west-1.amazonaws.com, port: 443 }
 * `)
 * ```
 */
declare function parseProxyConfig(text: string): ProxyOptions;

/**
 * Why a connection was not served: too many are open, another CID, no CONNECT request, a host that is not allowed, or
 * accept(2) failed, as for want of descriptors.
 */
type RefusedReason = 'cap' | 'cid' | 'head' | 'not-allowed' | 'accept';
/** How a connection ended: both sides done, nothing sent for too long, one side broken, or cut at the end of a drain. */
type CloseReason = 'end' | 'idle' | 'error' | 'drain';
/**
 * A message on the diagnostics channel `enclavejs:vsock:proxy`. Names, sizes and durations in milliseconds; never a byte
 * that was sent.
 */
type ProxyEvent = 
/** A listener is ready; `port` is the one it got. */
{
    readonly type: 'listening';
    readonly listener: string;
    readonly port: number;
}
/** A connection was closed before anything was connected for it. */
 | {
    readonly type: 'refused';
    readonly listener: string;
    readonly reason: RefusedReason;
    /** HTTP status, on a CONNECT door. */
    readonly status?: number;
}
/** The other end could not be reached. */
 | {
    readonly type: 'failed';
    readonly listener: string;
    readonly destination: string;
    readonly code: VsockErrorCode | (string & {});
    readonly message: string;
    readonly duration: number;
}
/** Both ends are connected. */
 | {
    readonly type: 'open';
    readonly listener: string;
    readonly id: number;
    readonly destination: string;
    /** The IP address that was connected to; absent where the destination is an enclave. */
    readonly address?: string;
    /** Whether the address came from an answer of DNS whose TTL had passed. */
    readonly stale?: boolean;
    readonly duration: number;
}
/** A connection that was open has ended. */
 | {
    readonly type: 'close';
    readonly listener: string;
    readonly id: number;
    readonly reason: CloseReason;
    /** Of the end that broke. */
    readonly code?: string;
    /** From the side that connected, and to it. */
    readonly bytesUp: number;
    readonly bytesDown: number;
    readonly duration: number;
}
/** DNS was asked. After a failure the old answer is used, of `addresses` addresses. */
 | {
    readonly type: 'dns';
    readonly host: string;
    readonly result: 'answered' | 'failed';
    readonly addresses: number;
    /** Seconds. */
    readonly ttl?: number;
    readonly code?: string;
};

/** The addresses of a name, and for how long they hold. */
interface Resolution {
    /** IP addresses as text. */
    readonly addresses: readonly string[];
    /** Seconds. */
    readonly ttl: number;
}
/** Asks for the addresses of a DNS name. It rejects when there is no answer; no address is an answer as well. */
type ResolveHost = (host: string, options: {
    readonly signal: AbortSignal;
}) => Promise<Resolution>;

/** What a proxy takes from the world around it. */
interface ProxySurroundings {
    /** Asks for the addresses of a name, in place of the system's DNS. Its answers are judged like those. */
    readonly resolve?: ResolveHost;
}
/** One listener of a proxy. */
interface ProxyListener {
    readonly name: string;
    readonly kind: 'outbound' | 'inbound' | 'connect';
    /** The port that it listens on: the one that was asked for, or that it was given in place of 0. */
    readonly port: number;
    /** Connections that are open now. */
    readonly open: number;
}
/** A proxy that runs. */
interface VsockProxy extends AsyncDisposable {
    /** The listeners, in the order of the configuration: outbound, inbound, connect. */
    readonly listeners: readonly ProxyListener[];
    /** The TCP port of the Prometheus endpoint; undefined without one. */
    readonly metricsPort: number | undefined;
    /** The counters as Prometheus reads them (text format 0.0.4). */
    metrics(): string;
    /**
     * Takes no more connections, lets those that are open end, and cuts off what is left after `deadline` milliseconds
     * (30,000 unless given). Gives the number of connections that were cut off. A second call with a shorter deadline does
     * not wait for the first.
     *
     * @throws {TypeError | RangeError} `deadline` is not 0 to 86,400,000, or an option is not known.
     */
    close(options?: {
        readonly deadline?: number;
    }): Promise<{
        readonly cut: number;
    }>;
    /** Closes everything at once, as `close({ deadline: 0 })`. */
    [Symbol.asyncDispose](): Promise<void>;
}
/**
 * Starts the proxy of a parent instance: vsock ports that lead to allowed hosts (`outbound`, `connect`), TCP ports that
 * lead to an enclave (`inbound`). It carries bytes and reads none of them: end TLS in the enclave, and check the other
 * side's certificate there, because whoever holds the parent holds this proxy.
 *
 * What a name resolves to is judged at each connection: only public addresses are connected to, unless the destination
 * says otherwise. DNS that fails, a backend that dies and a full table of descriptors end connections, never the proxy.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG` when an option is unknown or out of bounds; `ERR_VSOCK_PROXY_NOT_ALLOWED`
 * when a destination is not in `allowlist`; `ERR_VSOCK_BINDING` without AF_VSOCK. A system error (`EADDRINUSE`) when a
 * port cannot be taken; then nothing listens.
 * @throws {TypeError} `surroundings` has a name that is not known.
 * @example
 * ```ts
 * import { startProxy } from '@enclavejs/vsock/proxy'
 *
 * const proxy = await startProxy({
 *   outbound: [
 *     {
 *       listen: { port: 8000, allowedCids: [16] },
 *       to: { host: 'kms.eu-west-1.amazonaws.com', port: 443 },
 *     },
 *   ],
 *   inbound: [{ listen: { port: 443, host: '0.0.0.0' }, to: { cid: 16, port: 8443 } }],
 * })
 * process.once('SIGTERM', () => void proxy.close({ deadline: 30_000 }))
 * ```
 */
declare function startProxy(options: ProxyOptions, surroundings?: ProxySurroundings): Promise<VsockProxy>;
/**
 * Judges a configuration as {@link startProxy} does, and takes no port and asks no DNS.
 *
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG`, `ERR_VSOCK_PROXY_NOT_ALLOWED`.
 */
declare function checkProxyOptions(options: ProxyOptions): void;

export { checkProxyOptions, parseAllowlist, parseProxyConfig, startProxy };
export type { AllowlistEntry, CloseReason, ConnectDoorOptions, DestinationOptions, InboundOptions, LimitOptions, OutboundOptions, ProxyEvent, ProxyListener, ProxyOptions, ProxySurroundings, RefusedReason, Resolution, ResolveHost, VsockListenerOptions, VsockProxy };
