import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Admission } from './admission.ts'
import type { BackendKind } from './backend.ts'
import type { ProcessIdentity } from './process-identity.ts'

/** What is written down of an enclave, for other processes of this user. */
export interface EnclaveRecord {
  readonly version: 1
  readonly name: string
  readonly backend: BackendKind
  readonly state: 'starting' | 'running' | 'stopping'
  readonly startedAt: string
  /** The process that started it, carries its proxy and ends it. */
  readonly supervisor: ProcessIdentity
  /** The machine's own processes. None where nitro-cli has them. */
  readonly processes: readonly ProcessIdentity[]
  readonly cid: number
  /** Where vsock is a Unix socket (hybrid vsock). */
  readonly vsockPath?: string
  /** The simulator's directory, in which both ends of its vsock meet. */
  readonly simulatorDirectory?: string
  readonly enclaveId?: string
  readonly debugMode: boolean
  readonly memoryMib: number
  readonly cpus: number
  readonly image: string
  /** PCRs of the image file, in hex. */
  readonly pcrs?: Readonly<Record<string, string>>
  readonly admission?: Admission
  readonly logPort?: number
}

const FILE = 'enclave.json'

/** Writes the record of an enclave into its folder, as a whole or not at all. */
export function writeRecord(folder: string, record: EnclaveRecord): void {
  const file = join(folder, FILE)
  writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** Reads the record of an enclave; undefined where there is none, or none of this version. */
export function readRecord(folder: string): EnclaveRecord | undefined {
  let value: Partial<EnclaveRecord>
  try {
    value = JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as Partial<EnclaveRecord>
  } catch {
    return undefined
  }
  const { version, name, supervisor, processes, cid } = value ?? {}
  const complete =
    version === 1 &&
    typeof name === 'string' &&
    Number.isInteger(cid) &&
    isIdentity(supervisor) &&
    Array.isArray(processes) &&
    processes.every(isIdentity)
  return complete ? (value as EnclaveRecord) : undefined
}

function isIdentity(value: unknown): boolean {
  const { pid, startTime, bootId } = (value ?? {}) as Partial<ProcessIdentity>
  const isText = typeof startTime === 'string' && typeof bootId === 'string'
  return isText && Number.isInteger(pid) && (pid as number) > 1
}
