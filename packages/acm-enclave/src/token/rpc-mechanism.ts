import { CKM } from './cryptoki.ts'
import { NULL_LENGTH, RpcSyntaxError, type RpcReader } from './rpc-reader.ts'
import type { RpcWriter } from './rpc-writer.ts'

/**
 * How a client writes a CK_MECHANISM. p11-kit changed it in 0.25.6 and does not negotiate it: a mechanism without
 * parameters lost the NULL behind it, and one with parameters gained a byte that says whether they are there.
 */
export type MechanismEncoding = 'old' | 'new'

/** CK_RSA_PKCS_PSS_PARAMS. */
interface PssParameters {
  readonly hash: number
  readonly mgf: number
  readonly saltLength: number
}

export interface Mechanism {
  readonly type: number
  readonly pss: PssParameters | undefined
}

/** Clients up to 0.25.5 begin with 0 or 1, those since 0.25.6 with 2. */
export function mechanismEncoding(firstByte: number): MechanismEncoding {
  return firstByte >= 2 ? 'new' : 'old'
}

const PSS = new Set<number>([
  ...[CKM.RSA_PKCS_PSS, CKM.SHA256_RSA_PKCS_PSS, CKM.SHA384_RSA_PKCS_PSS, CKM.SHA512_RSA_PKCS_PSS],
])
const PLAIN = new Set<number>([
  ...[CKM.RSA_PKCS, CKM.SHA256_RSA_PKCS, CKM.SHA384_RSA_PKCS, CKM.SHA512_RSA_PKCS, CKM.ECDSA],
])

/** Bytes after the mechanism's type when `after` bytes of arguments follow, by encoding and parameters. */
const LENGTHS = { plain: { old: 4, new: 0 }, pss: { old: 24, new: 25, newWithout: 1 } } as const

/**
 * The `M` of a request that ends `after` bytes behind it. A client of 0.25.6 and later that was refused by an old
 * server comes back with the byte 0 and still writes the new encoding, so the length has the last word.
 *
 * @returns undefined for a mechanism that is not one of the token's: how long it is, only its own kind could say.
 */
export function readMechanism(
  reader: RpcReader,
  encoding: MechanismEncoding,
  after: number,
): Mechanism | undefined {
  const type = reader.u32()
  const length = reader.remaining - after
  if (PLAIN.has(type)) {
    const own = length === LENGTHS.plain[encoding] ? encoding : other(encoding)
    if (length !== LENGTHS.plain[own]) throw wrongLength()
    if (own === 'old' && reader.u32() !== NULL_LENGTH) throw wrongLength()
    return { type, pss: undefined }
  }
  if (!PSS.has(type)) return undefined
  if (length === LENGTHS.pss.old) return { type, pss: readPss(reader) }
  if (length === LENGTHS.pss.newWithout || length === LENGTHS.plain.old)
    return without(reader, type, length)
  if (length !== LENGTHS.pss.new || !reader.flag()) throw wrongLength()
  return { type, pss: readPss(reader) }
}

function other(encoding: MechanismEncoding): MechanismEncoding {
  return encoding === 'old' ? 'new' : 'old'
}

function without(reader: RpcReader, type: number, length: number): Mechanism {
  const absent = length === LENGTHS.plain.old ? reader.u32() === NULL_LENGTH : !reader.flag()
  if (!absent) throw wrongLength()
  return { type, pss: undefined }
}

function wrongLength(): RpcSyntaxError {
  return new RpcSyntaxError('a mechanism whose parameters have another length')
}

function readPss(reader: RpcReader): PssParameters {
  return { hash: reader.u64(), mgf: reader.u64(), saltLength: reader.u64() }
}

/** The `M` of a request. */
export function writeMechanism(
  writer: RpcWriter,
  encoding: MechanismEncoding,
  mechanism: Mechanism,
): void {
  const { type, pss } = mechanism
  writer.u32(type)
  if (encoding === 'new' && PSS.has(type)) writer.u8(pss === undefined ? 0 : 1)
  if (pss !== undefined) writer.u64(pss.hash).u64(pss.mgf).u64(pss.saltLength)
  else if (encoding === 'old') writer.u32(NULL_LENGTH)
}
