// The vsock package on real AF_VSOCK, both ends in one enclave by loopback (CID 1): the semantics suite, many of everything,
// and what runs above the sockets. Images of ours on QEMU's nitro-enclave machine.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findMachine, root, type Console } from '../guest/machine.ts'
import { installed } from '../guest/package.ts'
import { Results } from '../guest/results.ts'
import { busyboxEntry } from '../guest/tree.ts'
import { givenOutcomes, referenceOutcomes, vsockPrograms } from '../guest/vsock.ts'
import { cases } from '../vsock/cases.ts'
import { makeCertificate } from '../vsock/certificate.ts'
import { compareOutcome } from '../vsock/difference.ts'
import { differences } from '../vsock/differences.ts'
import { runEnclave } from './enclave.ts'
import { makeProgramImage } from './image.ts'

/**
 * An emulated machine is slow, and how slow depends on who else computes: each of the two long checks ends after so many
 * seconds with what it has done by then. Without bounds they do all of it, and a reader stops for longer.
 */
const LONG = process.env['ENCLAVEJS_GUEST_LONG'] !== undefined
const [LIMIT, STOP] = LONG ? [3600, 30] : [20, 10]
const MODULE = 'i-0123456789abcdef0-enc0123456789abcdef'
const INSIDE = 'test/guest-eif/vsock-loopback-inside.mjs'

/** Runs everything; results are told to `results`. */
export async function runVsockLoopback(
  machine: string,
  folder: string,
  results: Results,
): Promise<void> {
  const certificate = makeCertificate()
  if (certificate === undefined) {
    results.skip('vsock by loopback', 'no openssl')
    return
  }
  const app = [
    ...installed(['vsock']),
    ...vsockPrograms(certificate),
    { path: 'app/loopback.mjs', data: readFileSync(join(root, INSIDE)) },
    busyboxEntry(),
  ]
  const run = async (...suites: readonly string[]): Promise<ReadonlyMap<string, Console>> => {
    const name = suites.join('-')
    const image = join(folder, `${name}.eif`)
    const command = ['loopback.mjs', String(LIMIT), String(STOP), ...suites]
    await makeProgramImage(image, join(machine, 'guest/bzImage'), app, command, kernelWords())
    const parts = new Parts()
    const whole = await runEnclave(machine, image, {
      ...{ folder: join(folder, name), signer: '', moduleId: MODULE, seconds: LONG ? 3600 : 600 },
      onLine: (line) => {
        parts.hear(line)
        results.hear('vsock', line)
      },
    })
    rmSync(image)
    // Where a suite has no end, the console of the enclave says why.
    return new Map(suites.map((suite) => [suite, parts.consoles.get(suite) ?? whole]))
  }
  // The services begin where the suite has ended: there are two processors.
  const [first, second, reference] = await Promise.all([
    run('vsock-suite', 'vsock-services'),
    run('vsock-load'),
    referenceOutcomes(certificate),
  ])
  const consoles = new Map([...first, ...second])
  for (const [name, console] of consoles) results.ended(name.replace('-', ' '), console)
  const seen = givenOutcomes(consoles.get('vsock-suite')?.lines ?? [])
  for (const { name } of cases) {
    await results.check(`vsock: AF_VSOCK: ${name}`, () => {
      const [expected, outcome] = [reference.get(name), seen.get(name)]
      if (expected === undefined || outcome === undefined) throw new Error('no outcome')
      const wrong = compareOutcome(name, 'AF_VSOCK', expected, outcome, differences)
      if (wrong !== undefined) throw new Error(wrong)
    })
  }
}

/** Cuts an enclave's console into those of its suites (vsock-loopback-inside.mjs). */
class Parts {
  readonly consoles = new Map<string, Console>()
  #name = ''
  #lines: string[] = []
  #started = 0

  hear(line: string): void {
    const [word, value = ''] = line.split(' ')
    if (word === '@suite') {
      this.#name = value
      this.#lines = []
      this.#started = performance.now()
    } else if (word === '@status') {
      const seconds = (performance.now() - this.#started) / 1000
      this.consoles.set(this.#name, { lines: this.#lines, status: Number(value), seconds })
    } else this.#lines.push(line)
  }
}

/**
 * What this machine's kernel takes for granted elsewhere. Its one clock is the processor's, whose speed it measures while it
 * boots, and where the host is busy it fails and counts ticks from then on, of which it loses many. Under emulation the clock
 * is the host's; /proc/cpuinfo has its speed where nothing scales it.
 */
function kernelWords(): string[] {
  const words = ['quiet', 'no_timer_check']
  if (existsSync('/sys/devices/system/cpu/cpu0/cpufreq')) return words
  const megahertz = /^cpu MHz\s*: ([0-9]+\.[0-9]{3})$/m.exec(
    readFileSync('/proc/cpuinfo', 'utf8'),
  )?.[1]
  if (megahertz === undefined) return words
  return [...words, `tsc_early_khz=${megahertz.replace('.', '')}`, 'tsc=reliable']
}

if (import.meta.main) {
  const machine = findMachine()
  const results = new Results()
  if ('reason' in machine) results.skip('vsock by loopback', machine.reason)
  else if (!existsSync(join(machine.folder, 'run-enclave.sh'))) {
    results.skip('vsock by loopback', 'the machine has no run-enclave.sh')
  } else {
    const folder = mkdtempSync(join(tmpdir(), 'guest-loopback-'))
    try {
      await runVsockLoopback(machine.folder, folder, results)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  console.log(results.line())
  process.exitCode = results.failed === 0 ? 0 : 1
}
