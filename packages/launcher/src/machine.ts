import type { BackendKind } from './backend.ts'
import type { ProcessIdentity } from './process-identity.ts'
import type { Host } from './surroundings.ts'

/** What is to be started. */
export interface Launch {
  readonly host: Host
  readonly name: string
  /** A folder of its own. */
  readonly folder: string
  /** The image, or the program of a simulated enclave. */
  readonly path: string
  readonly memoryMib: number
  readonly cpus: number
  readonly cid: number | undefined
  readonly debugMode: boolean
  readonly role: string | undefined
  readonly env: Readonly<Record<string, string>>
  readonly args: readonly string[]
  /** Milliseconds until it must run. */
  readonly timeout: number
  readonly signal: AbortSignal
  readonly onConsole: (bytes: Uint8Array) => void
}

/** How a machine ended. */
export interface EnclaveEnd {
  /** The exit status of a simulated enclave's program, or of QEMU. No one else says it. */
  readonly status: number | undefined
  /** In words. */
  readonly reason: string
}

/** An enclave that was started, by whatever started it. */
export interface Machine {
  readonly backend: BackendKind
  readonly cid: number
  readonly vsock: VsockPlace
  readonly enclaveId: string | undefined
  readonly memoryMib: number
  readonly cpus: number
  readonly debugMode: boolean
  /** What the parent's own processes for it are. */
  readonly processes: readonly ProcessIdentity[]
  /** What the backend itself says that the file measures to. */
  readonly fileMeasurements: Readonly<Record<string, string>> | undefined
  /** Resolves when it has ended, by itself or not. Never rejects. */
  readonly ended: Promise<EnclaveEnd>
  /** Ends it: gracefully where that is possible, by force after `grace` milliseconds. */
  end(grace: number): Promise<{ readonly forced: boolean }>
}

/** Where the parent reaches an enclave: its CID, or the Unix socket in place of it (hybrid vsock). */
export type VsockPlace = { readonly cid: number } | { readonly path: string }
