import type { EncryptionContext, KmsClient, NO_ENCRYPTION_CONTEXT } from '@enclavejs/kms-enclave'
import { numberFlag, parseArguments, type Arguments, type Flags } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { CliError, usage } from '../error.ts'
import { readInput } from '../input-file.ts'
import { KMS_FLAGS, KMS_FLAGS_HELP, openKmsClient, readContext } from '../kms-client.ts'
import { kmsErrorCode, loadKmsPackage } from '../kms-package.ts'
import { checkPolicy, explainDenial } from '../kms-policy.ts'
import { printJson } from '../output/json.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `enclavejs kms encrypt|decrypt|data-key|check-policy|explain --key ARN [flags]

Calls AWS KMS over TLS that ends in this process. decrypt and data-key are attested and run in an enclave; on a laptop,
enclavejs simulate --kms -- enclavejs kms … has a simulated KMS.

  encrypt [FILE]      encrypts up to 4096 bytes of FILE, or of stdin; prints the ciphertext
  decrypt [FILE]      decrypts a ciphertext, raw or in base64; writes the plaintext
  data-key            a new data key: the ciphertext to keep, and the key
    --spec NAME       AES_256 (default) or AES_128
    --bytes N         a key of N bytes in its place, 1 to 1024
  check-policy        verifies the key's policy, grants and origin, and says who can have plaintext
    --reference FILE  the images that may use the key, as for enclavejs verify; may be repeated
    --role ARN        the role of the enclaves; may be repeated
    --administrator ARN
                      who may administer the key; may be repeated
    --encrypter ARN   who else may encrypt; may be repeated
    --locked          nobody may be able to replace the policy
    --replaceable     administrators may
    --allow-debug-mode, --allow-multi-region
  explain             says why the key's policy denies a call of this enclave
    --action NAME     default Decrypt
    --role ARN        the role that calls; may be left out
    --reference FILE  PCRs in the place of this enclave's
    --unattested      the call had no document

  --context NAME=VALUE  the encryption context of encrypt, decrypt and data-key; may be repeated
  --no-context          there is none: any ciphertext of the key fits anywhere
  --format NAME         of encrypt and decrypt: base64, hex or raw; default base64 for encrypt, raw for decrypt
  --json                the result as JSON
${KMS_FLAGS_HELP}
  --help

