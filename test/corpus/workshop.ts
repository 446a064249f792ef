import { sign } from 'node:crypto'
import { createCertificateAuthority } from '@enclavejs/simulator'
import {
  attestationEntries,
  changePath,
  encodeCbor,
  encodePayload,
  leafOf,
  signCoseSign1,
  type AttestationFields,
  type CertificateRecipe,
  type CertificationPath,
  type CoseSign1Input,
  type Leaf,
  type Level,
  type NitroRecipe,
  type PayloadEntry,
} from '@enclavejs/simulator/forge'
import type { AttestationErrorCode } from '@enclavejs/attestation'
import type { CorpusPolicy, Draft } from './corpus.ts'

/** The time at which everything is issued and, where a case says nothing else, judged. */
export const NOW: Date = new Date('2026-03-01T12:00:00Z')
export const NONCE: Uint8Array = new Uint8Array(32).fill(7)

/** A good path and the fields of a good document. */
export interface Workshop {
  readonly path: CertificationPath
  /** A path of another authority with the same names: an attacker's. */
  readonly foreign: CertificationPath
  readonly fields: AttestationFields
}

/** What is different from the good document. */
export interface Changes {
  readonly path?: CertificationPath
  /** Other bytes for the path or another key, without the path being issued anew. */
  readonly leaf?: Partial<Leaf>
  readonly fields?: Partial<AttestationFields>
  readonly entries?: (entries: readonly PayloadEntry[]) => readonly PayloadEntry[]
  /** The payload's last change before it is signed. */
  readonly payload?: (payload: Uint8Array) => Uint8Array
  readonly definite?: boolean
  readonly cose?: Partial<Omit<CoseSign1Input, 'payload'>>
  /** What is signed in place of the Sig_structure. */
  readonly signed?: (payload: Uint8Array) => Uint8Array
  /** The message's last change. */
  readonly message?: (message: Uint8Array) => Uint8Array
}

export async function openWorkshop(): Promise<Workshop> {
  const now = (): Date => NOW
  const authority = await createCertificateAuthority({ now })
  const other = await createCertificateAuthority({ now })
  const pcrs = new Map(Array.from({ length: 16 }, (_, index) => [index, pcr(index + 1)]))
  const path = authority.certificationPath()
  const foreign = other.certificationPath(authority.moduleId)
  return {
    path,
    foreign,
    fields: { moduleId: authority.moduleId, timestamp: NOW.getTime(), pcrs, nonce: NONCE },
  }
}

export function pcr(byte: number, length = 48): Uint8Array {
  return new Uint8Array(length).fill(byte)
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

export function at(seconds: number): Date {
  return new Date(NOW.getTime() + 1000 * seconds)
}

/** The good document with these changes, signed after them. */
function documentOf(shop: Workshop, changes: Changes = {}): Uint8Array {
  const leaf = { ...leafOf(changes.path ?? shop.path), ...changes.leaf }
  const entries = attestationEntries({ ...shop.fields, ...changes.fields }, leaf)
  const encoded = encodePayload(changes.entries?.(entries) ?? entries, {
    definite: changes.definite,
  })
  const payload = changes.payload?.(encoded) ?? encoded
  const { privateKey } = leaf
  const other = changes.signed?.(payload)
  const signature =
    other && new Uint8Array(sign('sha384', other, { key: privateKey, dsaEncoding: 'ieee-p1363' }))
  const message = signCoseSign1({
    payload,
    privateKey,
    ...(signature ? { mutateSignature: () => signature } : {}),
    ...changes.cose,
  })
  return changes.message?.(message) ?? message
}

/** A path in which the recipe of one level is changed, and only that certificate signed anew. */
export function withRecipe(
  shop: Workshop,
  level: Level,
  change: (recipe: NitroRecipe) => CertificateRecipe,
): CertificationPath {
  return changePath(shop.path, { recipes: { [level]: change } })
}

/** The levels that issue. */
export const authorities = ['root', 'regional', 'zonal', 'instance'] as const

/** As {@link withRecipe}, with what is to change in the recipe. */
export function reissued(
  shop: Workshop,
  level: Level,
  change: (recipe: NitroRecipe) => Partial<CertificateRecipe>,
): Changes {
  return { path: withRecipe(shop, level, (recipe) => ({ ...recipe, ...change(recipe) })) }
}

/** A path in which the bytes of one certificate are changed after it was signed. */
export function withBytes(
  shop: Workshop,
  level: Level,
  change: (certificate: Uint8Array) => Uint8Array,
): CertificationPath {
  const member = shop.path[level]
  return { ...shop.path, [level]: { ...member, certificate: change(member.certificate) } }
}

/** The pairs with the value (one CBOR item) of a key replaced in its place, or the pair added at the end. */
export function withEntry(
  entries: readonly PayloadEntry[],
  key: string,
  value: Uint8Array,
): readonly PayloadEntry[] {
  const name = encodeCbor(key)
  if (!entries.some((pair) => same(pair[0], name))) return [...entries, [name, value]]
  return entries.map((pair) => (same(pair[0], name) ? [name, value] : pair))
}

export function withoutEntry(
  entries: readonly PayloadEntry[],
  key: string,
): readonly PayloadEntry[] {
  return entries.filter((pair) => !same(pair[0], encodeCbor(key)))
}

/** The value (one CBOR item) of a key. */
export function valueOf(entries: readonly PayloadEntry[], key: string): Uint8Array {
  const pair = entries.find((one) => same(one[0], encodeCbor(key)))
  if (pair === undefined) throw new Error(`the good document has no ${key}`)
  return pair[1]
}

/** A document in which the value (one CBOR item) of a key is changed. */
export function withValue(key: string, change: (value: Uint8Array) => Uint8Array): Changes {
  return { entries: (all) => withEntry(all, key, change(valueOf(all, key))) }
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return toHex(a) === toHex(b)
}

/** Where the certificate of a level stands in a document. */
export const PLACE: Readonly<Record<Level, string>> = {
  root: 'cabundle[0]',
  regional: 'cabundle[1]',
  zonal: 'cabundle[2]',
  instance: 'cabundle[3]',
  leaf: 'certificate',
}

/** What is accepted where a case says nothing else: the image of the good document, and its nonce. */
export const POLICY: CorpusPolicy = {
  referenceValues: [{ pcrs: { 0: toHex(pcr(1)), 1: toHex(pcr(2)), 2: toHex(pcr(3)) } }],
  nonce: toHex(NONCE),
}

export type Row = readonly [
  name: string,
  rule: string,
  source: string,
  changes: Changes,
  more?: Partial<Draft>,
]

/** Rows that one code refuses. */
export function refused(
  shop: Workshop,
  expect: AttestationErrorCode,
  rows: readonly Row[],
): Draft[] {
  return draft(shop, expect, rows)
}

export function accepted(shop: Workshop, rows: readonly Row[]): Draft[] {
  return draft(shop, 'accept', rows)
}

function draft(shop: Workshop, expect: string, rows: readonly Row[]): Draft[] {
  return rows.map(([name, rule, source, changes, more]) => {
    // Who changes the root means to trust it: the anchor goes with it.
    const root = changes.path?.root.certificate
    const anchored = root !== undefined && root !== shop.path.root.certificate
    const document = documentOf(shop, changes)
    return {
      name,
      rule,
      source,
      document,
      expect,
      ...(anchored ? { trustAnchor: root } : {}),
      ...more,
    }
  })
}
