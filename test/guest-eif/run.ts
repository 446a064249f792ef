// Images built by @enclavejs/eif on QEMU's nitro-enclave machine: they boot, and what the machine measures, as /dev/nsm and a
// signed document say it, is what describeFile says of the file.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyAttestation } from '@enclavejs/attestation'
import {
  computeInstancePcr,
  computeRolePcr,
  referenceValues,
  type EifDescription,
} from '@enclavejs/eif'
import { createSha384, describeFile } from '@enclavejs/eif/node'
import { findMachine } from '../guest/machine.ts'
import { Results } from '../guest/results.ts'
import { runAcm } from './acm.ts'
import { runEnclave, type EnclaveConsole, type Launch } from './enclave.ts'
import { runHello } from './hello.ts'
import { makeImage, makeProgram, makeSigner } from './image.ts'
import { runKms } from './kms.ts'
import { runNsm } from './nsm.ts'
import { runServed } from './served.ts'
import { runToken } from './token.ts'

const NONCE = '00112233445566778899aabbccddeeff'
const ROLE = 'arn:aws:iam::123456789012:role/enclave'
const INSTANCE = 'i-0123456789abcdef0'
const MODULE = `${INSTANCE}-enc0123456789abcdef`
const ZERO = '0'.repeat(96)

/** Runs everything; results are told to `results`. */
export async function runEif(machine: string, folder: string, results: Results): Promise<void> {
  const signers = join(folder, 'signer')
  execFileSync(join(machine, 'make-signer.sh'), [signers, MODULE], { stdio: 'ignore' })
  const root = new Uint8Array(readFileSync(join(signers, 'ca-0.der')))
  const kernel = join(machine, 'guest/bzImage')
  let runs = 0
  const launch = (image: string, options: Partial<Launch> = {}): Promise<EnclaveConsole> =>
    runEnclave(machine, image, {
      ...{ folder: join(folder, `vsock-${runs++}`), signer: signers, moduleId: MODULE },
      ...options,
    })
  await runNsm(machine, folder, launch, results)
  await runHello(machine, folder, root, launch, results)
  await runKms(machine, folder, root, launch, results)
  await runAcm(machine, folder, root, launch, results)
  await runToken(machine, folder, signers, root, results)
  const who = { attestationRoot: root, moduleId: MODULE }
  await runServed(machine, folder, who, launch, results)
  const { boot, application, extra } = await makeProgram(folder, NONCE)
  const signer = makeSigner(folder)
  const build = async (
    name: string,
    ramdisks: Parameters<typeof makeImage>[2],
    signed: boolean,
  ): Promise<string> => {
    const path = join(folder, `${name}.eif`)
    await makeImage(path, kernel, ramdisks, signed ? signer : undefined)
    return path
  }
  const verify = (
    { lines }: EnclaveConsole,
    description: EifDescription,
  ): Promise<{ pcrs: ReadonlyMap<number, Uint8Array> }> =>
    verifyAttestation(documentOf(lines), {
      referenceValues: referenceValues(description, { label: 'image' }),
      nonce: Buffer.from(NONCE, 'hex'),
      trustAnchors: [root],
    })

  const two = await build('two-signed', [boot, application], true)
  const cases: [string, string, Partial<Launch>][] = [
    ['two ramdisks, signed, role and instance', two, { role: ROLE, instance: INSTANCE }],
    ['one ramdisk, unsigned', await build('one', [[...boot, ...application]], false), {}],
    [
      'three ramdisks, signed, role only',
      await build('three', [boot, application, extra], true),
      { role: ROLE },
    ],
  ]
  for (const [name, path, options] of cases) {
    const description = await describeFile(path)
    const seen = await launch(path, options)
    await results.check(`eif: ${name}: PCRs of /dev/nsm`, () => {
      const hash = { createHash: createSha384 }
      const expected: Record<string, string> = {
        ...description.pcrs,
        3: options.role === undefined ? ZERO : computeRolePcr(options.role, hash),
        8: description.pcrs[8] ?? ZERO,
      }
      // QEMU's script gives the machine an instance of its own where none is named.
      if (options.instance !== undefined) expected[4] = computeInstancePcr(options.instance, hash)
      const pcrs = pcrsOf(seen.lines)
      for (const [pcr, value] of Object.entries(expected)) {
        equal(pcrs.get(Number(pcr)), `${value} true`, `PCR${pcr}`)
      }
      return `${seen.seconds.toFixed(1)} s`
    })
    await results.check(`eif: ${name}: the document is accepted`, async () => {
      await verify(seen, description)
    })
    await results.check(`eif: ${name}: heartbeat, loopback, user, directory, status`, () => {
      equal(seen.heartbeats.join(), '183', 'heartbeat')
      equal(find(seen.lines, '@loopback'), 'hello', 'loopback')
      equal(find(seen.lines, '@process'), '1000 1001 /app a b|c', 'process')
      equal(find(seen.lines, 'enclave: exit status'), '7', 'exit status')
    })
  }
  const debug = await launch(two, { debug: true })
  const description = await describeFile(two)
  await results.check('eif: a debug enclave is refused', async () => {
    const code = await verify(debug, description).then(
      () => 'accepted',
      (error: { code: string }) => error.code,
    )
    equal(code, 'ERR_ATTESTATION_DEBUG_MODE', 'code')
  })
  const silent = await launch(two, { heartbeat: false })
  await results.check('eif: without a heartbeat nothing is started', () => {
    equal(
      find(silent.lines, 'enclave: no heartbeat with CID 2:'),
      'it was not answered',
      'heartbeat',
    )
    equal(pcrsOf(silent.lines).size, 0, 'PCRs')
  })
}

function find(lines: readonly string[], start: string): string | undefined {
  return lines
    .find((line) => line.startsWith(`${start} `))
    ?.slice(start.length + 1)
    .trim()
}

function pcrsOf(lines: readonly string[]): Map<number, string> {
  const found = lines.flatMap((line) => {
    const match = /^@pcr (\d+) ([0-9a-f]{96} \w+)$/.exec(line)
    return match === null ? [] : [[Number(match[1]), match[2] as string] as const]
  })
  return new Map(found)
}

function documentOf(lines: readonly string[]): Uint8Array {
  const parts = lines.filter((line) => line.startsWith('@document '))
  if (parts.length === 0)
    throw new Error(`no document; the console ended: ${lines.slice(-8).join('\n')}`)
  return new Uint8Array(Buffer.from(parts.map((line) => line.slice(10)).join(''), 'base64'))
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected)
    throw new Error(`${what}: ${String(expected)} expected, ${String(actual)} seen`)
}

if (import.meta.main) {
  const machine = findMachine()
  const results = new Results()
  if ('reason' in machine) results.skip('eif', machine.reason)
  else if (!existsSync(join(machine.folder, 'run-enclave.sh'))) {
    results.skip('eif', 'the machine has no run-enclave.sh')
  } else {
    const folder = mkdtempSync(join(tmpdir(), 'guest-eif-'))
    try {
      await runEif(machine.folder, folder, results)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  console.log(results.line())
  process.exitCode = results.failed === 0 ? 0 : 1
}
