import { spawn } from 'node:child_process'
import { readConsoleFile } from './console-file.ts'
import { ConsoleLines } from './console-lines.ts'
import { LauncherError } from './error.ts'
import { pick, takeInventory, type Inventory } from './list.ts'
import { ownOptions } from './option.ts'
import { isRunning } from './process-identity.ts'
import type { Surroundings } from './surroundings.ts'

/** Settings of {@link readConsole}. */
export interface ConsoleOptions {
  /** Goes on until the enclave has ended. False unless given: what there is, at most the last two MiB. */
  readonly follow?: boolean
  /** Ends the reading; its reason is thrown. */
  readonly signal?: AbortSignal
  readonly surroundings?: Surroundings
}

/**
 * The console of an enclave, line by line, printable ASCII. An enclave of nitro-cli has one in debug mode only; QEMU and the simulator
 * have one always, which says nothing about production.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_NOT_FOUND`, `ERR_LAUNCHER_NO_CONSOLE`, `ERR_LAUNCHER_RUN_DIRECTORY`
 * @example
 * ```ts
 * import { readConsole } from '@enclavejs/launcher'
 *
 * for await (const line of readConsole('web', { follow: true })) console.log(line)
 * ```
 */
export async function* readConsole(
  name?: string,
  options: ConsoleOptions = {},
): AsyncGenerator<string, void, undefined> {
  const given = ownOptions(options, ['follow', 'signal', 'surroundings'], 'readConsole')
  const inventory = await takeInventory(given.surroundings ?? {})
  const info = pick(inventory, name)
  if (info.backend === 'nitro-cli' && !info.debugMode) {
    throw new LauncherError(
      'ERR_LAUNCHER_NO_CONSOLE',
      `${info.name} is not in debug mode and has no console: read its log (enclavejs logs), or run it with --debug, which makes its PCRs zero`,
    )
  }
  const lines: string[] = []
  const reader = new ConsoleLines((line) => lines.push(line))
  for await (const bytes of source(info.name, inventory, given)) {
    reader.write(bytes)
    yield* lines.splice(0)
  }
  reader.end()
  yield* lines
}

function source(
  name: string,
  { runs, cli, records, enclaves }: Inventory,
  { follow = false, signal }: ConsoleOptions,
): AsyncIterable<Uint8Array> {
  const record = records.get(name)
  if (record !== undefined) {
    return readConsoleFile(runs.folder(name), follow, () => !isRunning(record.supervisor), signal)
  }
  const { enclaveId = '' } = enclaves.find((one) => one.name === name) ?? {}
  const child = spawn(cli?.command ?? 'nitro-cli', ['console', '--enclave-id', enclaveId], {
    stdio: ['ignore', 'pipe', 'ignore'],
    // There is no other way to read what is there and stop: it is ended after two seconds.
    ...{ signal: follow ? signal : AbortSignal.timeout(2000), killSignal: 'SIGTERM' },
  })
  child.on('error', () => undefined)
  return child.stdout as AsyncIterable<Uint8Array>
}
