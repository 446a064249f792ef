// npm run demo: from an enclave image to a secret that this image alone can have, and fifteen attacks by the parent that fail.
// Parent, hostile parent, enclaves and browser are processes of their own. Simulated are the hardware (the NSM and its root), vsock, and
// AWS (KMS, S3, IMDS, a CA); all the rest is what runs in production. It ends with 0 only if every step did what it says.
//
//   npm run demo -- [--json] [--kernel FILE]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runAttacks } from './demo/attacks.ts'
import { runGenuine } from './demo/genuine.ts'
import { Report, StepError } from './demo/report.ts'
import { World } from './demo/world.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, kernel: { type: 'string' } },
})
const report = new Report({ json: values.json === true })
report.title('enclavejs: from an enclave image to its secret, on a simulated Nitro Enclave')

const folder = await mkdtemp(join(tmpdir(), 'enclavejs-demo-'))
try {
  await using world = await World.open(folder)
  await runAttacks(world, report, await runGenuine(world, report, values.kernel))
} catch (error) {
  // It has been told; the steps after it had nothing to stand on.
  if (!(error instanceof StepError)) throw error
} finally {
  await rm(folder, { recursive: true, force: true })
}
report.end()
report.note(
  'Simulated: the NSM and its root, vsock, KMS, S3, IMDS and the CA, which nobody trusts unless told to.',
)
process.exitCode = report.failures === 0 ? 0 : 1
