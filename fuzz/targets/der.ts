import { X509Certificate } from 'node:crypto'
import { decode, type CborValue } from '@enclavejs/cbor'
import {
  decodeCertificate,
  DerError,
  describeName,
  ecdsaSignatureToP1363,
  type Certificate,
} from '@enclavejs/der'
import { LawBroken, type FuzzTarget } from '../target.ts'
import { madeDocuments, realDocuments } from './seeds.ts'

/** Undefined where the bytes are refused; any other error than the package's goes through. */
function attempt<Value>(input: Uint8Array, read: () => Value): Value | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    if (!(error.offset >= 0 && error.offset <= input.length)) {
      throw new LawBroken(`offset ${error.offset} of ${input.length} bytes`)
    }
    return undefined
  }
}

/**
 * Parameters of an algorithm are handed on as they are, to be compared as a whole: OpenSSL reads what these types hold and
 * may refuse it. Absent ones, NULL and SEQUENCE it takes like ours.
 */
function hasReadParameters({ signatureAlgorithm, publicKeyAlgorithm }: Certificate): boolean {
  return [signatureAlgorithm, publicKeyAlgorithm].some((algorithm) => {
    const parameters = algorithm.subarray(2 + 2 + (algorithm[3] as number))
    const tag = parameters[0]
    return tag !== undefined && tag !== 0x30 && !(tag === 0x05 && parameters[1] === 0)
  })
}

/** What OpenSSL's reader must say of a certificate that ours accepts. */
function compare(input: Uint8Array, certificate: Certificate): void {
  let node: X509Certificate
  try {
    node = new X509Certificate(input)
  } catch (error) {
    if (hasReadParameters(certificate)) return
    throw new LawBroken('accepted, and refused by OpenSSL', error)
  }
  const serialNumber = BigInt(`0x${Buffer.from(certificate.serialNumber).toString('hex')}`)
  if (BigInt(`0x${node.serialNumber}`) !== serialNumber)
    throw new LawBroken('serial numbers differ')
  if (node.validFromDate.getTime() !== certificate.notBefore)
    throw new LawBroken('notBefore differs')
  if (node.validToDate.getTime() !== certificate.notAfter) throw new LawBroken('notAfter differs')
  if (node.ca && certificate.basicConstraints?.ca !== true) {
    throw new LawBroken('a CA for OpenSSL, and none for us')
  }
  if (Buffer.compare(node.raw, input) !== 0) throw new LawBroken('OpenSSL writes it differently')
}

function run(input: Uint8Array): void {
  attempt(input, () => ecdsaSignatureToP1363(input, 48))
  const name = attempt(input, () => describeName(input))
  if (name !== undefined && !/^[ -~]*$/.test(name))
    throw new LawBroken('a name shows other characters')
  const certificate = attempt(input, () => decodeCertificate(input))
  if (certificate === undefined) return
  for (const field of [certificate.issuer, certificate.subject]) {
    if (!/^[ -~]*$/.test(describeName(field))) throw new LawBroken('a name shows other characters')
  }
  attempt(certificate.signature, () => {
    const raw = ecdsaSignatureToP1363(certificate.signature, 48)
    if (raw.length !== 96) throw new LawBroken(`a signature of ${raw.length} bytes`)
  })
  compare(input, certificate)
}

/** The certificates of a document. */
function certificatesOf(document: Uint8Array): Uint8Array[] {
  try {
    const [, , payload] = decode(document) as readonly CborValue[]
    const fields = decode(payload as Uint8Array, { indefiniteMapLevels: 1 }) as Map<string, unknown>
    return [fields.get('certificate'), ...(fields.get('cabundle') as unknown[])] as Uint8Array[]
  } catch {
    return []
  }
}

export const target: FuzzTarget = {
  format: 'der',
  maxLength: 4096,
  dictionary: [
    ...['0101ff', '010100', '020100', '02020080', '0201ff', '0303070080', '03020106', '030100'],
    ...['040100', '0500', '0603551d13', '0603551d0f', '06082a8648ce3d040303', '06052b81040022'],
    ...[
      '0603550403',
      '060355040a',
      '0603550406',
      '0c0161',
      '130161',
      '160161',
      '140161',
      '1e020061',
    ],
    ...[
      '3000',
      '3100',
      'a003020102',
      'a003020100',
      'a300',
      'a30230',
      '300c06082a8648ce3d0403030500',
    ],
    ...['300f0603551d130101ff040530030101ff', '300e0603551d0f0101ff040403020106', '80', '81', '82'],
    ...['170d3439313233313233353935395a', '180f32303530303130313030303030305a', '2a864886f70d'],
    ...[
      '170d3530303130313030303030305a',
      '180f39393939313233313233353935395a',
      '1f',
      'bf8101',
      '0c02c3bc',
    ],
  ].map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  seeds() {
    const documents = madeDocuments()
    const certificates = [...documents.slice(0, 1), ...realDocuments()].flatMap(certificatesOf)
    const parts = certificates.slice(0, 5).flatMap((bytes) => {
      const certificate = decodeCertificate(bytes)
      return [certificate.subject, certificate.signature]
    })
    return [...certificates, ...parts]
  },
  run,
}
