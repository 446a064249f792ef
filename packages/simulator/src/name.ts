import { objectIdentifier, printableString, sequence, set, utf8String } from './der.ts'

/** The attribute types that Nitro's certificates use. */
export type AttributeType = 'C' | 'ST' | 'L' | 'O' | 'OU' | 'CN'

/** A distinguished name as its relative names in order, one attribute each. */
export type DistinguishedName = readonly (readonly [type: AttributeType, value: string])[]

const OIDS: Readonly<Record<AttributeType, string>> = {
  C: '2.5.4.6',
  ST: '2.5.4.8',
  L: '2.5.4.7',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  CN: '2.5.4.3',
}

/** A Name in DER; the country is a PrintableString and all else UTF8String, as in Nitro's certificates. */
export function encodeName(name: DistinguishedName): Uint8Array {
  return sequence(
    ...name.map(([type, value]) =>
      set(
        sequence(
          objectIdentifier(OIDS[type]),
          type === 'C' ? printableString(value) : utf8String(value),
        ),
      ),
    ),
  )
}
