import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import type { Certificate, Outcome } from '../vsock/case.ts'
import { cases } from '../vsock/cases.ts'
import { runCase } from '../vsock/suite.ts'
import { openTransport } from '../vsock/transport.ts'
import type { Entry } from './cpio.ts'
import { root } from './machine.ts'

/** What node:net shows over TCP, on this machine, now. */
export async function referenceOutcomes(
  certificate: Certificate,
  wanted: readonly (typeof cases)[number][] = cases,
): Promise<Map<string, Outcome>> {
  const tcp = await openTransport('tcp')
  const outcomes = new Map<string, Outcome>()
  for (const one of wanted) outcomes.set(one.name, await runCase(one, tcp, certificate))
  return outcomes
}

/** The outcomes that a guest gave (inside/report.ts). */
export function givenOutcomes(lines: readonly string[]): Map<string, Outcome> {
  return new Map(
    lines.flatMap((line) => {
      const [, name, base64] = /^@data (.*)\t(.*)$/.exec(line) ?? []
      if (name === undefined || base64 === undefined) return []
      return [[name, JSON.parse(Buffer.from(base64, 'base64').toString()) as Outcome] as const]
    }),
  )
}

/** In the guest it takes seconds. */
const stripped = (source: string): string =>
  stripTypeScriptTypes(source).replace(/(['"]\.\.?\/[\w./-]+)\.ts(?=['"])/g, '$1.js')

/** A program of the repository without its types, as a file of the guest. */
export function strippedEntry(file: string, path: string): Entry {
  return { path, data: Buffer.from(stripped(readFileSync(file, 'utf8'))) }
}

/** The suite and the guest's programs without their types, and the certificate that they use. */
export function vsockPrograms(certificate: Certificate): Entry[] {
  const entries = ['test/vsock', 'test/vsock/cases', 'test/guest/inside', 'test/guest-eif'].flatMap(
    (folder) =>
      readdirSync(join(root, folder))
        .filter(
          (name) =>
            name.endsWith('.ts') && (folder !== 'test/guest-eif' || name === 'vsock-inside.ts'),
        )
        .map((name) =>
          strippedEntry(
            join(root, folder, name),
            `app/${folder.replace(/^test\//, '')}/${name.replace(/ts$/, 'js')}`,
          ),
        ),
  )
  return [
    ...entries,
    { path: 'app/certificate.json', data: Buffer.from(JSON.stringify(certificate)) },
  ]
}
