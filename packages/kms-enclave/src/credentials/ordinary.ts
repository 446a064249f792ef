import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Connect } from '../connect.ts'
import { KmsError } from '../error.ts'
import { ownMembers } from '../own-members.ts'
import { readCredentials, type Credentials, type CredentialsProvider } from './credentials.ts'
import { fromContainer, isContainer, type Environment } from './container.ts'
import { fromImds, overTcp, type ImdsOptions } from './imds.ts'

/** Options of {@link ordinaryCredentials}. */
export interface OrdinaryCredentialsOptions {
  /** Default `process.env`. */
  readonly environment?: Environment
  /** The profile of the shared file. Default `AWS_PROFILE`, else `default`. */
  readonly profile?: string
  /** How IMDS is asked when there is nothing before it. */
  readonly imds?: ImdsOptions
  /** The clock by which credentials expire. Default: the system's. */
  readonly now?: () => Date
}

/**
 * What AWS's tools look through on the parent, the part of it that needs no other service: the environment (`AWS_ACCESS_KEY_ID`…),
 * keys in the shared file (`~/.aws/credentials`), the endpoint of a container (`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or
 * `…_FULL_URI`, which must be `http:` at an address of ECS, of EKS or of this machine, with `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`
 * or `…_TOKEN`), IMDSv2 (at `AWS_EC2_METADATA_SERVICE_ENDPOINT` where that is set).
 * The first that is configured decides, even if it fails. For SSO, web identity or `credential_process` give
 * `serveCredentials` a provider of the AWS SDK.
 *
 * @throws {KmsError} `ERR_KMS_CREDENTIALS` from the provider that this returns
 */
export function ordinaryCredentials(options: OrdinaryCredentialsOptions = {}): CredentialsProvider {
  const {
    environment = process.env,
    profile,
    imds = {},
    now = () => new Date(),
  } = ownMembers(options)
  return async (request = {}) => {
    if (environment['AWS_ACCESS_KEY_ID'] !== undefined) return fromEnvironment(environment, now())
    const shared = await fromSharedFile(environment, profile, now())
    if (shared !== undefined) return shared
    if (isContainer(environment)) return fromContainer(environment, now(), request)
    if (environment['AWS_EC2_METADATA_DISABLED'] === 'true') {
      throw new KmsError(
        'ERR_KMS_CREDENTIALS',
        'There are no credentials in the environment and in the shared file, and IMDS is disabled',
      )
    }
    const connect = imdsConnect(environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'])
    return fromImds({ now, ...(connect !== undefined && { connect }), ...imds })(request)
  }
}

/** An endpoint of IMDS that AWS's tools are told of: `http://HOST:PORT`. */
function imdsConnect(endpoint: string | undefined): Connect | undefined {
  if (endpoint === undefined) return undefined
  const url = URL.parse(endpoint)
  if (url?.protocol !== 'http:') {
    throw new KmsError(
      'ERR_KMS_CREDENTIALS',
      'AWS_EC2_METADATA_SERVICE_ENDPOINT must be http://HOST:PORT',
    )
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? 80 : Number(url.port)
  return (_host, _port, options) => overTcp(host, port, options)
}

function fromEnvironment(environment: Environment, now: Date): Credentials {
  const given = {
    accessKeyId: environment['AWS_ACCESS_KEY_ID'],
    secretAccessKey: environment['AWS_SECRET_ACCESS_KEY'],
    sessionToken: environment['AWS_SESSION_TOKEN'],
    expiration: environment['AWS_CREDENTIAL_EXPIRATION'],
  }
  return readCredentials(given, 'The environment', now)
}

const FILE_MAX = 1_048_576

async function fromSharedFile(
  environment: Environment,
  given: string | undefined,
  now: Date,
): Promise<Credentials | undefined> {
  const named = given ?? environment['AWS_PROFILE']
  const path = environment['AWS_SHARED_CREDENTIALS_FILE'] ?? join(homedir(), '.aws', 'credentials')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  const section = text === undefined ? undefined : findSection(text, named ?? 'default')
  if (section?.has('aws_access_key_id') !== true) {
    if (named === undefined) return undefined
    throw new KmsError(
      'ERR_KMS_CREDENTIALS',
      `${path} has no keys for the profile ${JSON.stringify(named)}`,
    )
  }
  const set = {
    accessKeyId: section.get('aws_access_key_id'),
    secretAccessKey: section.get('aws_secret_access_key'),
    sessionToken: section.get('aws_session_token'),
  }
  return readCredentials(set, path, now)
}

/** The pairs of one section of an INI file. */
function findSection(text: string, name: string): ReadonlyMap<string, string> | undefined {
  if (text.length > FILE_MAX) return undefined
  let found: Map<string, string> | undefined
  let inside = false
  for (const line of text.split('\n')) {
    const header = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)?.[1]
    if (header !== undefined) {
      inside = header === name
      if (inside) found ??= new Map()
      continue
    }
    const [, key, value] = /^\s*([a-z_]+)\s*=\s*(\S*)/.exec(line) ?? []
    if (inside && key !== undefined && value !== undefined) found?.set(key, value)
  }
  return found
}
