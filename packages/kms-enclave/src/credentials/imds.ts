import type { Duplex } from 'node:stream'
import { connect as connectTcp } from 'node:net'
import type { Connect } from '../connect.ts'
import { within } from '../deadline.ts'
import { KmsError } from '../error.ts'
import type { HttpResponse } from '../http-exchange.ts'
import { ownMembers } from '../own-members.ts'
import { requestPlain } from './plain-http.ts'
import { readCredentials, type CredentialsProvider } from './credentials.ts'

const HOST = '169.254.169.254'
const PATH = '/latest/meta-data/iam/security-credentials/'
const ROLE = /^[\w+=,.@-]{1,64}$/
const TOKEN = /^[\x21-\x7e]{1,1024}$/

/** Options of {@link fromImds}. */
export interface ImdsOptions {
  /**
   * Streams to 169.254.169.254, port 80. Default: TCP, as on the parent. In the enclave, a `Connect` through the parent's proxy,
   * which must allow that address.
   */
  readonly connect?: Connect
  /** The role of the instance. Default: the one that IMDS names. */
  readonly role?: string
  /** Milliseconds for all three requests together. Default 4000. */
  readonly timeout?: number
  /** The clock by which credentials expire. Default: the system's. */
  readonly now?: () => Date
}

/**
 * The credentials of the instance's role, by the Instance Metadata Service, version 2 alone. The service speaks plain
 * HTTP, so nothing authenticates what it says: its answers are checked for their form and bounded in size.
 *
 * @throws {KmsError} `ERR_KMS_CREDENTIALS` from the provider that this returns
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 */
export function fromImds(options: ImdsOptions = {}): CredentialsProvider {
  const { connect = overTcp, role, timeout = 4000, now = () => new Date() } = ownMembers(options)
  if (typeof connect !== 'function') throw new TypeError('connect must be a function')
  if (role !== undefined && !ROLE.test(role)) throw new TypeError('role must be the name of a role')
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > 600_000) {
    throw new RangeError('timeout must be an integer of 1 to 600000 milliseconds')
  }
  return async ({ signal } = {}) => {
    const controller = new AbortController()
    const ask = (method: string, path: string, headers: Record<string, string>) =>
      requestPlain({
        connect,
        host: HOST,
        method,
        path,
        headers,
        timeout,
        signal: controller.signal,
      })
    try {
      const found = await within(find(ask, role), timeout, 'IMDS did not answer', signal)
      return readCredentials(found, 'IMDS', now())
    } catch (cause) {
      if (cause instanceof KmsError && cause.code === 'ERR_KMS_CREDENTIALS') throw cause
      throw new KmsError(
        'ERR_KMS_CREDENTIALS',
        `IMDS gave no credentials: ${(cause as Error).message}`,
        { cause },
      )
    } finally {
      controller.abort()
    }
  }
}

type Ask = (method: string, path: string, headers: Record<string, string>) => Promise<HttpResponse>

async function find(ask: Ask, given: string | undefined): Promise<Record<string, unknown>> {
  const token = text(
    await ask('PUT', '/latest/api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': '60' }),
    'a token',
  )
  if (!TOKEN.test(token)) throw refusal('a malformed token')
  const headers = { 'x-aws-ec2-metadata-token': token }
  const role = given ?? text(await ask('GET', PATH, headers), 'the name of a role').trim()
  if (!ROLE.test(role)) throw refusal('a malformed name of a role')
  return readSet(text(await ask('GET', `${PATH}${role}`, headers), 'credentials'))
}

function text({ status, body }: HttpResponse, what: string): string {
  if (status === 200) return new TextDecoder().decode(body)
  const hint = status === 404 ? '; does the instance have a role?' : ''
  throw refusal(`HTTP ${status} in the place of ${what}${hint}`)
}

/** What IMDS calls the members, and what we do. */
function readSet(json: string): Record<string, unknown> {
  let set: Record<string, unknown> | null
  try {
    set = JSON.parse(json) as Record<string, unknown> | null
  } catch {
    throw refusal('something that is no JSON')
  }
  if (typeof set !== 'object' || set === null || set['Code'] !== 'Success') {
    throw refusal('a set whose Code is not Success')
  }
  return {
    accessKeyId: set['AccessKeyId'],
    secretAccessKey: set['SecretAccessKey'],
    sessionToken: set['Token'],
    expiration: set['Expiration'],
  }
}

function refusal(what: string): KmsError {
  return new KmsError('ERR_KMS_CREDENTIALS', `IMDS gave ${what}`)
}

/** TCP from this machine itself. */
export function overTcp(
  host: string,
  port: number,
  { signal }: { readonly signal?: AbortSignal },
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, ...(signal !== undefined && { signal }) })
    // The listener stays: an error before somebody else listens must not end the process.
    socket.on('error', reject).once('connect', () => resolve(socket))
  })
}