Exit status: 0 done, and for check-policy and explain: verified, allowed; 1 refused or failed (the code on stderr); 2 wrong
use.`

const CONTEXT = ['context', 'no-context']
const POLICY = ['reference', 'role']

type Action = (kms: KmsClient, given: Arguments, terminal: Terminal) => Promise<number>

const ACTIONS: Readonly<
  Record<string, { readonly flags: readonly string[]; readonly run: Action }>
> = {
  encrypt: { flags: [...CONTEXT, 'format'], run: encrypt },
  decrypt: { flags: [...CONTEXT, 'format'], run: decrypt },
  'data-key': { flags: [...CONTEXT, 'spec', 'bytes'], run: dataKey },
  'check-policy': {
    flags: [
      ...[...POLICY, 'administrator', 'encrypter', 'locked', 'replaceable'],
      ...['allow-debug-mode', 'allow-multi-region'],
    ],
    run: checkPolicy,
  },
  explain: { flags: [...POLICY, 'action', 'unattested'], run: explainDenial },
}

const REPEATED = { type: 'string', multiple: true } as const
const OWN: Flags = {
  context: REPEATED,
  'no-context': { type: 'boolean' },
  format: { type: 'string' },
  spec: { type: 'string' },
  bytes: { type: 'string' },
  reference: REPEATED,
  role: REPEATED,
  administrator: REPEATED,
  encrypter: REPEATED,
  locked: { type: 'boolean' },
  replaceable: { type: 'boolean' },
  'allow-debug-mode': { type: 'boolean' },
  'allow-multi-region': { type: 'boolean' },
  action: { type: 'string' },
  unattested: { type: 'boolean' },
}

/** `enclavejs kms`. */
export const kms: Command = {
  summary: 'call AWS KMS with attested requests, and judge the policy of a key',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, { ...KMS_FLAGS, ...OWN, json: { type: 'boolean' } })
    const [name] = given.positionals
    if (name === undefined || !Object.hasOwn(ACTIONS, name)) {
      throw usage(
        'encrypt, decrypt, data-key, check-policy or explain expected; see enclavejs kms --help',
      )
    }
    const { flags, run } = ACTIONS[name] as (typeof ACTIONS)[string]
    for (const flag of Object.keys(OWN)) {
      const isGiven =
        given.has(flag) ||
        (OWN[flag]?.multiple === true
          ? given.values(flag).length > 0
          : OWN[flag]?.type === 'string' && given.value(flag) !== undefined)
      if (isGiven && !flags.includes(flag)) throw usage(`--${flag} does not belong to kms ${name}`)
    }
    const takesFile = name === 'encrypt' || name === 'decrypt'
    const extra = given.positionals[takesFile ? 2 : 1]
    if (extra !== undefined) throw usage(`kms: the argument ${JSON.stringify(extra)} is too many`)
    try {
      await using client = await openKmsClient(given)
      return await run(client, given, terminal)
    } catch (error) {
      const code = kmsErrorCode(error)
      if (code === undefined) throw error
      const { message } = error as Error
      if (given.has('json')) printJson(terminal, { error: { code, message } })
      terminal.warn(`failed: ${code}`)
      terminal.warn(message)
      return Exit.REFUSED
    }
  },
}

async function encrypt(client: KmsClient, given: Arguments, terminal: Terminal): Promise<number> {
  const EncryptionContext = await contextOf(given)
  const output = outputOf(given, terminal, 'base64')
  const Plaintext = await readBounded(given, 4096, 'plaintext')
  try {
    const { CiphertextBlob } = await client.encrypt({ Plaintext, EncryptionContext })
    output('CiphertextBlob', CiphertextBlob)
  } finally {
    Plaintext.fill(0)
  }
  return Exit.ACCEPTED
}

async function decrypt(client: KmsClient, given: Arguments, terminal: Terminal): Promise<number> {
  const EncryptionContext = await contextOf(given)
  const output = outputOf(given, terminal, 'raw')
  const CiphertextBlob = unwrap(await readBounded(given, 16_384, 'ciphertext'))
  const { Plaintext } = await client.decrypt({ CiphertextBlob, EncryptionContext })
  output('Plaintext', Plaintext)
  return Exit.ACCEPTED
}

async function dataKey(client: KmsClient, given: Arguments, terminal: Terminal): Promise<number> {
  const EncryptionContext = await contextOf(given)
  const spec = given.value('spec')
  const bytes = numberFlag(given, 'bytes', { least: 1, most: 1024, unit: 'bytes' })
  if (spec !== undefined && bytes !== undefined) throw usage('--spec and --bytes contradict')
  const KeySpec = spec ?? 'AES_256'
  if (KeySpec !== 'AES_256' && KeySpec !== 'AES_128') throw usage('--spec: AES_256 or AES_128')
  const { CiphertextBlob, Plaintext, KeyId } = await client.generateDataKey({
    ...(bytes === undefined ? { KeySpec } : { NumberOfBytes: bytes }),
    EncryptionContext,
  })
  const made = {
    CiphertextBlob: Buffer.from(CiphertextBlob).toString('base64'),
    Plaintext: Buffer.from(Plaintext).toString('base64'),
  }
  Plaintext.fill(0)
  if (given.has('json')) printJson(terminal, { KeyId, ...made })
  else {
    terminal.print(`ciphertext  ${made.CiphertextBlob}`)
    terminal.print(`plaintext   ${made.Plaintext}`)
  }
  return Exit.ACCEPTED
}

async function contextOf(
  given: Arguments,
): Promise<EncryptionContext | typeof NO_ENCRYPTION_CONTEXT> {
  const kmsPackage = await loadKmsPackage()
  return readContext(given) ?? kmsPackage.NO_ENCRYPTION_CONTEXT
}

async function readBounded(given: Arguments, most: number, what: string): Promise<Uint8Array> {
  const path = given.positionals[1] ?? '-'
  const bytes = await readInput(path)
  if (bytes !== undefined && bytes.length > 0 && bytes.length <= most) return bytes
  throw new CliError('ERR_CLI_FILE', `${path}: a ${what} of 1 to ${most} bytes expected`)
}

/** A ciphertext of KMS never begins like a text. */
function unwrap(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1').replace(/\s/g, '')
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Uint8Array.from(Buffer.from(text, 'base64')) : bytes
}

/** How bytes are to be written; wrong flags are refused before KMS is asked. */
function outputOf(
  given: Arguments,
  terminal: Terminal,
  usual: string,
): (name: string, bytes: Uint8Array) => void {
  const format = given.value('format') ?? (given.has('json') ? 'base64' : usual)
  if (format !== 'hex' && format !== 'base64' && format !== 'raw') {
    throw usage('--format: hex, base64 or raw expected')
  }
  if (given.has('json') && format === 'raw') throw usage('--json and --format raw contradict')
  if (format === 'raw' && terminal.interactive) {
    throw usage('--format raw: redirect stdout to a file or a pipe')
  }
  return (name, bytes) => {
    if (format === 'raw') terminal.write(bytes)
    else {
      const text = Buffer.from(bytes).toString(format)
      if (given.has('json')) printJson(terminal, { format, [name]: text })
      else terminal.print(text)
    }
  }
}
