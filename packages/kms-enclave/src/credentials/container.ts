import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import type { Connect } from '../connect.ts'
import { within } from '../deadline.ts'
import { KmsError } from '../error.ts'
import { readCredentials, type Credentials } from './credentials.ts'
import { overTcp } from './imds.ts'
import { requestPlain } from './plain-http.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Of ECS; a relative URI is below it. */
const ECS = '169.254.170.2'
/** Where plain HTTP may go: ECS, EKS (both families), and this machine. Whoever answers elsewhere would choose the role. */
const HOSTS = /^(?:169\.254\.170\.(?:2|23)|\[fd00:ec2::23\]|127(?:\.\d{1,3}){3}|\[::1\]|localhost)$/
const PATH = /^\/[\x21-\x7e]{0,1024}$/
/** One header, without a line break. */
const TOKEN = /^[\x21-\x7e](?:[\x20-\x7e]{0,8190}[\x21-\x7e])?$/
const TOKEN_FILE_MAX = 8192
const TIMEOUT = 4000

/** Whether the environment names an endpoint of a container. */
export function isContainer(environment: Environment): boolean {
  return (
    environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] !== undefined ||
    environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'] !== undefined
  )
}

/**
 * The credentials of a task or pod. Where a relative URI and a full one are given, the relative one counts; of a token and its file,
 * the file, which is read for each request. A token that cannot be read is a refusal, not a request without one.
 *
 * @throws {KmsError} `ERR_KMS_CREDENTIALS`
 */
export async function fromContainer(
  environment: Environment,
  now: Date,
  { signal, connect = dial }: { readonly signal?: AbortSignal; readonly connect?: Connect } = {},
): Promise<Credentials> {
  const { host, port, path } = readUri(environment)
  try {
    const token = await within(readToken(environment), TIMEOUT, 'Its token was not read', signal)
    const { status, body } = await requestPlain({
      ...{ connect, host, port, method: 'GET', path, timeout: TIMEOUT },
      headers: { accept: 'application/json', ...(token !== undefined && { authorization: token }) },
      ...(signal !== undefined && { signal }),
    })
    if (status !== 200) throw refused(`answered HTTP ${status}`)
    return readAnswer(body, now)
  } catch (cause) {
    if (signal?.aborted === true && cause === signal.reason) throw cause
    if (cause instanceof KmsError && cause.code === 'ERR_KMS_CREDENTIALS') throw cause
    throw refused(`gave no credentials: ${(cause as Error).message}`, cause)
  }
}

interface Endpoint {
  /** As it stands in a URL. */
  readonly host: string
  readonly port: number
  readonly path: string
}

function readUri(environment: Environment): Endpoint {
  const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']
  if (relative !== undefined) {
    if (!PATH.test(relative)) throw refused('has a malformed path')
    return { host: ECS, port: 80, path: relative }
  }
  const url = URL.parse(environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '')
  if (url === null) throw refused('has a malformed URI')
  const { protocol, hostname, port, pathname, search, username, password } = url
  if (protocol !== 'http:' || !HOSTS.test(hostname) || username !== '' || password !== '') {
    throw refused(
      'must be http: at an address of ECS (169.254.170.2), of EKS (169.254.170.23, [fd00:ec2::23]) or of this machine, without a user',
    )
  }
  const path = `${pathname}${search}`
  if (!PATH.test(path)) throw refused('has a malformed path')
  return { host: hostname, port: port === '' ? 80 : Number(port), path }
}

async function readToken(environment: Environment): Promise<string | undefined> {
  const path = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']
  const token =
    path === undefined ? environment['AWS_CONTAINER_AUTHORIZATION_TOKEN'] : await readSmall(path)
  if (token === undefined || TOKEN.test(token)) return token
  throw refused('needs a token of 1 to 8192 visible ASCII characters, without a line break')
}

/** A regular file; what else has a path could keep us waiting. */
async function readSmall(path: string): Promise<string> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const { size } = await file
      .stat()
      .then((stats) => (stats.isFile() ? stats : { size: Infinity }))
    if (size > TOKEN_FILE_MAX) throw new Error('it is no file of at most 8192 bytes')
    return (await file.readFile('latin1')).slice(0, TOKEN_FILE_MAX + 1)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw refused(`needs a token, and its file cannot be read: ${code ?? message}`, cause)
  }
}

/** `localhost` is this machine, whatever a resolver says. */
async function dial(...[host, port, options]: Parameters<Connect>): Promise<Duplex> {
  if (host !== 'localhost') return overTcp(host.replace(/^\[|\]$/g, ''), port, options)
  return overTcp('127.0.0.1', port, options).catch(() => overTcp('::1', port, options))
}

function readAnswer(body: Uint8Array, now: Date): Credentials {
  let set: Record<string, unknown> | null
  try {
    set = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown> | null
  } catch {
    throw refused('answered with something that is no JSON')
  }
  if (typeof set !== 'object' || set === null) throw refused('answered with no set of credentials')
  const given = {
    accessKeyId: set['AccessKeyId'],
    secretAccessKey: set['SecretAccessKey'],
    sessionToken: set['Token'],
    expiration: set['Expiration'],
  }
  return readCredentials(given, 'The endpoint of the container', now)
}

function refused(what: string, cause?: unknown): KmsError {
  return new KmsError('ERR_KMS_CREDENTIALS', `The endpoint of the container ${what}`, {
    ...(cause !== undefined && { cause }),
  })
}
