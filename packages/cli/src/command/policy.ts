import { createHash } from 'node:crypto'
import type {
  CreatedKeyPolicy,
  CreateKeyPolicyOptions,
  ReferenceValues,
} from '@enclavejs/kms-enclave/policy'
import { parseArguments, readHex, type Arguments, type Flags } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { loadEif } from '../eif-package.ts'
import { refusingImages } from '../eif-refusal.ts'
import { usage } from '../error.ts'
import { withImageFile } from '../image-file.ts'
import { loadKmsPolicy } from '../kms-policy-package.ts'
import { warnFindings } from '../output/image.ts'
import { printJson } from '../output/json.ts'
import { progressBar } from '../output/progress.ts'
import { readReferenceFile } from '../reference-file.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `enclavejs policy [IMAGE]... --role ARN --administrator ARN --locked|--replaceable [flags]

Prints the policy of a KMS key that only these enclave images can use: Policy of CreateKey and PutKeyPolicy. IMAGE is an
image file; - is stdin. Several images may use the key side by side, as during a rollout; their PCRs never mix.

Who
  --role ARN              the role whose credentials the enclaves use; may be repeated
  --administrator ARN     who looks after the key, and gets no plaintext: a role, a user, or the account's root; may be
                          repeated. The first one's account is the key's
  --encrypter ARN         who else encrypts for the enclaves; may be repeated
  --locked                nobody can replace the policy any more, root included: a new image needs a new key
  --replaceable           administrators can replace the policy, and so give themselves plaintext

Which images
  --reference FILE.json   reference values in the place of an image, or beside it, as for enclavejs verify; may be repeated
  --label LABEL           names of the images, in their order; default: the files' names
  --pin WHAT              both (default): the image (PCR0, 1, 2), and who signed it (PCR8) where it is signed; image;
                          signer: every image that this signer signs, older ones too
  --parent-role           also PCR3: the parent instance must have the role of --role, which is then one alone
  --parent-instance ID    also PCR4: the parent instance
  --pcr INDEX=HEX         another PCR for all, such as one that the application extends and locks; may be repeated
  --allow-doubtful        also takes an image that the inspector warns about
  --allow-debug-mode      dangerous: takes PCRs of zero, which every enclave in debug mode has

Other flags
  --key-agreement         a key for DeriveSharedSecret (KEY_AGREEMENT) in the place of one for Decrypt
  --json                  with what else CreateKey needs: { "Policy", "BypassPolicyLockoutSafetyCheck", "KeyUsage" }
  --help

