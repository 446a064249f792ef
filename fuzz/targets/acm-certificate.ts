import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decodeBundle } from '../../packages/acm-enclave/src/bundle.ts'
import {
  NAME_CONSTRAINTS,
  readCertificateFields,
  SUBJECT_ALT_NAME,
  type CertificateFields,
} from '../../packages/acm-enclave/src/certificate-fields.ts'
import { element, SEQUENCE } from '../../packages/acm-enclave/src/der.ts'
import { violationOf } from '../../packages/acm-enclave/src/name-constraints.ts'
import { LawBroken, type FuzzTarget } from '../target.ts'

const EMPTY = new Uint8Array()
const dns = (name: string): Uint8Array => element(0x82, Buffer.from(name))
const subtrees = (tag: number, ...bases: readonly Uint8Array[]): Uint8Array =>
  element(tag, ...bases.map((base) => element(SEQUENCE, base)))

/** A certificate without a signature that anybody asks for. */
function certificate(id: string, value: Uint8Array): Uint8Array {
  const extension = element(
    SEQUENCE,
    element(0x06, Buffer.from(id, 'hex')),
    element(0x01, Uint8Array.of(0xff)),
    element(0x04, value),
  )
  const name = Buffer.from('310b300906035504030c026361', 'hex')
  const [serial, part] = [element(0x02, Uint8Array.of(1)), element(SEQUENCE)]
  const fields = [part, element(SEQUENCE, name), part, element(SEQUENCE, name), part]
  const extensions = element(0xa3, element(SEQUENCE, extension))
  const version = element(0xa0, element(0x02, Uint8Array.of(2)))
  const tbsCertificate = element(SEQUENCE, version, serial, ...fields, extensions)
  return element(SEQUENCE, tbsCertificate, part, element(0x03, EMPTY))
}

const CA = certificate(
  NAME_CONSTRAINTS,
  element(
    SEQUENCE,
    subtrees(0xa0, dns('example.com'), element(0x87, Buffer.from('0a000000ff000000', 'hex'))),
    subtrees(0xa1, dns('a.example.com'), element(0xa4, element(SEQUENCE))),
  ),
)
const LEAF = certificate(
  SUBJECT_ALT_NAME,
  element(SEQUENCE, dns('*.example.com'), element(0x87, Uint8Array.of(10, 0, 0, 1))),
)
const [ca, leaf] = [CA, LEAF].map((one) => readCertificateFields(one) as CertificateFields)

function run(input: Uint8Array): void {
  const fields = readCertificateFields(input)
  if (fields === undefined) return
  for (const [issuer, subject] of [
    [fields, leaf],
    [ca, fields],
  ] as const) {
    const fault = violationOf(issuer as CertificateFields, subject as CertificateFields)
    if (fault !== undefined && !/^[ -~]+$/.test(fault)) throw new LawBroken('no message')
  }
  compare(input, fields)
}

/** What OpenSSL reads is the same. */
function compare(input: Uint8Array, fields: CertificateFields): void {
  let theirs: X509Certificate
  try {
    theirs = new X509Certificate(input)
  } catch {
    return
  }
  if (theirs.subjectAltName !== undefined && !fields.extensions.has(SUBJECT_ALT_NAME)) {
    throw new LawBroken('OpenSSL sees alternative names')
  }
  if (theirs.ca && !fields.isCa) throw new LawBroken('OpenSSL sees a CA')
}

export const target: FuzzTarget = {
  format: 'der',
  maxLength: 4096,
  dictionary: ['551d13', '551d11', '551d1e', '0101ff', '8200', 'a0', 'a1', 'a4', '2e', '2a2e'].map(
    (hex) => new Uint8Array(Buffer.from(hex, 'hex')),
  ),
  seeds() {
    const file = fileURLToPath(new URL('../seeds/acm-bundle.json', import.meta.url))
    const bundle = decodeBundle(readFileSync(file))
    const made = [bundle.certificate, bundle.certificateChain]
    return [CA, LEAF, ...made.map((pem) => new Uint8Array(new X509Certificate(pem).raw))]
  },
  run,
}
