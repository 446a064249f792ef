import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { vectors } from '../../test/vectors.ts'

const folder = fileURLToPath(new URL('../seeds', import.meta.url))

function read(from: string, wanted: (name: string, index: number) => boolean): Uint8Array[] {
  return readdirSync(from)
    .filter((name) => name.endsWith('.bin'))
    .toSorted()
    .filter(wanted)
    .map((name) => new Uint8Array(readFileSync(`${from}/${name}`)))
}

/** Documents that the simulator made once, all under one root, so that a run can be repeated. */
export function madeDocuments(): readonly Uint8Array[] {
  return read(folder, () => true)
}

/** Real documents, every fourth of them and the NitroTPM's, and those that are not genuine; none where there are none. */
export function realDocuments(): readonly Uint8Array[] {
  const genuine = vectors('attestation-docs')
  const others = vectors('attestation-docs/not-genuine')
  if (genuine === undefined || others === undefined) return []
  return [
    ...read(genuine, (name, index) => index % 4 === 0 || name.includes('nitrotpm')),
    ...read(others, () => true),
  ]
}
