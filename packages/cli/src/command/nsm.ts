import type { NsmDevice } from '@enclavejs/nsm'
import { hexFlag, numberFlag, parseArguments, type Arguments, type Flags } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { usage } from '../error.ts'
import { loadNsmPackage, nsmErrorCode } from '../nsm-package.ts'
import { hex, printJson } from '../output/json.ts'
import { pcrMeaning } from '../output/pcr.ts'
import { escapeText } from '../output/printable.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `enclavejs nsm describe | pcr [INDEX…] | random [COUNT] | attest [flags]

Asks the Nitro Secure Module, /dev/nsm, of the enclave that this runs in. On a laptop, enclavejs simulate -- enclavejs
nsm … asks a simulated one.

  describe              module id, version, locked PCRs
  pcr [INDEX…]          the PCRs given, or all 32
  random [COUNT]        COUNT random bytes of the NSM, 1 to 1048576, default 32, in hex
  attest                an attestation document
    --nonce HEX         the challenge of whoever will verify it
    --public-key HEX    a public key to attest, up to 1024 bytes
    --user-data HEX     anything else to attest, up to 1024 bytes

  --format NAME         of random and attest: hex, base64 or raw; default hex for random, base64 for attest
  --deadline MS         how long one answer of the NSM may take, default 10000
  --json                the result as JSON
  --help