Exit status: 0 printed; 1 refused (the code on stderr); 2 wrong use.`

const REPEATED = { type: 'string', multiple: true } as const
const FLAGS: Flags = {
  role: REPEATED,
  administrator: REPEATED,
  encrypter: REPEATED,
  reference: REPEATED,
  label: REPEATED,
  pcr: REPEATED,
  pin: { type: 'string' },
  'parent-instance': { type: 'string' },
  ...Object.fromEntries(
    [
      ...['locked', 'replaceable', 'parent-role', 'allow-doubtful', 'allow-debug-mode'],
      ...['key-agreement', 'json'],
    ].map((name) => [name, { type: 'boolean' } as const]),
  ),
}

/** `enclavejs policy`. */
export const policy: Command = {
  summary: 'print the KMS key policy for images',
  help: HELP,
  run: (args, terminal) => refusingImages(args, terminal, () => run(args, terminal)),
}

async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const given = parseArguments(args, FLAGS)
  const principals = readPrincipals(given)
  const pins = await readPins(given, principals.enclaveRoles)
  const sets = [...(await imageSets(given, terminal)), ...(await referenceSets(given))]
  if (sets.length === 0) throw usage('IMAGE is missing, or --reference FILE.json')
  const keyUsage = given.has('key-agreement') ? 'KEY_AGREEMENT' : 'ENCRYPT_DECRYPT'
  const options: CreateKeyPolicyOptions = {
    ...principals,
    images: sets.map((set) => addPins(set, pins)),
    locked: given.has('locked'),
    keyUsage,
    allowDebugMode: given.has('allow-debug-mode'),
  }
  const { createKeyPolicy, KeyPolicyError } = await loadKmsPolicy()
  try {
    print(createKeyPolicy(options), keyUsage, given, terminal)
    return Exit.ACCEPTED
  } catch (error) {
    if (error instanceof KeyPolicyError) {
      const { code, message } = error
      if (given.has('json')) printJson(terminal, { error: { code, message } })
      terminal.warn(`refused: ${code}`)
      terminal.warn(message)
      return Exit.REFUSED
    }
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    throw usage(asFlags(error.message), { cause: error })
  }
}

function print(
  { policy, json, bypassPolicyLockoutSafetyCheck }: CreatedKeyPolicy,
  KeyUsage: string,
  given: Arguments,
  terminal: Terminal,
): void {
  if (given.has('json')) {
    const BypassPolicyLockoutSafetyCheck = bypassPolicyLockoutSafetyCheck
    printJson(terminal, { Policy: json, BypassPolicyLockoutSafetyCheck, KeyUsage })
    return
  }
  const text = JSON.stringify(policy, undefined, 2)
  // KMS counts the spaces too.
  terminal.print(text.length <= MAX_POLICY_SIZE ? text : json)
  if (bypassPolicyLockoutSafetyCheck) {
    terminal.warn(
      'locked: KMS takes it with BypassPolicyLockoutSafetyCheck only, and nobody can change it afterwards',
    )
  }
}

const MAX_POLICY_SIZE = 32_768

function readPrincipals(
  given: Arguments,
): Pick<CreateKeyPolicyOptions, 'account' | 'enclaveRoles' | 'administrators' | 'encrypters'> {
  const enclaveRoles = given.values('role')
  const administrators = given.values('administrator')
  if (enclaveRoles.length === 0) throw usage('--role ARN is missing')
  if (administrators.length === 0) {
    throw usage(
      "--administrator ARN is missing: the account's root, arn:aws:iam::ACCOUNT:root, will do",
    )
  }
  if (given.has('locked') === given.has('replaceable')) {
    throw usage(
      '--locked or --replaceable must be said: whether administrators can replace the policy',
    )
  }
  const account = /^arn:[^:]*:iam::(\d{12}):/.exec(administrators[0] as string)?.[1]
  if (account === undefined) throw usage('--administrator: arn:PARTITION:iam::ACCOUNT:… expected')
  return { account, enclaveRoles, administrators, encrypters: given.values('encrypter') }
}

/** Reference values of the image files, in their order. */
async function imageSets(
  given: Arguments,
  terminal: Terminal,
): Promise<readonly ReferenceValues[]> {
  const files = given.positionals
  const labels = given.values('label')
  if (labels.length > files.length) throw usage('more labels than images')
  if (files.length === 0) return []
  const { core, node } = await loadEif()
  const sets: ReferenceValues[] = []
  for (const [index, path] of files.entries()) {
    const bar = progressBar()
    const description = await withImageFile(path, (file) =>
      node.describeFile(file, { onProgress: (progress) => bar.show(progress) }),
    ).finally(() => bar.end())
    warnFindings(terminal, description)
    const label = labels[index] ?? path
    const allowDoubtful = given.has('allow-doubtful')
    const { pcrs } = core.referenceValues(description, { label, allowDoubtful })
    sets.push(select({ label, pcrs: namePcrs(pcrs) }, given))
  }
  return sets
}

async function referenceSets(given: Arguments): Promise<readonly ReferenceValues[]> {
  const files = await Promise.all(given.values('reference').map((file) => readReferenceFile(file)))
  return files.flat().map((set) => select({ ...set, pcrs: namePcrs(set.pcrs) }, given))
}

type Pcrs = Record<`PCR${number}`, string>

function namePcrs(pcrs: object): Pcrs {
  return Object.fromEntries(
    Object.entries(pcrs).map(([key, value]) => [`PCR${key.replace('PCR', '')}`, value as string]),
  )
}

/** What of an image is pinned. */
function select(set: ReferenceValues, given: Arguments): ReferenceValues {
  const pin = given.value('pin') ?? 'both'
  if (!['both', 'image', 'signer'].includes(pin)) {
    throw usage('--pin: both, image or signer expected')
  }
  const { PCR0, PCR1, PCR2, PCR8, ...others } = set.pcrs as Pcrs
  const image = pin === 'signer' ? {} : { PCR0, PCR1, PCR2 }
  const signer = pin === 'image' ? {} : { PCR8 }
  const chosen = Object.entries({ ...image, ...signer, ...others })
  const pcrs = Object.fromEntries(chosen.filter(([, value]) => value !== undefined)) as Pcrs
  if (pin === 'signer' && PCR8 === undefined) {
    throw usage(`--pin signer: ${JSON.stringify(set.label)} is not signed`)
  }
  return { ...set, pcrs }
}

/** PCRs that every image has besides its own. */
async function readPins(
  given: Arguments,
  roles: readonly string[],
): Promise<ReadonlyMap<number, string>> {
  const pins = new Map<number, string>()
  const pin = (index: number, value: string, flag: string): void => {
    if (pins.has(index)) throw usage(`${flag}: PCR${index} is given twice`)
    pins.set(index, value)
  }
  for (const value of given.values('pcr')) {
    const [, index, digits = ''] = /^(?:PCR)?(0|[1-9]|[12]\d|3[01])=(.*)$/s.exec(value) ?? []
    if (index === undefined) throw usage('--pcr: INDEX=HEX expected with an index of 0 to 31')
    if (readHex(digits, `--pcr ${index}`).length !== 48) {
      throw usage(`--pcr ${index}: 96 hex digits (48 bytes) expected, ${digits.length} given`)
    }
    pin(Number(index), digits, '--pcr')
  }
  const instance = given.value('parent-instance')
  if (!given.has('parent-role') && instance === undefined) return pins
  const { core } = await loadEif()
  const hash = { createHash: () => createHash('sha384') }
  try {
    if (given.has('parent-role')) {
      const [role, second] = roles
      if (second !== undefined) throw usage('--parent-role: one --role expected, several given')
      pin(3, core.computeRolePcr(role as string, hash), '--parent-role')
    }
    if (instance !== undefined) pin(4, core.computeInstancePcr(instance, hash), '--parent-instance')
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw usage(
      error.message.replace('roleArn', '--role').replace('instanceId', '--parent-instance'),
      {
        cause: error,
      },
    )
  }
  return pins
}

/** A pin narrows every image, and never replaces what an image measures to. */
function addPins(set: ReferenceValues, pins: ReadonlyMap<number, string>): ReferenceValues {
  const pcrs: Pcrs = { ...(set.pcrs as Pcrs) }
  for (const [index, value] of pins) {
    const known = pcrs[`PCR${index}`]
    if (known !== undefined && known.toLowerCase() !== value.toLowerCase()) {
      throw usage(`PCR${index} contradicts that of ${JSON.stringify(set.label)}`)
    }
    pcrs[`PCR${index}`] = value
  }
  return { ...set, pcrs }
}

/** The options of the package under the names that they have here. */
function asFlags(message: string): string {
  return message
    .replaceAll('enclaveRoles', '--role')
    .replaceAll('administrators', '--administrator')
    .replaceAll('encrypters', '--encrypter')
    .replaceAll('allowDebugMode', '--allow-debug-mode')
    .replace(/; a Deny for a PCR needs/, ' (--pin image leaves PCR8 out); a Deny for a PCR needs')
}
