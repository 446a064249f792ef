// examples/hello-enclave, built by `enclavejs build` from what lies in node_modules, boots on the machine; what it prints
// of itself, and what its document says, is what the build printed.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { verifyAttestation } from '@enclavejs/attestation'
import { referenceValues } from '@enclavejs/eif'
import { describeFile } from '@enclavejs/eif/node'
import { root } from '../guest/machine.ts'
import type { Results } from '../guest/results.ts'
import type { EnclaveConsole } from './enclave.ts'

const NONCE = 'c0ffee00c0ffee00c0ffee00c0ffee00'
const CMDLINE = 'reboot=t panic=1 pci=off console=ttyS0 random.trust_cpu=on enclave.heartbeat_cid=2'
const GOAL = 45_000_000
const BUILD = ['--conditions=@enclavejs/source', join(root, 'packages/cli/src/bin.ts'), 'build']

/** Builds the example and runs it with `launch`; `trustAnchor` is the root that the machine's signer ends in. */
export async function runHello(
  machine: string,
  folder: string,
  trustAnchor: Uint8Array,
  launch: (image: string) => Promise<EnclaveConsole>,
  results: Results,
): Promise<void> {
  const image = join(folder, 'hello.eif')
  const kernel = ['--kernel', join(machine, 'guest/bzImage')]
  const config = ['--kernel-config', join(machine, 'guest/config')]
  const flags = ['--compress', '--cmdline', CMDLINE, '--argument', NONCE, '--output', image]
  const printed = execFileSync(
    process.execPath,
    [...BUILD, join(root, 'examples/hello-enclave'), ...kernel, ...config, ...flags],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const built = printed.split('\n').filter((line) => line.startsWith('PCR'))
  const description = await describeFile(image)
  await results.check('hello-enclave: at most 45 MB with --compress', () => {
    if (description.size > GOAL) throw new Error(`${description.size} bytes`)
    return `${(description.size / 1e6).toFixed(1)} MB`
  })
  const { lines, seconds, heartbeats } = await launch(image)
  const tail = (): string => lines.slice(-8).join('\n')
  await results.check('hello-enclave: the machine measures what build printed', () => {
    const seen = lines.filter((line) => /^PCR\d [0-9a-f]{96}$/.test(line))
    if (built.length !== 3 || seen.join() !== built.join()) {
      throw new Error(`${built.join()} expected, ${seen.join()} seen:\n${tail()}`)
    }
    return `${seconds.toFixed(1)} s`
  })
  await results.check('hello-enclave: heartbeat and exit status', () => {
    if (heartbeats.join() !== '183') throw new Error(`heartbeats ${heartbeats.join()}`)
    if (!lines.includes('enclave: exit status 0')) throw new Error(tail())
  })
  await results.check('hello-enclave: its document is accepted for this image', async () => {
    const text = lines.find((line) => line.startsWith('document '))?.slice('document '.length)
    if (text === undefined) throw new Error(tail())
    await verifyAttestation(new Uint8Array(Buffer.from(text, 'base64')), {
      referenceValues: [referenceValues(description, { label: 'hello' })],
      trustAnchors: [trustAnchor],
      nonce: new Uint8Array(Buffer.from(NONCE, 'hex')),
    })
  })
}
