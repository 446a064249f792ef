import { readFileSync } from 'node:fs'
import { vectors } from '../../../test/vectors.ts'
import { AttestationError, type VerifyAttestationOptions } from '../src/index.ts'

/** What the index says of a document; another program read it. */
interface Entry {
  readonly file: string
  readonly kind: 'enclave' | 'nitrotpm'
  readonly sig_high_s: boolean | null
  readonly payload_map_encoding: string
  readonly module_id: string
  readonly timestamp_ms: number
  readonly pcr_indices: readonly number[]
  /** Hex by index; the others are zero. */
  readonly pcrs_nonzero: Readonly<Record<string, string>>
  readonly debug_mode_pcr0_zero: boolean
  readonly public_key: 'null' | Field
  readonly user_data: 'null' | Field
  readonly nonce: 'null' | Field
  readonly leaf_not_before: string
  readonly leaf_not_after: string
}

/** Hex is cut with an ellipsis where it is long. */
interface Field {
  readonly len: number
  readonly hex: string
}

export interface RealDocument extends Entry {
  readonly bytes: Uint8Array
}

export const ABSENT = 'needs ../shared/vectors/attestation-docs'
export const ZERO: string = '00'.repeat(48)

/** The real documents and the others; undefined where this machine has none. */
export function realDocuments():
  | { readonly genuine: readonly RealDocument[]; readonly notGenuine: readonly RealDocument[] }
  | undefined {
  const path = vectors('attestation-docs/index.json')
  if (path === undefined) return undefined
  const index = JSON.parse(readFileSync(path, 'utf8')) as Record<string, readonly Entry[]>
  const load = (entries: readonly Entry[] = []): RealDocument[] =>
    entries.map((entry) => ({
      ...entry,
      bytes: new Uint8Array(readFileSync(vectors(`attestation-docs/${entry.file}`) as string)),
    }))
  return { genuine: load(index['genuine']), notGenuine: load(index['not_genuine']) }
}

/** The document's PCRs that are not zero, and PCR0, 1 and 2 in debug mode, as reference values. */
export function ownPcrs(document: RealDocument): Record<number, string> {
  const pcrs: Record<number, string> = document.debug_mode_pcr0_zero
    ? { 0: ZERO, 1: ZERO, 2: ZERO }
    : {}
  return { ...pcrs, ...document.pcrs_nonzero }
}

/** Options under which the document is accepted, one second after it was made. */
export function ownOptions(document: RealDocument): VerifyAttestationOptions {
  return {
    referenceValues: { pcrs: ownPcrs(document) },
    maxAge: 4 * 3600,
    currentDate: new Date(document.timestamp_ms + 1000),
    ...(document.debug_mode_pcr0_zero ? { allowDebugMode: true } : {}),
  }
}

/** The code of the refusal, or `accepted`. Any error but an AttestationError goes through. */
export async function refusalOf(call: () => unknown): Promise<string> {
  try {
    await call()
    return 'accepted'
  } catch (error) {
    if (error instanceof AttestationError && /^ERR_ATTESTATION_[A-Z0-9_]+$/.test(error.code)) {
      return error.code
    }
    throw error
  }
}

/** Runs `task` for 0 to `count` - 1, a few at a time: the crypto provider has threads of its own. */
export async function each(count: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

/** How often each code came. */
export class Tally {
  readonly #counts = new Map<string, number>()

  add(code: string): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1)
  }

  get(code: string): number {
    return this.#counts.get(code) ?? 0
  }

  get codes(): Record<string, number> {
    return Object.fromEntries([...this.#counts].toSorted(([, a], [, b]) => b - a))
  }
}
