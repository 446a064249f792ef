// Nothing simulated but AWS: examples/kms-secret as an image on the nitro-enclave machine, whose documents are signed, with
// the parent's proxy and credentials on the host, and behind them the simulator's KMS with the policy that
// `enclavejs policy` printed for the image file. What the policy does not name is denied.
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { serveCredentials } from '@enclavejs/kms-enclave'
import { measuredPcr } from '@enclavejs/nsm'
import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
import { listenVsock } from '@enclavejs/vsock'
import { startProxy } from '@enclavejs/vsock/proxy'
import { root } from '../guest/machine.ts'
import type { Results } from '../guest/results.ts'
import type { EnclaveConsole, Launch } from './enclave.ts'

const CLI = ['--conditions=@enclavejs/source', join(root, 'packages/cli/src/bin.ts')]
const CMDLINE = 'reboot=t panic=1 pci=off console=ttyS0 random.trust_cpu=on enclave.heartbeat_cid=2'
const MEASURED = 'tenant=a'
const INSTANCE = 'i-0123456789abcdef0'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Runs the images with `launch`; `attestationRoot` is what the machine's documents end in. */
export async function runKms(
  machine: string,
  folder: string,
  attestationRoot: Uint8Array,
  launch: (image: string, options: Partial<Launch>) => Promise<EnclaveConsole>,
  results: Results,
): Promise<void> {
  const account = createSimulatedAccount()
  const credentials = account.issueCredentials({ role: 'enclave' })
  const role = credentials.principalArn
  const kms = await createSimulatedKms({
    accounts: [account],
    attestationRoots: [attestationRoot],
    minVersion: 'TLSv1.3',
  })
  try {
    const { arn: keyArn } = await kms.createKey()
    const build = (name: string, configuration: object): string => {
      const image = join(folder, `${name}.eif`)
      const argument = JSON.stringify({ keyArn, parentCid: 2, roots: [kms.ca], ...configuration })
      execFileSync(
        process.execPath,
        [
          ...[...CLI, 'build', join(root, 'examples/kms-secret'), '--kernel'],
          ...[join(machine, 'guest/bzImage'), '--kernel-config', join(machine, 'guest/config')],
          ...['--cmdline', CMDLINE, '--argument', argument, '--output', image],
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      )
      return image
    }
    const image = build('kms', { measured: MEASURED })
    // What the command prints is the policy, as it is.
    const policy = execFileSync(
      process.execPath,
      [
        ...[...CLI, 'policy', image, '--role', role, '--locked', '--parent-role'],
        ...['--administrator', `arn:aws:iam::${account.accountId}:root`],
        ...['--parent-instance', INSTANCE],
        ...['--pcr', `16=${hex(measuredPcr(new TextEncoder().encode(MEASURED)))}`],
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await kms.setKeyPolicy(keyArn, policy)

    let runs = 0
    const run = async (file: string, options: Partial<Launch> = {}): Promise<readonly string[]> => {
      const vsock = join(folder, `kms-${runs++}`)
      mkdirSync(vsock, { recursive: true })
      const { port } = kms.address() as { port: number }
      const path = join(vsock, 'host')
      await using proxy = await startProxy({
        outbound: [{ listen: { path, port: 8000 }, to: { host: '127.0.0.1', port } }],
      })
      const server = serveCredentials(createServer(), () => Promise.resolve(credentials))
      listenVsock(server, { path, port: 8002 })
      const { lines } = await launch(file, {
        ...{ folder: vsock, role, instance: INSTANCE },
        ...options,
      })
      server.close()
      if (proxy.listeners.length !== 1) throw new Error('the proxy ended')
      return lines
    }
    const expectLines = (lines: readonly string[], ...patterns: readonly RegExp[]): void => {
      for (const pattern of patterns) {
        if (!lines.some((line) => pattern.test(line))) {
          throw new Error(`${String(pattern)} not in\n${lines.slice(-25).join('\n')}`)
        }
      }
    }
    const NEVER = /: opened/
    const denied = (lines: readonly string[], ...patterns: readonly RegExp[]): void => {
      expectLines(lines, /^after measuring: AccessDeniedException/, ...patterns)
      const line = lines.find((one) => NEVER.test(one))
      if (line !== undefined) throw new Error(`it was not denied: ${line}`)
    }

    await results.check('kms-secret: denied before PCR16 is extended, opened after', async () => {
      const lines = await run(image)
      expectLines(
        lines,
        /^as booted: AccessDeniedException/,
        /^ {2}.*PCR16/,
        /^after measuring: opened 28 bytes/,
        /^enclave: exit status 0/,
      )
    })
    await results.check('kms-secret: denied to the image with one byte changed', async () => {
      const other = build('kms-other', { measured: MEASURED, extra: 0 })
      denied(await run(other), /^ {2}.*PCR/)
    })
    await results.check('kms-secret: denied in debug mode', async () => {
      denied(await run(image, { debug: true }), /^ {2}.*PCR0/)
    })
    await results.check('kms-secret: denied to another role of the parent', async () => {
      const other = `arn:aws:iam::${account.accountId}:role/another`
      denied(await run(image, { role: other }), /^ {2}.*PCR3/)
    })
    await results.check('kms-secret: denied to another instance of the parent', async () => {
      denied(await run(image, { instance: 'i-0fedcba9876543210' }), /^ {2}.*PCR4/)
    })
    await results.check('kms-secret: denied with another configuration in PCR16', async () => {
      const other = build('kms-measured', { measured: 'tenant=b' })
      denied(await run(other), /^ {2}.*PCR16/)
    })
  } finally {
    await kms.close()
  }
}
