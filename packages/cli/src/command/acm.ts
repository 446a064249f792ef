import type { AssociationOptions, CertificateAssociation } from '@enclavejs/acm-enclave'
import { required, wrongUse } from '../acm-flags.ts'
import { acmErrorCode, loadAcmPackage } from '../acm-package.ts'
import { ACM_WAY_FLAGS, ACM_WAY_HELP, readAcmWay } from '../acm-way.ts'
import { parseArguments, type Arguments, type Flags } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { usage } from '../error.ts'
import { printJson } from '../output/json.ts'
import { escapeText } from '../output/printable.ts'
import type { Terminal } from '../terminal.ts'
import { acmAgent } from './acm-agent.ts'
import { importCertificate, LOCATION_FLAGS, publish } from './acm-bundle.ts'
import { acmToken } from './acm-token.ts'

const HELP = `enclavejs acm publish|import|associate|status|disassociate [flags]

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
  import                takes certificate and private key out of ACM (ExportCertificate) and stores them in the same form. The
                        key is not the enclave's alone: ACM made it, and whoever may call acm:ExportCertificate has it, the
                        parent's role included where its credentials are used. Again after each renewal in ACM
    --certificate ARN   of a private CA, or requested as exportable
    --bucket, --object, --owner, --key, --region, --arn, --bundle-version
                        as for publish; the default of --arn is the certificate's
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

const PUBLISH = [...LOCATION_FLAGS, 'key-algorithm']

type Action = (given: Arguments, terminal: Terminal) => Promise<void>

const ACTIONS: Readonly<
  Record<string, { readonly flags: readonly string[]; readonly run: Action }>
> = {
  publish: { flags: PUBLISH, run: publish },
  import: { flags: [...LOCATION_FLAGS, 'certificate'], run: importCertificate },
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
      throw usage(
        'publish, import, associate, status or disassociate expected; see enclavejs acm --help',
      )
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
