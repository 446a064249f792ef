import { decodeBase64, encodeBase64 } from './base64.ts'

/** One block of a PEM file. */
export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`… */
  readonly label: string
  /** The DER. The caller overwrites it where it is secret. */
  readonly der: Uint8Array
}

const BEGIN = Buffer.from('-----BEGIN ')
const DASHES = Buffer.from('-----')
const LABEL_MAX = 40
const LINE_FEED = 0x0a
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d, 0x0b, 0x0c])

/**
 * The blocks of a PEM text (RFC 7468), read as bytes. Text before, between and after blocks is passed over, as the RFC asks.
 * Within one: base64 in lines of any length with blanks around them, no header (`Proc-Type`), no empty line, no comment.
 *
 * @returns undefined where a block is malformed or there are more than `most`
 */
export function readPem(text: Uint8Array, most: number): PemBlock[] | undefined {
  const buffer = Buffer.from(text.buffer, text.byteOffset, text.byteLength)
  const blocks: PemBlock[] = []
  let at = 0
  for (;;) {
    const begin = buffer.indexOf(BEGIN, at)
    if (begin === -1) return blocks
    const block = readBlock(buffer, begin)
    if (block === undefined || blocks.length === most) {
      for (const { der } of blocks) der.fill(0)
      block?.der.fill(0)
      return undefined
    }
    blocks.push(block)
    at = block.end
  }
}

function readBlock(buffer: Buffer, begin: number): (PemBlock & { end: number }) | undefined {
  const labelAt = begin + BEGIN.length
  const labelEnd = buffer.indexOf(DASHES, labelAt)
  if (labelEnd === -1 || labelEnd - labelAt > LABEL_MAX) return undefined
  const label = buffer.toString('latin1', labelAt, labelEnd)
  if (!/^[A-Z0-9]+(?: [A-Z0-9]+)*$/.test(label)) return undefined
  const footer = Buffer.from(`-----END ${label}-----`)
  const bodyAt = labelEnd + DASHES.length
  const bodyEnd = buffer.indexOf(footer, bodyAt)
  if (bodyEnd === -1) return undefined
  const ascii = new Uint8Array(bodyEnd - bodyAt)
  const length = packLines(buffer.subarray(bodyAt, bodyEnd), ascii)
  const der = length === undefined ? undefined : decodeBase64(ascii.subarray(0, length))
  ascii.fill(0)
  if (der === undefined || der.length === 0) return undefined
  return { label, der, end: bodyEnd + footer.length }
}

/** Leaves out blanks and line ends. Undefined for an empty line within. */
function packLines(body: Uint8Array, into: Uint8Array): number | undefined {
  let length = 0
  let line = 0
  let lines = 0
  for (const byte of body) {
    if (byte === LINE_FEED) {
      if (line === 0 && lines > 0) return undefined
      lines++
      line = 0
    } else if (!BLANKS.has(byte)) {
      into[length++] = byte
      line++
    }
  }
  return length
}

/** A PEM block in lines of 64, as bytes. The caller overwrites it where it is secret. */
export function writePem(label: string, der: Uint8Array): Uint8Array {
  const ascii = encodeBase64(der)
  const header = Buffer.from(`-----BEGIN ${label}-----\n`)
  const footer = Buffer.from(`-----END ${label}-----\n`)
  const lines = Math.ceil(ascii.length / 64)
  const pem = new Uint8Array(header.length + ascii.length + lines + footer.length)
  pem.set(header)
  let at = header.length
  for (let from = 0; from < ascii.length; from += 64) {
    const line = ascii.subarray(from, from + 64)
    pem.set(line, at)
    at += line.length
    pem[at++] = LINE_FEED
  }
  pem.set(footer, at)
  ascii.fill(0)
  return pem
}
