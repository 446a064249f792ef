import type { EifDescription, EifReferenceValues } from '@enclavejs/eif'
import { parseArguments, type Arguments } from '../arguments.ts'
import { Exit, type Command } from '../command.ts'
import { loadEif } from '../eif-package.ts'
import { refusingImages } from '../eif-refusal.ts'
import { usage } from '../error.ts'
import { build, oneFile } from './eif-build.ts'
import { withImageFile } from '../image-file.ts'
import { imageToJson, warnFindings } from '../output/image.ts'
import { printJson } from '../output/json.ts'
import { progressBar } from '../output/progress.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `enclavejs eif describe|measure FILE [--json]
enclavejs eif reference-values FILE... [--label LABEL]... [--allow-doubtful]
enclavejs eif diff OLD NEW [--label LABEL]... [--json] [--allow-doubtful]
enclavejs eif build OUTPUT --kernel FILE --cmdline TEXT [flags]

Enclave images: what they hold, what they measure to, what a verifier must admit, and making them. Nothing that an
image's header and metadata say is measured. describe and measure print what nitro-cli describe-eif prints, field by
field; warnings go to stderr. FILE is - for stdin, which is written to a temporary file first. (enclavejs build makes an
image of a Node program.)

  --json               the same fields and more: sections, digests, warnings, notes
  --allow-doubtful     also takes an image that the inspector warns about; without it no reference values are given
  --label LABEL        names of the sets, in the order of the files; default: the files' names

build: the root file system is one of
  --image PATH         an OCI image layout (directory or tar), or what docker save writes
  --reference NAME     which of several images in it
  --directory PATH     a directory; owners, times and permissions are normalised
  --tar FILE           a tar archive
and further
  --mode MODE          oci (default): our init, as the image's configuration says; nitro-cli: for AWS's init
  --init FILE          a static init; required in mode nitro-cli
  --nsm-module FILE    nsm.ko, for a kernel that has the driver as a module
  --entrypoint WORD    instead of the image's; repeatable, one for each word
  --cmd WORD           the same for CMD
  --env KEY=VALUE      the same for ENV
  --architecture NAME  x86_64 or aarch64
  --compress           gzips the ramdisks; PCRs then depend on this Node's zlib
  --certificate FILE   signs the image, with
  --private-key FILE   an ECDSA key in PEM
  --help

Exit status: 0 good, or shown with warnings; 1 refused (the code on stderr); 2 wrong use.`

const LABEL = { type: 'string', multiple: true } as const
const FLAGS = { json: { type: 'boolean' }, 'allow-doubtful': { type: 'boolean' } } as const

/** `enclavejs eif`. */
export const eif: Command = {
  summary: 'describe, measure, compare and build enclave images',
  help: HELP,
  async run(args, terminal) {
    const [name = '', ...rest] = args
    if (!Object.hasOwn(SUBCOMMANDS, name)) {
      throw usage(`eif: ${JSON.stringify(name)} is none of ${Object.keys(SUBCOMMANDS).join(', ')}`)
    }
    return refusingImages(rest, terminal, () => (SUBCOMMANDS[name] as Subcommand)(rest, terminal))
  },
}

async function describe(args: readonly string[], terminal: Terminal): Promise<number> {
  const given = parseArguments(args, { json: { type: 'boolean' } })
  const { core } = await loadEif()
  const description = await describeFile(oneFile(given))
  const text = core.formatDescribeEif(description)
  if (given.has('json')) printJson(terminal, imageToJson(text, description))
  else terminal.print(text)
  warnFindings(terminal, description)
  return Exit.ACCEPTED
}

type Subcommand = (args: readonly string[], terminal: Terminal) => Promise<number>

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  describe,
  measure: describe,

  async 'reference-values'(args, terminal) {
    const given = parseArguments(args, {
      'allow-doubtful': FLAGS['allow-doubtful'],
      label: LABEL,
    })
    const sets = await referenceSets(given.positionals, given, terminal)
    printJson(terminal, sets.length === 1 ? sets[0] : sets)
    return Exit.ACCEPTED
  },

  async diff(args, terminal) {
    const given = parseArguments(args, { ...FLAGS, label: LABEL })
    if (given.positionals.length !== 2) throw usage('eif diff takes OLD and NEW')
    const { core } = await loadEif()
    const [before, after] = (await referenceSets(given.positionals, given, terminal)) as [
      EifReferenceValues,
      EifReferenceValues,
    ]
    const diff = core.diffReferenceValues(before, after)
    if (given.has('json')) printJson(terminal, diff)
    else {
      for (const { pcr, value } of diff.same) terminal.print(`  PCR${pcr} ${value}`)
      for (const { pcr, before: old, after: value } of diff.changed) {
        terminal.print(`- PCR${pcr} ${old ?? 'none'}`)
        terminal.print(`+ PCR${pcr} ${value ?? 'none'}`)
      }
      const labels = (list: readonly EifReferenceValues[]): string =>
        list.map(({ label }) => label).join(', ')
      terminal.print(`during the rollout admit: ${labels(diff.duringRollout)}`)
      terminal.print(`after it admit: ${labels(diff.afterRollout)}`)
    }
    return Exit.ACCEPTED
  },

  build,
}

async function referenceSets(
  files: readonly string[],
  given: Arguments,
  terminal: Terminal,
): Promise<EifReferenceValues[]> {
  const { core } = await loadEif()
  if (files.length === 0) throw usage('FILE is missing')
  const labels = given.values('label')
  if (labels.length > files.length) throw usage('more labels than files')
  const sets: EifReferenceValues[] = []
  for (const [index, file] of files.entries()) {
    const description = await describeFile(file)
    warnFindings(terminal, description)
    const label = labels[index] ?? file
    const allowDoubtful = given.has('allow-doubtful')
    sets.push(core.referenceValues(description, { label, allowDoubtful }))
  }
  return sets
}

async function describeFile(path: string): Promise<EifDescription> {
  const { node } = await loadEif()
  const bar = progressBar()
  try {
    return await withImageFile(path, (file) =>
      node.describeFile(file, { onProgress: (progress) => bar.show(progress) }),
    )
  } finally {
    bar.end()
  }
}
