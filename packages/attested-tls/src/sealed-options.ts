import type { AppraisalPolicyOptions, AttestationResult } from '@enclavejs/attestation'
import { appraiser, POLICY_OPTIONS, type Appraise } from './appraisal.ts'
import { LONGEST_DEADLINE } from './deadline.ts'
import { functionOption, integerOption, ownOptions } from './option.ts'

/**
 * Options of `createSealedFetch`: a policy, as `createVerifier` of `@enclavejs/attestation` takes it, and what follows. Unknown names
 * are refused. Times are milliseconds.
 */
export interface SealedFetchOptions extends AppraisalPolicyOptions {
  /** The origin of the enclave's server, as `https://enclave.example`. */
  readonly url: string | URL
  /** How long a key serves after its document was verified: 1000 to 3600000. Default 900000; an enclave keeps keys for an hour at least. */
  readonly reattestAfter?: number
  /** For one call with all that it needs. Default 30000. */
  readonly timeout?: number
  /** The most bytes of a request: 1 KiB to 64 MiB. Default 1 MiB, as the server's. */
  readonly maxRequestBytes?: number
  /** The most bytes of a response: 1 KiB to 64 MiB. Default 4 MiB, as the server's. */
  readonly maxResponseBytes?: number
  /** Judges what was verified, beyond the policy. What it throws refuses the key. Called for each document. */
  readonly onAttested?: (result: AttestationResult) => void | Promise<void>
  /** What carries the sealed messages; it is trusted with nothing else. Default `globalThis.fetch`. */
  readonly fetch?: typeof globalThis.fetch
}

/** Options after the door. */
export interface SealedSettings {
  readonly url: URL
  readonly appraise: Appraise
  readonly reattestAfter: number
  readonly timeout: number
  readonly maxRequestBytes: number
  readonly maxResponseBytes: number
  readonly onAttested: SealedFetchOptions['onAttested']
  readonly fetch: typeof globalThis.fetch
}

const SEALED_OPTIONS: readonly (keyof SealedFetchOptions)[] = [
  ...POLICY_OPTIONS,
  ...(['url', 'reattestAfter', 'timeout', 'onAttested', 'fetch'] as const),
  ...(['maxRequestBytes', 'maxResponseBytes'] as const),
]
const HOUR = 3_600_000
const KIB = 1024
const MIB = 1024 * KIB

/** @throws {TypeError | RangeError} naming the option. */
export function readSealedOptions(given: SealedFetchOptions): SealedSettings {
  const own = ownOptions(given, SEALED_OPTIONS, 'createSealedFetch')
  const url = URL.canParse(String(own.url)) ? new URL(own.url) : undefined
  const isOrigin = url?.pathname === '/' && url.search === '' && url.hash === ''
  if (url === undefined || !isOrigin || !/^https?:$/.test(url.protocol) || url.username !== '') {
    throw new TypeError('url must be an origin, as https://enclave.example')
  }
  const carry = functionOption('fetch', own.fetch) ?? globalThis.fetch
  return {
    url,
    appraise: appraiser(own),
    reattestAfter: integerOption('reattestAfter', own.reattestAfter, HOUR / 4, 1000, HOUR),
    timeout: integerOption('timeout', own.timeout, 30_000, 1, LONGEST_DEADLINE),
    maxRequestBytes: integerOption('maxRequestBytes', own.maxRequestBytes, MIB, KIB, 64 * MIB),
    maxResponseBytes: integerOption(
      ...(['maxResponseBytes', own.maxResponseBytes, 4 * MIB, KIB, 64 * MIB] as const),
    ),
    onAttested: functionOption('onAttested', own.onAttested),
    // A browser's own refuses to be called as somebody's method.
    fetch: (input, init) => carry(input, init),
  }
}
