import type { Document, YAMLMap } from 'yaml'
import { listenerOf, type EnclavePlace } from './enclave-place.ts'

/**
 * The configuration of a proxy with an enclave wherever it names none: who may connect to a `listen` of `outbound` and `connect`, and
 * where `to` of `inbound` leads. What it names stays. Nothing is judged: that is for who reads the text, which is YAML as before.
 *
 * @returns undefined where no place was left out.
 */
export async function withEnclave(text: string, place: EnclavePlace): Promise<string | undefined> {
  // Not at import: no other command needs it.
  const yaml = await import('yaml')
  /** The maps under `key` in the entries of a list. */
  const maps = (list: string, key: string): readonly YAMLMap[] => {
    const entries = yaml.isMap(document.contents) ? document.get(list) : undefined
    if (!yaml.isSeq(entries)) return []
    const found = entries.items.filter((one) => yaml.isMap(one)).map((entry) => entry.get(key))
    return found.filter((one) => yaml.isMap(one))
  }
  const document = yaml.parseDocument(text, { strict: true, uniqueKeys: true })
  // What is no YAML is refused by who reads it, in its own words.
  if (document.errors.length > 0) return text
  const listeners = [...maps('outbound', 'listen'), ...maps('connect', 'listen')]
  const open = listeners.filter((listen) => !names(listen, ['allowedCids', 'anyCid', 'path']))
  for (const listen of open) put(document, listen, listenerOf(place))
  const inwards = maps('inbound', 'to').filter((to) => !names(to, ['cid', 'path']))
  for (const to of inwards) put(document, to, place)
  return open.length + inwards.length === 0 ? undefined : document.toString({ lineWidth: 0 })
}

function names(map: YAMLMap, keys: readonly string[]): boolean {
  return keys.some((key) => map.has(key))
}

function put(document: Document, map: YAMLMap, values: object): void {
  for (const [key, value] of Object.entries(values)) map.set(key, document.createNode(value))
}
