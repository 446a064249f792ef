// `npm run test:guest`: what needs a real /dev/nsm or a real AF_VSOCK, in the guests of ../shared/qemu or NITRO_QEMU_DIR.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runEgress } from '../guest-eif/egress.ts'
import { runEif } from '../guest-eif/run.ts'
import { runReproducible } from '../guest-eif/reproducible.ts'
import { runRunCommand } from '../guest-eif/run-command.ts'
import { runVsockLoopback } from '../guest-eif/vsock-loopback.ts'
import { runVsockEnclave } from '../guest-eif/vsock.ts'
import { findMachine } from './machine.ts'
import { runNsmScript } from './nsm.ts'
import { Results } from './results.ts'
import { missingForTree } from './tree.ts'

const machine = findMachine()
const missing = 'reason' in machine ? machine.reason : missingForTree()

if ('reason' in machine || missing !== undefined) {
  console.log(`test:guest skipped: ${missing}`)
  console.log('0 passed, 0 failed, 1 skipped')
} else {
  const results = new Results()
  const folder = mkdtempSync(join(tmpdir(), 'guest-'))
  try {
    await runNsmScript(machine.folder, folder, results)
    await runEif(machine.folder, folder, results)
    await runReproducible(machine.folder, folder, results)
    await runRunCommand(machine.folder, folder, results)
    await runVsockLoopback(machine.folder, folder, results)
    await runVsockEnclave(machine.folder, folder, results)
    await runEgress(machine.folder, folder, results)
  } finally {
    rmSync(folder, { recursive: true })
  }
  console.log(results.line())
  process.exitCode = results.failed === 0 && results.passed > 0 ? 0 : 1
}
