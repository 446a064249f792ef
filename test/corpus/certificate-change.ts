import type { CertificateRecipe, Level, NitroRecipe } from '@enclavejs/simulator/forge'
import { contents, replaceAt, tlv } from './der.ts'
import { withBytes, withRecipe, type Row, type Workshop } from './workshop.ts'

/** The leaf's or another's TBSCertificate changed and signed. */
export function tbs(
  shop: Workshop,
  change: (tbs: Uint8Array) => Uint8Array,
  level: Level = 'leaf',
): Row[3] {
  return { path: withRecipe(shop, level, (recipe) => ({ ...recipe, mutateTbs: change })) }
}

export function part(
  shop: Workshop,
  route: readonly number[],
  change: (part: Uint8Array) => Uint8Array,
  level: Level = 'leaf',
): Row[3] {
  return tbs(shop, (whole) => replaceAt(whole, route, change), level)
}

export function recipe(
  shop: Workshop,
  change: (recipe: NitroRecipe) => CertificateRecipe,
  level: Level = 'leaf',
): Row[3] {
  return { path: withRecipe(shop, level, change) }
}

/** A change outside of what is signed. */
export function outside(
  shop: Workshop,
  change: (certificate: Uint8Array) => Uint8Array,
  level: Level = 'leaf',
): Row[3] {
  return { path: withBytes(shop, level, change) }
}

export function unusedBits(bits: Uint8Array, unused: number): Uint8Array {
  return tlv(0x03, Uint8Array.of(unused), contents(bits).subarray(1))
}

export function until<T>(make: () => T, good: (made: T) => boolean): T {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const made = make()
    if (good(made)) return made
  }
  throw new Error('a thousand attempts and none was good')
}

export function nested(depth: number): Uint8Array {
  let element: Uint8Array = tlv(0x30)
  for (let level = 1; level < depth; level++) element = tlv(0x30, element)
  return element
}
