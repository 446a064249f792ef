import type { AssociationOptions, CertificateAssociation } from '@enclavejs/acm-enclave'
import { acmErrorCode, loadAcmPackage } from '../acm-package.ts'
import { ACM_WAY_FLAGS, ACM_WAY_HELP, readAcmWay } from '../acm-way.ts'
import { numberFlag, parseArguments, type Arguments, type Flags } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { CliError, usage } from '../error.ts'
import { readInput } from '../input-file.ts'
import { printJson } from '../output/json.ts'
import { escapeText } from '../output/printable.ts'
import type { Terminal } from '../terminal.ts'
import { acmAgent } from './acm-agent.ts'
import { acmToken } from './acm-token.ts'

const HELP = `enclavejs acm publish|associate|status|disassociate [flags]

Certificates for TLS that ends in an enclave.

  publish               in the enclave: makes a key, prints a request for a certificate, reads the certificate that a CA
                        gave (leaf, then issuers, PEM) from stdin, encrypts the key under your KMS key and stores both
    --host NAME         a DNS name of the certificate; may be repeated
    --bucket NAME, --object KEY, --owner ACCOUNT
                        where: the bucket, the object, the account that must own the bucket
    --key ARN           the full ARN of the KMS key, whose policy names the PCRs of the enclaves that will serve
    --region NAME       of the bucket, default that of the key
    --arn ARN           what the private key is bound to, default the object's own
    --bundle-version N  default: one more than that of the object that is there
    --key-algorithm NAME
                        EC_prime256v1 (default), EC_secp384r1, RSA_2048, RSA_3072, RSA_4096
  associate             has AWS store a certificate of ACM for a role, and at each renewal again
    --certificate ARN, --role ARN
  status                the roles that a certificate is associated with
    --certificate ARN
  disassociate          has AWS delete what it stored
    --certificate ARN, --role ARN

What associate stores can probably be decrypted by AWS's own image, ACM for Nitro Enclaves, alone: its KMS key is AWS's.
For an image of your own, publish.

  --json                the result as JSON; of publish two, the request and what was stored
${ACM_WAY_HELP}
  --help

Exit status: 0 done; 1 refused or failed (the code on stderr); 2 wrong use.`

const PUBLISH = [
  ...['bucket', 'object', 'owner', 'key', 'region', 'arn', 'bundle-version', 'key-algorithm'],
]

type Action = (given: Arguments, terminal: Terminal) => Promise<void>

const ACTIONS: Readonly<
  Record<string, { readonly flags: readonly string[]; readonly run: Action }>
> = {
  publish: { flags: PUBLISH, run: publish },
  associate: { flags: ['certificate', 'role'], run: associate },
  status: { flags: ['certificate'], run: status },
  disassociate: { flags: ['certificate', 'role'], run: disassociate },
}

const TEXT = { type: 'string' } as const
const OWN: Flags = {
  ...Object.fromEntries([...PUBLISH, 'certificate', 'role'].map((name) => [name, TEXT])),
}

/** `enclavejs acm`. */
export const acm: Command = {
  summary: 'publish a certificate for enclaves, and associate one of ACM with a role',
  help: [HELP, acmToken.help, acmAgent.help].join('\n\n'),
  async run(args, terminal) {
    const [first, ...rest] = args
    if (first === 'token') return acmToken.run(rest, terminal)
    if (first === 'agent') return acmAgent.run(rest, terminal)
    const given = parseArguments(args, {
      ...ACM_WAY_FLAGS,
      ...OWN,
      host: { type: 'string', multiple: true },
      json: { type: 'boolean' },
    })
    const [name, extra] = given.positionals
    if (name === undefined || !Object.hasOwn(ACTIONS, name)) {
      throw usage('publish, associate, status or disassociate expected; see enclavejs acm --help')
    }
    if (extra !== undefined) throw usage(`acm: the argument ${JSON.stringify(extra)} is too many`)
    const { flags, run } = ACTIONS[name] as (typeof ACTIONS)[string]
    for (const flag of Object.keys(OWN)) {
      if (given.value(flag) !== undefined && !flags.includes(flag)) {
        throw usage(`--${flag} does not belong to acm ${name}`)
      }
    }
    if (name !== 'publish' && given.values('host').length > 0) {
      throw usage(`--host does not belong to acm ${name}`)
    }
    try {
      await run(given, terminal)
      return Exit.ACCEPTED
    } catch (error) {
      const code = acmErrorCode(error)
      if (code === undefined) throw error
      const { message } = error as Error
      if (given.has('json')) printJson(terminal, { error: { code, message } })
      terminal.warn(`failed: ${code}`)
      terminal.warn(message)
      return Exit.REFUSED
    }
  },
}

