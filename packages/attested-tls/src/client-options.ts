import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AppraisalPolicyOptions, AttestationResult } from '@enclavejs/attestation'
import { appraiser, POLICY_OPTIONS, type Appraise } from './appraisal.ts'
import { LONGEST_DEADLINE } from './deadline.ts'
import { functionOption, integerOption, ownOptions } from './option.ts'

/** Opens a byte stream. What carries the bytes is trusted with nothing else. */
export type Connect = (
  host: string,
  port: number,
  options: { readonly signal?: AbortSignal },
) => Promise<Duplex>

/** The other end, as the URL names it. */
export interface AttestedPeer {
  readonly host: string
  readonly port: number
}

/**
 * Options of attested clients in Node: a policy, as `createVerifier` takes it, and what follows. Unknown names are refused. Times
 * are milliseconds.
 */
export interface AttestedClientOptions extends AppraisalPolicyOptions {
  /** How streams are opened. Default: TCP. On a parent: `connect` of `@enclavejs/vsock`. */
  readonly connect?: Connect
  /**
   * Asks for a certificate of the URL's host under a public CA as well, or under the given ones (PEM): for certificates of ACM. It
   * is never instead of the document: a CA says who has a name, not what code has a key. Default false.
   */
  readonly webPki?: boolean | { readonly ca: readonly string[] }
  /**
   * How long a connection takes new requests, from 1000 to 3600000; then the next request opens, and attests, another one. A request
   * that is under way then may end, for as long again. Default 3600000.
   */
  readonly reattestAfter?: number
  /**
   * Judges what was verified, beyond the policy: compares `pcrs`, logs `moduleId`. What it throws refuses the connection. It is
   * called for each connection, before the first request.
   */
  readonly onAttested?: (result: AttestationResult, peer: AttestedPeer) => void | Promise<void>
  /** For the stream. Default 10000. */
  readonly connectTimeout?: number
  /** For the TLS handshake. Default 10000. */
  readonly handshakeTimeout?: number
  /** For the document to arrive, to be verified and judged. Default 10000. */
  readonly attestationTimeout?: number
}

/** Options after the door. */
export interface ClientSettings {
  readonly appraise: Appraise
  readonly connect: Connect
  readonly webPki: boolean
  readonly ca: string[] | undefined
  readonly reattestAfter: number
  readonly onAttested: AttestedClientOptions['onAttested']
  readonly connectTimeout: number
  readonly handshakeTimeout: number
  readonly attestationTimeout: number
}

const CLIENT_OPTIONS: readonly (keyof AttestedClientOptions)[] = [
  ...POLICY_OPTIONS,
  ...(['connect', 'webPki', 'reattestAfter', 'onAttested'] as const),
  ...(['connectTimeout', 'handshakeTimeout', 'attestationTimeout'] as const),
]
const HOUR = 3_600_000

/** @throws {TypeError | RangeError} naming the option. */
export function readClientOptions(given: AttestedClientOptions, what: string): ClientSettings {
  const own = ownOptions(given, CLIENT_OPTIONS, what)
  const { webPki = false } = own
  const ca = typeof webPki === 'object' && webPki !== null ? [...webPki.ca] : undefined
  if (typeof webPki !== 'boolean' && ca === undefined) {
    throw new TypeError('webPki must be a boolean, or { ca }')
  }
  const milliseconds = (name: keyof AttestedClientOptions): number =>
    integerOption(name, own[name] as number | undefined, 10_000, 1, LONGEST_DEADLINE)
  return {
    appraise: appraiser(own),
    connect: functionOption('connect', own.connect) ?? dial,
    webPki: webPki !== false,
    ca,
    reattestAfter: integerOption('reattestAfter', own.reattestAfter, HOUR, 1000, HOUR),
    onAttested: functionOption('onAttested', own.onAttested),
    connectTimeout: milliseconds('connectTimeout'),
    handshakeTimeout: milliseconds('handshakeTimeout'),
    attestationTimeout: milliseconds('attestationTimeout'),
  }
}

const dial: Connect = (host, port, { signal }) =>
  new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true, ...(signal && { signal }) })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
