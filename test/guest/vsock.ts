import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import type { Certificate, Outcome } from '../vsock/case.ts'
import { cases } from '../vsock/cases.ts'
import { makeCertificate } from '../vsock/certificate.ts'
import { compareOutcome } from '../vsock/difference.ts'
import { differences } from '../vsock/differences.ts'
import { runCase } from '../vsock/suite.ts'
import { openTransport } from '../vsock/transport.ts'
import type { Entry } from './cpio.ts'
import { boot, root, type Console } from './machine.ts'
import { installed } from './package.ts'
import type { Results } from './results.ts'
import { writeInitrd } from './tree.ts'

/**
 * An emulated machine is slow, and how slow depends on who else computes: each of the two long checks ends after so many
 * seconds with what it has done by then. Without bounds they do all of it, and a reader stops for longer.
 */
const LONG = process.env['ENCLAVEJS_GUEST_LONG'] !== undefined
const [LIMIT, STOP] = LONG ? [3600, 30] : [20, 10]

const init = (program: string): string => `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
echo 4096 > /proc/sys/net/core/somaxconn
/bin/busybox ip link set lo up
ulimit -n 8192
cd /app
export MALLOC_ARENA_MAX=2 LIMIT=${LIMIT} STOP=${STOP}
/bin/node --expose-gc guest/inside/${program}
/bin/busybox reboot -f
`

/** The vsock package on real AF_VSOCK, by loopback in a plain guest: the semantics suite, and many of everything. */
export async function runVsock(machine: string, results: Results): Promise<void> {
  const certificate = makeCertificate()
  if (certificate === undefined) {
    results.skip('vsock', 'no openssl')
    return
  }
  const app = [...installed(['vsock']), ...vsockPrograms(certificate)]
  const hear = (text: string): void => results.hear('vsock', text)
  const env = { GUEST_S: LONG ? '3600' : '600', GUEST_MB: '1536' }
  const run = (name: string): Promise<Console> =>
    boot(machine, writeInitrd(name, init(`${name}.js`), app), { env, onLine: hear })
  // The services begin where the suite has ended: there are two processors.
  const services = async (): Promise<readonly [Console, Console]> => {
    const first = await run('vsock-suite')
    return [first, await run('vsock-services')]
  }
  const [[suite, above], load, reference] = await Promise.all([
    services(),
    run('vsock-load'),
    referenceOutcomes(certificate),
  ])
  results.ended('vsock suite', suite)
  results.ended('vsock services', above)
  results.ended('vsock load', load)
  const seen = givenOutcomes(suite.lines)
  for (const { name } of cases) {
    await results.check(`vsock: AF_VSOCK: ${name}`, () => {
      const [expected, outcome] = [reference.get(name), seen.get(name)]
      if (expected === undefined || outcome === undefined) throw new Error('no outcome')
      const wrong = compareOutcome(name, 'AF_VSOCK', expected, outcome, differences)
      if (wrong !== undefined) throw new Error(wrong)
    })
  }
}

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
