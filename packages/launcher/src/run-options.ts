import type { LogEntry } from '@enclavejs/vsock/log'
import type { Admission } from './admission.ts'
import { BACKENDS, type BackendKind } from './backend.ts'
import type { DoorOptions, OpenDoor } from './doors.ts'
import { nameFor } from './image.ts'
import type { EnclaveEnd } from './machine.ts'
import { integerOption, nameOption, ownOptions } from './option.ts'
import type { Surroundings } from './surroundings.ts'

/** Settings of `runEnclave`. Unknown names are refused. */
export interface RunOptions extends DoorOptions {
  /** 1 to 32 letters, digits, `.`, `_` and `-`. Made of the path unless given. */
  readonly name?: string
  /** Chosen unless given: nitro-cli on an enclave-enabled instance, else QEMU; the simulator for programs. */
  readonly backend?: BackendKind
  /** MiB, 64 to 4,194,304. The greater of 512 and four times the image unless given. The simulator ignores it. */
  readonly memoryMib?: number
  /** 1 to 512. 2 unless given. The simulator ignores it. */
  readonly cpus?: number
  /** 4 to 4294967294. A free one unless given. */
  readonly cid?: number
  /**
   * Dangerous: starts it in debug mode. Its PCR0, 1, 2 and 8 are zero, so that no policy and no verifier should accept it, and
   * its console can be read. QEMU always shows its console; whether its PCRs are zero depends on how it was built. Default false.
   */
  readonly dangerouslyDebug?: boolean
  /** The IAM role of the parent, for PCR3 of QEMU and the simulator. An instance has its own. */
  readonly role?: string
  /** A program only: the file to run in its folder. What `main` names unless given. */
  readonly entry?: string
  /** A program only: its arguments. */
  readonly args?: readonly string[]
  /** A program only: its environment. Of this process's it gets `PATH`, `HOME`, `TMPDIR` and `TZ`. */
  readonly env?: Readonly<Record<string, string>>
  /** Ready is: something listens on this vsock port of the enclave. Unless given, the heartbeat suffices. */
  readonly readyPort?: number
  /** QEMU only: `false` starts an image whose init sends no heartbeat. nitro-cli always waits for it. Default true. */
  readonly heartbeat?: boolean
  /**
   * A vsock port where the enclave answers a message of 32 bytes, the nonce, with an attestation document. Before it answers and its PCRs are the
   * image's, no port to it or out of it opens.
   */
  readonly attestPort?: number
  /** Roots (DER) in place of AWS's, for `attestPort`. The simulator's own is known. */
  readonly trustAnchors?: readonly Uint8Array[]
  /** Milliseconds until it must be ready: 1,000 to 3,600,000. 120,000 unless given. */
  readonly timeout?: number
  /** The vsock port of its log (`createLog` of `@enclavejs/vsock/log`), whose entries then come as events. */
  readonly logPort?: number
  /** Told what happens. What it throws is ignored. */
  readonly onEvent?: (event: RunEvent) => void
  /** Ends it while it starts; its reason is thrown. Afterwards there is `stop`. */
  readonly signal?: AbortSignal
  readonly surroundings?: Surroundings
}

/** What happens while an enclave runs. */
export type RunEvent =
  | { readonly type: 'backend'; readonly backend: BackendKind; readonly reason: string }
  | { readonly type: 'measuring'; readonly done: number; readonly total: number }
  | { readonly type: 'measured'; readonly pcrs: Readonly<Record<string, string>> }
  /** Something about the image that the inspector warns of. */
  | { readonly type: 'doubt'; readonly code: string; readonly message: string }
  | { readonly type: 'starting'; readonly memoryMib: number; readonly cpus: number }
  | { readonly type: 'started'; readonly cid: number; readonly enclaveId: string | undefined }
  | ({ readonly type: 'admitted' } & Admission)
  | {
      readonly type: 'ready'
      readonly by: 'heartbeat' | 'port' | 'start'
      readonly milliseconds: number
    }
  | { readonly type: 'open'; readonly doors: readonly OpenDoor[] }
  /** A line of its console, printable. */
  | { readonly type: 'console'; readonly line: string }
  | { readonly type: 'log'; readonly entry: LogEntry }
  | { readonly type: 'stopping' }
  | ({ readonly type: 'ended' } & RunEnd)

/** How a run ended. */
export interface RunEnd extends EnclaveEnd {
  /** Whether it was asked to end: by `stop`, here or from another process. */
  readonly asked: boolean
  /** Connections that were cut off. */
  readonly cut: number
  /** Whether it took force. */
  readonly forced: boolean
}

const KEYS = [
  ...['name', 'backend', 'memoryMib', 'cpus', 'cid', 'dangerouslyDebug', 'role', 'entry', 'args'],
  ...['env', 'readyPort', 'heartbeat', 'attestPort', 'trustAnchors', 'timeout', 'logPort'],
  ...[
    'publish',
    'allow',
    'egressPort',
    'outbound',
    'services',
    'onEvent',
    'signal',
    'surroundings',
  ],
]

/** {@link RunOptions} after the door. */
export type RunSettings = RunOptions &
  Required<Pick<RunOptions, 'name' | 'cpus' | 'timeout' | 'heartbeat' | 'args' | 'env'>> & {
    readonly debugMode: boolean
    readonly tell: (event: RunEvent) => void
  }

/** @throws {TypeError | RangeError} */
export function readRunOptions(path: string, options: RunOptions): RunSettings {
  if (typeof path !== 'string' || path === '') {
    throw new TypeError('path: expected that of an image or a program')
  }
  const given = ownOptions(options, KEYS, 'runEnclave')
  const { backend, role, onEvent } = given
  if (backend !== undefined && !BACKENDS.includes(backend)) {
    throw new TypeError(`backend: expected one of ${BACKENDS.join(', ')}`)
  }
  if (role !== undefined && !/^arn:[A-Za-z0-9+=.@_:/-]{1,400}$/.test(role)) {
    throw new TypeError('role: expected the ARN of a role')
  }
  const optional = (
    key: 'memoryMib' | 'cid' | 'readyPort' | 'attestPort' | 'logPort',
    least: number,
    most: number,
  ): void => {
    if (given[key] !== undefined) integerOption(key, given[key], least, most)
  }
  optional('memoryMib', 64, 4_194_304)
  optional('cid', 4, 0xffff_fffe)
  for (const key of ['readyPort', 'attestPort', 'logPort'] as const) optional(key, 0, 0xffff_fffe)
  return {
    ...given,
    name: nameOption(given.name ?? nameFor(path)),
    cpus: integerOption('cpus', given.cpus ?? 2, 1, 512),
    timeout: integerOption('timeout', given.timeout ?? 120_000, 1000, 3_600_000),
    heartbeat: given.heartbeat !== false,
    args: [...(given.args ?? [])],
    env: { ...given.env },
    debugMode: given.dangerouslyDebug === true,
    tell: (event) => {
      try {
        onEvent?.(event)
      } catch {
        // Who listens does not decide whether the enclave runs.
      }
    },
  }
}
