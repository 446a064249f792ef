import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createCertificateAuthority, createSimulatedNsm } from '@enclavejs/simulator'
import type { Entry } from './cpio.ts'
import { compareAnswers } from './differences.ts'
import { verifyDocuments } from './documents.ts'
import { script } from './inside/script.ts'
import { boot, root } from './machine.ts'
import { installed } from './package.ts'
import type { Results } from './results.ts'
import { writeInitrd } from './tree.ts'
import { strippedEntry } from './vsock.ts'

/** The module id that run-guest.sh gives its device. */
const MODULE_ID = 'i-0123456789abcdef0-enc0123456789abcdef'

const init = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
cd /app
/bin/node inside/nsm-script.ts
echo '@vsock'
/bin/node guest/inside/vsock-alone.js
/bin/busybox reboot -f
`

/**
 * What needs the plain guest. A fresh device, all PCRs zero and unlocked: QEMU's device beside the simulator. And AF_VSOCK
 * without a parent.
 */
export async function runNsmScript(
  machine: string,
  folder: string,
  results: Results,
): Promise<void> {
  const alone = ['vsock-alone', 'report'].map((name) =>
    strippedEntry(join(root, `test/guest/inside/${name}.ts`), `app/guest/inside/${name}.js`),
  )
  const app = [...installed(['nsm', 'vsock']), ...nsmPrograms(), ...alone]
  const authority = await createCertificateAuthority()
  const signer = join(folder, 'signer')
  await authority.writeSigner(signer, MODULE_ID)
  const env = { QEMU_NSM_SIGNER: signer }
  const answers = await boot(machine, writeInitrd('nsm-script', init, app), { env })
  const next = answers.lines.indexOf('@vsock')
  results.ended('nsm script', { ...answers, lines: answers.lines.slice(0, next) })
  for (const line of answers.lines.slice(next)) results.hear('vsock', line)
  results.ended('vsock without a parent', { ...answers, lines: answers.lines.slice(next) })

  const device = new Map<string, Uint8Array>()
  for (const line of answers.lines) {
    const [, name, base64] = /^@data (.*)\t(.*)$/.exec(line) ?? []
    if (name !== undefined) device.set(name, Uint8Array.from(Buffer.from(base64 ?? '', 'base64')))
  }
  const simulated = createSimulatedNsm({
    certificateAuthority: authority,
    moduleId: MODULE_ID,
    blank: true,
  })
  const simulator = new Map<string, Uint8Array>()
  for (const [name, hex] of script) {
    simulator.set(name, await simulated.request(Uint8Array.from(Buffer.from(hex, 'hex'))))
  }
  await compareAnswers(results, script, device, simulator)
  await verifyDocuments(results, authority, device, simulator)
}

/** The guest's own programs; Node strips their types. */
export function nsmPrograms(): Entry[] {
  const folder = join(root, 'test/guest/inside')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ path: `app/inside/${name}`, data: readFileSync(join(folder, name)) }))
}

/** The ioctl without Node, where there is a compiler. */
export function rawProgram(folder: string): Entry[] {
  const out = join(folder, 'raw')
  const source = join(root, 'test/guest/inside/raw.c')
  const { status } = spawnSync(
    'cc',
    ['-O2', '-Wall', '-Wextra', '-Werror', '-static', '-o', out, source],
    { stdio: 'inherit' },
  )
  return status === 0
    ? [{ path: 'app/raw', mode: statSync(out).mode & 0o777, data: readFileSync(out) }]
    : []
}
