import { BoundKey } from './bound-key.ts'
import { readCount, readRoots, readTlsVersion, type KmsClientOptions } from './client-options.ts'
import { ClockSkew } from './clock-skew.ts'
import { CredentialsCache } from './credentials/cache.ts'
import type { Credentials, CredentialsProvider } from './credentials/credentials.ts'
import { readDeadlines } from './deadline.ts'
import { HttpPool } from './http-pool.ts'
import { KmsChannel } from './kms-channel.ts'
import { RequestSigner } from './signing.ts'
import { TlsDialer } from './tls-stream.ts'

/** What connects a client with the KMS of its key. */
export interface KmsConnection {
  readonly key: BoundKey
  readonly channel: KmsChannel
  readonly pool: HttpPool
}

/** Reads the options that have to do with the way to KMS, and prepares it. Nothing is dialed yet. */
export function openConnection(options: Omit<KmsClientOptions, 'getEvidence'>): KmsConnection {
  const key = new BoundKey(options)
  const { connect, credentials, maxSockets = 3, maxAttempts = 3, now = () => new Date() } = options
  if (typeof connect !== 'function') throw new TypeError('connect must be a function')
  if (typeof now !== 'function') throw new TypeError('now must be a function')
  const deadlines = readDeadlines(options)
  const dialer = new TlsDialer({
    host: key.host,
    connect,
    roots: readRoots(options.roots, connect),
    minTlsVersion: readTlsVersion(options.minTlsVersion),
    deadlines,
  })
  const pool = new HttpPool({
    host: key.host,
    open: (signal) => dialer.open(signal),
    maxSockets: readCount('maxSockets', maxSockets, 64),
    deadlines,
  })
  const channel = new KmsChannel({
    host: key.host,
    pool,
    signer: new RequestSigner(key.region),
    clock: new ClockSkew(now),
    credentials: new CredentialsCache(provider(credentials), { now }),
    deadlines,
    maxAttempts: readCount('maxAttempts', maxAttempts, 10),
  })
  return { key, channel, pool }
}

function provider(credentials: Credentials | CredentialsProvider): CredentialsProvider {
  if (typeof credentials === 'function') return credentials
  if (typeof credentials !== 'object' || credentials === null) {
    throw new TypeError('credentials must be credentials, or a function that gives some')
  }
  const copy = { ...credentials }
  return async () => copy
}
