// The configuration: one JSON file. What is not known is refused, since a misspelt name would be a check left out.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ReferenceValues, VerifierOptions } from '@enclavejs/attestation'

export interface Configuration {
  readonly host: string
  readonly port: number
  readonly verifier: VerifierOptions
}

const KEYS = ['host', 'port', 'referenceValues', 'partition', 'trustAnchors']

/**
 * Reads `{ "host", "port", "referenceValues", "partition", "trustAnchors" }`: reference values as
 * `enclavejs eif reference-values` prints them, trust anchors as files of PEM beside the configuration. Only
 * `referenceValues` is required.
 *
 * @throws {TypeError}
 */
export function readConfiguration(path: string): Configuration {
  const value = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, unknown>>
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key))
  if (unknown !== undefined) throw new TypeError(`${path}: ${unknown} is not known`)
  const { host = '127.0.0.1', port = 8080, referenceValues, partition, trustAnchors } = value
  if (typeof host !== 'string') throw new TypeError(`${path}: host must be a text`)
  if (!Number.isInteger(port) || Number(port) < 0 || Number(port) > 65_535) {
    throw new TypeError(`${path}: port must be 0 to 65535`)
  }
  if (partition !== undefined && partition !== 'aws' && partition !== 'aws-us-gov') {
    throw new TypeError(`${path}: partition must be aws or aws-us-gov`)
  }
  return {
    host,
    port: Number(port),
    // What they must be is for createVerifier to say.
    verifier: {
      referenceValues: referenceValues as ReferenceValues[],
      ...(partition !== undefined && { partition }),
      ...(trustAnchors !== undefined && {
        trustAnchors: (trustAnchors as string[]).map((file) => {
          const pem = readFileSync(resolve(dirname(path), file))
          return new Uint8Array(new X509Certificate(pem).raw)
        }),
      }),
    },
  }
}
