import type { AllowlistEntry } from './allowlist.ts'

/** A host of the outside world that an enclave may reach. */
export interface DestinationOptions {
  /** A DNS name, or an IP address, which allows just that address whatever it is. No wildcards. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
  /**
   * Allows the name to resolve to private addresses as well (RFC 1918, 100.64.0.0/10, fc00::/7 without fd00:ec2::/32): VPC
   * endpoints do. False unless given, because whoever answers for the name could otherwise aim at the parent's network.
   */
  readonly allowPrivateAddresses?: boolean
  /**
   * Allows the name to resolve to anything: loopback, link-local, multicast. With it whoever answers DNS for the name lets
   * the enclave reach services of the parent itself, and its instance metadata with the role's credentials.
   */
  readonly dangerouslyAllowAnyAddress?: boolean
  /** Only addresses of this family. Both unless given. */
  readonly family?: 4 | 6
}

/** Where the parent listens on vsock, and whom it takes. */
export interface VsockListenerOptions {
  /** 0 to 4294967295. */
  readonly port: number
  /** The CIDs of the enclaves that may connect. It or `anyCid` is needed, unless there is a `path`. */
  readonly allowedCids?: readonly number[]
  /** Takes every enclave of this instance, and every other local program that can open vsock. */
  readonly anyCid?: boolean
  /** In place of CIDs: the Unix socket of one virtual machine (hybrid vsock). Listens on `PATH_PORT`. */
  readonly path?: string
}

/** Limits of one listener. */
export interface LimitOptions {
  /** What the listener is called in counters and events: 1 to 64 letters, digits, `.`, `_` and `-`. Made up unless given. */
  readonly name?: string
  /** Connections at a time, 1 to 100,000; one more is closed at once. 1,000 unless given. */
  readonly maxConnections?: number
  /** Milliseconds for DNS and connecting together, 1 to 600,000. 10,000 unless given. */
  readonly connectTimeout?: number
  /** Milliseconds without a byte in either direction until both ends are closed, 1 to 86,400,000. 300,000 unless given. */
  readonly idleTimeout?: number
}

/** A vsock port of the parent that leads to one host and port. */
export interface OutboundOptions extends LimitOptions {
  readonly listen: VsockListenerOptions
  readonly to: DestinationOptions
}

/** A vsock port of the parent that leads to the hosts that are asked for by HTTP CONNECT, of those in `allow`. */
export interface ConnectDoorOptions extends LimitOptions {
  readonly listen: VsockListenerOptions
  readonly allow: readonly DestinationOptions[]
  /** Milliseconds for the whole head of the request, 1 to 60,000. 5,000 unless given. */
  readonly headTimeout?: number
}

/** A TCP port of the parent that leads to a port of an enclave, for TLS that ends there. */
export interface InboundOptions extends LimitOptions {
  /** `host` is an IP address of the parent: 127.0.0.1 unless given, `0.0.0.0` or `::` for everyone. */
  readonly listen: { readonly port: number; readonly host?: string }
  /** The CID of the enclave, or the Unix socket of a virtual machine in its place. */
  readonly to: {
    readonly port: number
    readonly cid?: number
    readonly path?: string
    /** VMADDR_FLAG_TO_HOST, for a parent that has `vhost_vsock` loaded. */
    readonly toHost?: boolean
  }
  /** Tells the enclave who connects by PROXY protocol v2: it must then read it, see `readProxyHeader`. False unless given. */
  readonly proxyProtocol?: boolean
}

/** Everything that one proxy does. */
export interface ProxyOptions {
  readonly outbound?: readonly OutboundOptions[]
  readonly inbound?: readonly InboundOptions[]
  readonly connect?: readonly ConnectDoorOptions[]
  /** AWS's allowlist, see `parseAllowlist`. Where it is given, every destination must be in it too. */
  readonly allowlist?: readonly AllowlistEntry[]
  /** Counters as Prometheus reads them, at `http://HOST:PORT/metrics`. */
  readonly metrics?: {
    readonly port: number
    /** A loopback address: 127.0.0.1 unless given. */
    readonly host?: string
    /** Allows `host` to be any address. The counters tell what the enclave talks to, and nobody is asked who he is. */
    readonly unsafeAnyInterface?: boolean
  }
}