Exit status: 0 done; 1 the NSM is not there or refused (the code on stderr); 2 wrong use.`

const FLAGS = {
  nonce: { type: 'string' },
  'public-key': { type: 'string' },
  'user-data': { type: 'string' },
  format: { type: 'string' },
  deadline: { type: 'string' },
  json: { type: 'boolean' },
} as const satisfies Flags

type Action = (nsm: NsmDevice, given: Arguments, terminal: Terminal) => Promise<void>

const ACTIONS: Readonly<
  Record<string, { readonly flags: readonly string[]; readonly run: Action }>
> = {
  describe: { flags: [], run: describe },
  pcr: { flags: [], run: printPcrs },
  random: { flags: ['format'], run: printRandom },
  attest: { flags: ['format', 'nonce', 'public-key', 'user-data'], run: attest },
}

/** `enclavejs nsm`. */
export const nsm: Command = {
  summary: 'ask the Nitro Secure Module of this enclave',
  help: HELP,
  async run(args, terminal) {
    const given = parseArguments(args, FLAGS)
    const [name] = given.positionals
    if (name === undefined || !Object.hasOwn(ACTIONS, name)) {
      throw usage('describe, pcr, random or attest expected; see enclavejs nsm --help')
    }
    const { flags, run } = ACTIONS[name] as (typeof ACTIONS)[string]
    for (const flag of ['format', 'nonce', 'public-key', 'user-data']) {
      if (given.value(flag) !== undefined && !flags.includes(flag)) {
        throw usage(`--${flag} does not belong to nsm ${name}`)
      }
    }
    const deadline = numberFlag(given, 'deadline', {
      least: 1,
      most: 120_000,
      unit: 'milliseconds',
    })
    const { openNsm } = await loadNsmPackage()
    try {
      await using device = openNsm(deadline === undefined ? {} : { deadline: Math.ceil(deadline) })
      await run(device, given, terminal)
      return Exit.ACCEPTED
    } catch (error) {
      const code = nsmErrorCode(error)
      if (code === undefined) throw error
      const { message } = error as Error
      if (given.has('json')) printJson(terminal, { error: { code, message } })
      terminal.warn(`failed: ${code}`)
      terminal.warn(message)
      return Exit.REFUSED
    }
  },
}

async function describe(device: NsmDevice, given: Arguments, terminal: Terminal): Promise<void> {
  noMore(given, 0)
  const description = await device.describeNsm()
  const { moduleId, digest, maxPcrs, lockedPcrs } = description
  const version = `${description.versionMajor}.${description.versionMinor}.${description.versionPatch}`
  const { source } = device
  if (given.has('json')) {
    printJson(terminal, { source, moduleId, version, digest, maxPcrs, lockedPcrs })
    return
  }
  terminal.print(`module    ${escapeText(moduleId)}`)
  terminal.print(`answered  by ${source === 'device' ? 'the device' : 'a simulator'}`)
  terminal.print(`version   ${version}`)
  terminal.print(`digest    ${escapeText(digest)}`)
  terminal.print(`PCRs      ${maxPcrs}, locked ${lockedPcrs.join(' ') || 'none'}`)
}

async function printPcrs(device: NsmDevice, given: Arguments, terminal: Terminal): Promise<void> {
  const indices = given.positionals.slice(1).map((text) => {
    if (/^(?:[12]?\d|3[01])$/.test(text)) return Number(text)
    throw usage(`nsm pcr: an index of 0 to 31 expected; ${JSON.stringify(text)} given`)
  })
  if (indices.length === 0) indices.push(...Array.from({ length: 32 }, (_, index) => index))
  const report: Record<string, { locked: boolean; value: string; meaning: string }> = {}
  for (const index of new Set(indices)) {
    const { locked, data } = await device.describePcr(index)
    report[String(index)] = { locked, value: hex(data), meaning: pcrMeaning(index) }
  }
  if (given.has('json')) {
    printJson(terminal, report)
    return
  }
  for (const [index, { locked, value, meaning }] of Object.entries(report)) {
    const lock = locked ? 'locked  ' : 'unlocked'
    terminal.print(`PCR${index.padEnd(2)} ${value}  ${lock}  ${meaning}`)
  }
}

async function printRandom(device: NsmDevice, given: Arguments, terminal: Terminal): Promise<void> {
  noMore(given, 1)
  const text = given.positionals[1] ?? '32'
  const count = /^\d+$/.test(text) ? Number(text) : 0
  if (count < 1 || count > 1_048_576) {
    throw usage(`nsm random: 1 to 1048576 bytes expected; ${JSON.stringify(text)} given`)
  }
  const output = outputOf(given, terminal, 'hex')
  output('random', await device.getRandom(count))
}

async function attest(device: NsmDevice, given: Arguments, terminal: Terminal): Promise<void> {
  noMore(given, 0)
  const nonce = hexFlag(given, 'nonce')
  const publicKey = hexFlag(given, 'public-key')
  const userData = hexFlag(given, 'user-data')
  for (const [flag, bytes] of Object.entries({
    nonce,
    'public-key': publicKey,
    'user-data': userData,
  })) {
    if (bytes !== undefined && bytes.length > 1024) {
      throw usage(`--${flag}: at most 1024 bytes expected, ${bytes.length} given`)
    }
  }
  const output = outputOf(given, terminal, 'base64')
  const document = await device.attestation({
    ...(nonce && { nonce }),
    ...(publicKey && { publicKey }),
    ...(userData && { userData }),
  })
  output('document', document)
}

/** How bytes are to be written; wrong flags are refused before the NSM is asked. */
function outputOf(
  given: Arguments,
  terminal: Terminal,
  usual: string,
): (name: string, bytes: Uint8Array) => void {
  const format = given.value('format') ?? usual
  if (format !== 'hex' && format !== 'base64' && format !== 'raw') {
    throw usage('--format: hex, base64 or raw expected')
  }
  if (given.has('json') && format === 'raw') throw usage('--json and --format raw contradict')
  if (format === 'raw' && terminal.interactive) {
    throw usage('--format raw: redirect stdout to a file or a pipe')
  }
  return (name, bytes) => {
    if (format === 'raw') {
      terminal.write(bytes)
      return
    }
    const text = Buffer.from(bytes).toString(format)
    if (given.has('json')) printJson(terminal, { format, [name]: text })
    else terminal.print(text)
  }
}

function noMore(given: Arguments, allowed: number): void {
  const extra = given.positionals[allowed + 1]
  if (extra !== undefined) throw usage(`nsm: the argument ${JSON.stringify(extra)} is too many`)
}
