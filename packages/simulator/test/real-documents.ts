import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Decoder } from 'cbor-x'
import { vectors } from '../../../test/vectors.ts'

const folder = vectors('attestation-docs')

/** Why a test that compares with AWS's own documents is skipped, where it is. */
export const noDocuments: string | undefined =
  folder === undefined ? 'no real documents here: set ENCLAVEJS_VECTORS' : undefined

/** A document of AWS's, taken apart. */
export interface RealDocument {
  readonly file: string
  readonly bytes: Uint8Array
  readonly protected: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  readonly fields: ReadonlyMap<string, unknown>
  /** Root first, the leaf last. */
  readonly path: readonly Uint8Array[]
}

const decoder = new Decoder({ mapsAsObjects: false, useRecords: false })

/** All real enclave documents whose file begins with one of `years`. */
export function realDocuments(...years: readonly string[]): RealDocument[] {
  if (folder === undefined) return []
  return readdirSync(folder)
    .filter((file) => /-enclave-.*\.bin$/.test(file))
    .filter((file) => years.length === 0 || years.some((year) => file.startsWith(year)))
    .map((file) => {
      const bytes = readFileSync(join(folder, file))
      return takeApart(file, bytes)
    })
}

/** Reads an untagged COSE_Sign1 with cbor-x. */
export function takeApart(file: string, bytes: Uint8Array): RealDocument {
  const [header, , payload, signature] = decoder.decode(bytes) as [
    Uint8Array,
    unknown,
    Uint8Array,
    Uint8Array,
  ]
  const fields = decoder.decode(payload) as Map<string, unknown>
  const path = [
    ...(fields.get('cabundle') as Uint8Array[]),
    fields.get('certificate') as Uint8Array,
  ]
  return { file, bytes, protected: header, payload, signature, fields, path }
}
