import { basename } from 'node:path'
import type { ReferenceValues } from '@enclavejs/attestation'
import { CliError } from './error.ts'
import { readFlagFile } from './input-file.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * Reads reference values from JSON: `{ "label", "pcrs" }` or a list of such sets, what `nitro-cli build-enclave` and
 * `describe-eif` print (`{ "Measurements": { "HashAlgorithm", "PCR0", … } }`), or its Measurements alone. A set without
 * a label is named after its file. What the values must be is for the verifier to say.
 *
 * @throws {CliError} `ERR_CLI_FILE`.
 */
export async function readReferenceFile(path: string): Promise<readonly ReferenceValues[]> {
  const bytes = await readFlagFile(path, 'reference')
  const json = parse(bytes, path)
  const sets = Array.isArray(json) ? (json as unknown[]) : [json]
  if (sets.length === 0) throw refused(path, 'the list is empty')
  return sets.map((set, index) => {
    const where = Array.isArray(json) ? `${path}[${index}]` : path
    const label = Array.isArray(json) ? `${basename(path)}[${index}]` : basename(path)
    return readSet(set, label, where)
  })
}

function parse(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw refused(path, 'no JSON in UTF-8', cause)
  }
}

function readSet(set: unknown, label: string, where: string): ReferenceValues {
  if (!isObject(set)) throw refused(where, 'an object expected')
  if (Object.hasOwn(set, 'Measurements')) return readMeasurements(set['Measurements'], label, where)
  if (Object.hasOwn(set, 'HashAlgorithm')) return readMeasurements(set, label, where)
  const unknown = Object.keys(set).find((key) => key !== 'label' && key !== 'pcrs')
  if (unknown !== undefined) throw refused(where, `the unknown key ${JSON.stringify(unknown)}`)
  if (!isObject(set['pcrs'])) throw refused(where, '"pcrs" is missing')
  if (set['label'] !== undefined && (typeof set['label'] !== 'string' || set['label'] === '')) {
    throw refused(where, '"label" must be a text that is not empty')
  }
  return { label: set['label'] ?? label, pcrs: readPcrs(set['pcrs'], where) }
}

/** As nitro-cli prints it; its HashAlgorithm is `Sha384 { ... }`. */
function readMeasurements(measurements: unknown, label: string, where: string): ReferenceValues {
  if (!isObject(measurements)) throw refused(where, '"Measurements" must be an object')
  const { HashAlgorithm: algorithm, ...pcrs } = measurements
  if (typeof algorithm !== 'string' || !/^sha384\b/i.test(algorithm)) {
    throw refused(where, '"HashAlgorithm" must be Sha384')
  }
  return { label, pcrs: readPcrs(pcrs, where) }
}

function readPcrs(pcrs: Fields, where: string): Record<`PCR${number}`, string> {
  const read: Record<`PCR${number}`, string> = {}
  for (const [key, value] of Object.entries(pcrs)) {
    const index = /^(?:PCR)?(0|[1-9]|[12]\d|3[01])$/.exec(key)?.[1]
    if (index === undefined) throw refused(where, `${JSON.stringify(key)} is no PCR`)
    if (typeof value !== 'string' || !/^[0-9a-f]{96}$/i.test(value)) {
      throw refused(where, `PCR${index}: 96 hex digits expected`)
    }
    if (Object.hasOwn(read, `PCR${index}`)) throw refused(where, `PCR${index} is named twice`)
    read[`PCR${Number(index)}`] = value
  }
  return read
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refused(where: string, why: string, cause?: unknown): CliError {
  const message = `--reference: ${where}: ${why}`
  return new CliError('ERR_CLI_FILE', message, cause === undefined ? undefined : { cause })
}