async function publish(given: Arguments, terminal: Terminal): Promise<void> {
  const { createCertificateRequest, ownRoleStatements, publishCertificate } = await loadAcmPackage()
  const version = numberFlag(given, 'bundle-version', { least: 1, most: 1e12, unit: 'a number' })
  const algorithm = given.value('key-algorithm')
  const [region, arn] = [given.value('region'), given.value('arn')]
  const location = {
    bucket: required(given, 'bucket'),
    key: required(given, 'object'),
    expectedBucketOwner: required(given, 'owner'),
    keyArn: required(given, 'key'),
    ...(region !== undefined && { region }),
    ...(arn !== undefined && { arn }),
  }
  const way = await readAcmWay(given, given.has('direct'))
  // Before anybody is asked for a certificate, what will be wrong afterwards.
  wrongUse(() => ownRoleStatements(location))
  const request = await wrongUse(() =>
    createCertificateRequest({
      hostNames: given.values('host'),
      ...(algorithm !== undefined && { keyAlgorithm: algorithm as 'RSA_2048' }),
    }),
  )
  if (given.has('json')) printJson(terminal, { request: request.pem })
  else terminal.print(request.pem.trimEnd())
  terminal.warn('the certificate, leaf and then issuers, PEM, on stdin:')
  const issued = await readIssued()
  const stored = await wrongUse(() =>
    publishCertificate(request, issued, {
      ...location,
      ...way,
      ...(version !== undefined && { version: Math.floor(version) }),
    }),
  )
  if (given.has('json')) printJson(terminal, { published: stored })
  else {
    terminal.print(`stored    s3://${stored.bucket}/${stored.key}, version ${stored.version}`)
    terminal.print(`bound to  ${stored.arn}`)
    terminal.print(`valid     until ${stored.notAfter.toISOString()}`)
  }
}

async function readIssued(): Promise<{ certificate: string; certificateChain: string }> {
  const bytes = await readInput('-')
  const text = Buffer.from(bytes ?? []).toString('latin1')
  const [certificate = '', ...issuers] = text
    .split(/(?<=-----END CERTIFICATE-----)/)
    .filter((part) => part.includes('-----BEGIN CERTIFICATE-----'))
  if (certificate !== '') return { certificate, certificateChain: issuers.join('\n') }
  throw new CliError('ERR_CLI_FILE', 'stdin: a certificate in PEM expected; nothing was stored')
}

async function associate(given: Arguments, terminal: Terminal): Promise<void> {
  const { associateCertificate, associatedRoleStatements } = await loadAcmPackage()
  const roleArn = required(given, 'role')
  const options = await associationOf(given)
  const made = await wrongUse(() => associateCertificate({ ...options, roleArn }))
  const [, , , region = ''] = options.certificateArn.split(':')
  const statements = associatedRoleStatements(made, region)
  if (given.has('json')) printJson(terminal, { ...made, statements })
  else {
    describe(made, terminal)
    terminal.print('the role needs')
    for (const { Action, Resource } of statements) {
      terminal.print(`  ${Action.join(', ')} on ${escapeText(Resource)}`)
    }
  }
}

async function status(given: Arguments, terminal: Terminal): Promise<void> {
  const { getAssociatedRoles } = await loadAcmPackage()
  const options = await associationOf(given)
  const roles = await wrongUse(() => getAssociatedRoles(options))
  if (given.has('json')) printJson(terminal, { AssociatedRoles: roles })
  else if (roles.length === 0) terminal.print('associated with no role')
  else for (const one of roles) describe(one, terminal)
}

async function disassociate(given: Arguments, terminal: Terminal): Promise<void> {
  const { disassociateCertificate } = await loadAcmPackage()
  const roleArn = required(given, 'role')
  const options = await associationOf(given)
  await wrongUse(() => disassociateCertificate({ ...options, roleArn }))
  if (given.has('json')) printJson(terminal, { Return: true })
  else terminal.print('disassociated')
}

async function associationOf(given: Arguments): Promise<AssociationOptions> {
  return { certificateArn: required(given, 'certificate'), ...(await readAcmWay(given, true)) }
}

function describe(one: CertificateAssociation, terminal: Terminal): void {
  terminal.print(`role    ${escapeText(one.AssociatedRoleArn)}`)
  terminal.print(`bucket  ${escapeText(one.CertificateS3BucketName)}`)
  terminal.print(`object  ${escapeText(one.CertificateS3ObjectKey)}`)
  terminal.print(`key     ${escapeText(one.EncryptionKmsKeyId)}`)
}

function required(given: Arguments, flag: string): string {
  const value = given.value(flag)
  if (value === undefined) throw usage(`--${flag} is missing`)
  return value
}

/** The names of options are those of flags, but for three. */
const FLAG_OF: readonly (readonly [RegExp, string])[] = [
  [/^key must/, '--object must'],
  [/^keyArn/, '--key'],
  [/^expectedBucketOwner/, '--owner'],
  [/^hostNames/, '--host'],
  [/^keyAlgorithm/, '--key-algorithm'],
  [/^certificateArn/, '--certificate'],
  [/^roleArn/, '--role'],
  [/^(bucket|region|arn|roots)\b/, '--$1'],
]

/** What the package takes for its caller's mistake is one of who typed the flags. */
function wrongUse<T>(action: () => T): T {
  const mapped = (error: unknown): never => {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    let message = error.message
    for (const [pattern, flag] of FLAG_OF) message = message.replace(pattern, flag)
    throw usage(message, { cause: error })
  }
  try {
    const result = action()
    return result instanceof Promise ? (result.catch(mapped) as T) : result
  } catch (error) {
    return mapped(error)
  }
}
