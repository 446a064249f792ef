import { setTimeout as wait } from 'node:timers/promises'
import { readLog } from '@enclavejs/vsock/log'
import type { Admission } from './admission.ts'
import type { BackendKind } from './backend.ts'
import { ConsoleFile } from './console-file.ts'
import { ConsoleLines } from './console-lines.ts'
import type { Doors, OpenDoor } from './doors.ts'
import { writeRecord, type EnclaveRecord } from './enclave-record.ts'
import type { Machine, VsockPlace } from './machine.ts'
import type { RunDirectory } from './run-directory.ts'
import type { RunEnd, RunSettings } from './run-options.ts'

/** Milliseconds that connections may still take when an enclave is ended, unless said otherwise. */
const GRACE = 10_000
/** Lines of the console that are repeated when it ends too early. */
const LAST_LINES = 4
const LOG_PAUSE = 1000

/** An enclave that runs under this process. */
export interface RunningEnclave extends AsyncDisposable {
  readonly name: string
  readonly backend: BackendKind
  readonly cid: number
  /** Where `connect` of `@enclavejs/vsock` reaches it. */
  readonly vsock: VsockPlace
  /** `i-…-enc…` of nitro-cli and QEMU. */
  readonly enclaveId: string | undefined
  readonly debugMode: boolean
  readonly memoryMib: number
  readonly cpus: number
  /** PCRs of the image file in hex; undefined for a program. */
  readonly pcrs: Readonly<Record<string, string>> | undefined
  /** On what grounds it was let in. */
  readonly admission: Admission
  /** The ports that are open for it. */
  readonly doors: readonly OpenDoor[]
  /** Resolves when it has ended and nothing of it is left. Rejects with `ERR_LAUNCHER_STOP` if it could not be ended. */
  readonly ended: Promise<RunEnd>
  /**
   * Ends it: takes no more connections, lets open ones end for `grace` milliseconds (10,000 unless given), then ends the enclave:
   * a simulated program and QEMU are asked first and killed after `grace` again. A second call with a shorter grace hastens the first.
   *
   * @throws {LauncherError} `ERR_LAUNCHER_STOP`
   */
  stop(options?: { readonly grace?: number }): Promise<RunEnd>
}

/** {@link RunningEnclave} from inside: what starts it notes and closes things here. */
export class Run implements RunningEnclave {
  readonly #settings: RunSettings
  readonly #runs: RunDirectory
  readonly #doors: Doors
  readonly #consoleFile: ConsoleFile
  readonly #consoleLines: ConsoleLines
  readonly #last: string[] = []
  readonly #closing = new AbortController()
  readonly #onStop: () => void
  readonly #closers: (() => void)[] = []
  #record: EnclaveRecord
  #machine: Machine | undefined
  #stopping: Promise<RunEnd> | undefined
  #asked = false
  admission: Admission = { by: 'none', pcrs: [], proven: '', notProven: '' }
  ended: Promise<RunEnd>
  #end: (end: Promise<RunEnd>) => void

  constructor(
    settings: RunSettings,
    runs: RunDirectory,
    doors: Doors,
    record: EnclaveRecord,
    onStop: () => void,
  ) {
    this.#onStop = onStop
    this.#settings = settings
    this.#runs = runs
    this.#doors = doors
    this.#record = record
    this.#consoleFile = new ConsoleFile(runs.folder(record.name))
    this.#consoleLines = new ConsoleLines((line) => {
      this.#last.push(line)
      if (this.#last.length > LAST_LINES) this.#last.shift()
      settings.tell({ type: 'console', line })
    })
    let end: (value: Promise<RunEnd>) => void = () => undefined
    this.ended = new Promise<RunEnd>((resolve) => (end = resolve))
    this.#end = end
    this.ended.catch(() => undefined)
  }

  get name(): string {
    return this.#record.name
  }

  get backend(): BackendKind {
    return this.#record.backend
  }

  get cid(): number {
    return this.#record.cid
  }

  get vsock(): VsockPlace {
    const { vsockPath: path, cid } = this.#record
    return path === undefined ? { cid } : { path }
  }

  get enclaveId(): string | undefined {
    return this.#record.enclaveId
  }

  get debugMode(): boolean {
    return this.#record.debugMode
  }

  get memoryMib(): number {
    return this.#record.memoryMib
  }

  get cpus(): number {
    return this.#record.cpus
  }

  get pcrs(): Readonly<Record<string, string>> | undefined {
    return this.#record.pcrs
  }

  get simulatorDirectory(): string {
    return this.#record.simulatorDirectory ?? ''
  }

  get doors(): readonly OpenDoor[] {
    return this.#doors.open
  }

  readonly onConsole = (bytes: Uint8Array): void => {
    this.#consoleFile.write(bytes)
    this.#consoleLines.write(bytes)
  }

  /** The end of what its console said. */
  get lastWords(): string {
    return this.#last.length === 0
      ? ''
      : `; its console ends: ${this.#last.join(' | ').slice(-600)}`
  }

  note(changes: Partial<EnclaveRecord>): void {
    this.#record = { ...this.#record, ...changes }
    writeRecord(this.#runs.folder(this.name), this.#record)
  }

  /** Something to be closed with it. */
  keep(close: () => void): void {
    this.#closers.push(close)
  }

  take(machine: Machine): void {
    this.#machine = machine
    if (this.#stopping !== undefined) {
      // It was stopped while it started, and nothing knew it then.
      void machine.end(0).catch(() => undefined)
      return
    }
    void machine.ended.then(() => {
      if (this.#stopping === undefined) void this.#finish(0).catch(() => undefined)
    })
  }

  /** Entries of its log as events, from when it has one until it ends. */
  async follow(port: number): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        const log = readLog({ ...this.vsock, port, follow: true, signal })
        for await (const entry of log) this.#settings.tell({ type: 'log', entry })
      } catch {
        // It has no log yet, or none any more.
      }
      await wait(LOG_PAUSE, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  stop({ grace = GRACE }: { readonly grace?: number } = {}): Promise<RunEnd> {
    this.#asked = true
    if (this.#stopping !== undefined) {
      void this.#doors.close(grace).catch(() => undefined)
      void this.#machine?.end(grace).catch(() => undefined)
      return this.#stopping
    }
    return this.#finish(grace)
  }

  /** Ends what was started of it, when it could not be started in whole. */
  async abandon(): Promise<void> {
    await this.#finish(0).catch(() => undefined)
  }

  #finish(grace: number): Promise<RunEnd> {
    this.#stopping ??= this.#close(grace)
    this.#end(this.#stopping)
    return this.#stopping
  }

  async #close(grace: number): Promise<RunEnd> {
    const { tell } = this.#settings
    if (this.#asked) this.#onStop()
    tell({ type: 'stopping' })
    try {
      this.note({ state: 'stopping' })
    } catch {
      // Its folder was removed by someone: it ends all the same.
    }
    const cut = await this.#doors.close(grace)
    try {
      const forced = (await this.#machine?.end(grace))?.forced ?? false
      const ended = (await this.#machine?.ended) ?? { status: undefined, reason: 'not started' }
      const end: RunEnd = { ...ended, asked: this.#asked, cut, forced }
      this.#runs.release(this.name)
      tell({ type: 'ended', ...end })
      return end
    } finally {
      this.#closing.abort()
      for (const close of this.#closers) close()
      this.#consoleLines.end()
      this.#consoleFile.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
