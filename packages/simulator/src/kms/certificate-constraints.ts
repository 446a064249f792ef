import { BitString, Boolean as Asn1Boolean, fromBER, Integer } from 'asn1js'

/** What the extensions of a certificate say about its place in a path. */
export interface CertificateConstraints {
  readonly ca: boolean
  readonly pathLenConstraint: number | undefined
  readonly usages: ReadonlySet<'digitalSignature' | 'keyCertSign'>
  /** There is a critical extension that is not read here. */
  readonly hasUnknownCritical: boolean
}

interface Item {
  readonly idBlock: { readonly tagClass: number; readonly tagNumber: number }
  readonly valueBlock: {
    readonly value?: readonly Item[]
    readonly valueHexView?: Uint8Array
    toString(): string
  }
}

/** Reads basicConstraints and keyUsage (RFC 5280 §4.2.1); undefined where this is no certificate. */
export function readConstraints(certificate: Uint8Array): CertificateConstraints | undefined {
  const { offset, result } = fromBER(certificate)
  if (offset !== certificate.length) return undefined
  const fields = items(items(result as unknown as Item)[0])
  const explicit = fields.find(({ idBlock }) => idBlock.tagClass === 3 && idBlock.tagNumber === 3)
  let ca = false
  let pathLenConstraint: number | undefined
  const usages = new Set<'digitalSignature' | 'keyCertSign'>()
  let hasUnknownCritical = false
  for (const extension of items(items(explicit)[0])) {
    const [oid, second, third] = items(extension)
    const critical = (second as unknown) instanceof Asn1Boolean
    const value = (critical ? third : second)?.valueBlock.valueHexView
    if (value === undefined) return undefined
    const inner = fromBER(new Uint8Array(value)).result
    switch (oid?.valueBlock.toString()) {
      case '2.5.29.19': {
        for (const item of items(inner as unknown as Item) as readonly unknown[]) {
          if (item instanceof Asn1Boolean) ca = item.valueBlock.value
          if (item instanceof Integer) pathLenConstraint = item.valueBlock.valueDec
        }
        break
      }
      case '2.5.29.15': {
        const bits = inner instanceof BitString ? (inner.valueBlock.valueHexView[0] ?? 0) : 0
        if ((bits & 0x80) !== 0) usages.add('digitalSignature')
        if ((bits & 0x04) !== 0) usages.add('keyCertSign')
        break
      }
      default:
        hasUnknownCritical ||= critical
    }
  }
  return { ca, pathLenConstraint, usages, hasUnknownCritical }
}

function items(item: Item | undefined): readonly Item[] {
  const value = item?.valueBlock.value
  return Array.isArray(value) ? value : []
}
