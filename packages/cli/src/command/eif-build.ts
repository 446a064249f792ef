import type { BuildFileOptions } from '@enclavejs/eif/node'
import { parseArguments, type Arguments } from '../arguments.ts'
import { Exit } from '../command.ts'
import { loadEif } from '../eif-package.ts'
import { usage } from '../error.ts'
import { signerOption } from './build.ts'
import { imageToJson, warnFindings } from '../output/image.ts'
import { printJson } from '../output/json.ts'
import type { Terminal } from '../terminal.ts'

const TEXTS = [
  ...['kernel', 'cmdline', 'image', 'reference', 'directory', 'tar', 'mode', 'init'],
  ...['nsm-module', 'architecture', 'certificate', 'private-key'],
]

/** `enclavejs eif build`. */
export async function build(args: readonly string[], terminal: Terminal): Promise<number> {
  const given = parseArguments(args, {
    ...{ json: { type: 'boolean' }, compress: { type: 'boolean' } },
    ...Object.fromEntries(TEXTS.map((flag) => [flag, { type: 'string' } as const])),
    ...Object.fromEntries(
      ['entrypoint', 'cmd', 'env'].map((flag) => [
        flag,
        { type: 'string', multiple: true } as const,
      ]),
    ),
  })
  const { core, node } = await loadEif()
  const description = await node.buildFile(oneFile(given), await buildOptions(given))
  const text = core.formatDescribeEif(description)
  if (given.has('json')) printJson(terminal, imageToJson(text, description))
  else terminal.print(text)
  warnFindings(terminal, description)
  for (const { code, message } of description.notes) {
    if (code === 'kernel-below-node') terminal.warn(`note: ${message}`)
  }
  terminal.warn(`${description.size} bytes written`)
  return Exit.ACCEPTED
}

async function buildOptions(given: Arguments): Promise<BuildFileOptions> {
  const required = (flag: string): string => {
    const value = given.value(flag)
    if (value === undefined) throw usage(`eif build needs --${flag}`)
    return value
  }
  const optional = <Key extends string>(key: Key, flag: string = key) =>
    given.value(flag) === undefined ? {} : ({ [key]: given.value(flag) } as { [K in Key]: string })
  const words = <Key extends string>(key: Key) =>
    given.values(key).length === 0 ? {} : ({ [key]: given.values(key) } as { [K in Key]: string[] })
  const mode = given.value('mode') ?? 'oci'
  if (mode !== 'oci' && mode !== 'nitro-cli') throw usage('--mode is oci or nitro-cli')
  const architecture = given.value('architecture')
  if (architecture !== undefined && architecture !== 'x86_64' && architecture !== 'aarch64') {
    throw usage('--architecture is x86_64 or aarch64')
  }
  if (mode === 'nitro-cli') required('init')
  if (
    ['image', 'directory', 'tar'].filter((flag) => given.value(flag) !== undefined).length !== 1
  ) {
    throw usage('eif build needs one of --image, --directory and --tar')
  }
  return {
    ...{ mode, kernel: required('kernel'), cmdline: required('cmdline') },
    ...optional('init'),
    ...optional('nsmModule', 'nsm-module'),
    application: {
      ...{ ...optional('image'), ...optional('reference') },
      ...{ ...optional('directory'), ...optional('tar') },
    },
    config: { ...words('entrypoint'), ...words('cmd'), ...words('env') },
    ...(architecture && { architecture }),
    compress: given.has('compress'),
    ...(await signerOption(given)),
  }
}

/** The one positional argument. */
export function oneFile(given: Arguments): string {
  const [file, ...more] = given.positionals
  if (file === undefined || more.length > 0) throw usage('one FILE expected')
  return file
}
