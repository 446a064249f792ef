// enclavejs run with QEMU's nitro-enclave machine: a production image, as it is built for an instance, boots with the PCRs that
// were measured, is asked for a document, reached, read and stopped. The document is signed as Nitro signs.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { findEnclave, readConsole, stopEnclave, type RunEvent } from '@enclavejs/launcher'
import { formatLogEntry, readLog } from '@enclavejs/vsock/log'
import { findMachine, root } from '../guest/machine.ts'
import { Results } from '../guest/results.ts'

const CLI = ['--conditions=@enclavejs/source', join(root, 'packages/cli/src/bin.ts')]
const PROGRAM = join(root, 'test/guest-eif/run-program')
/** The first CID that a launcher gives, and what it makes of it. */
const MODULE = 'i-00000000000000000-enc0000000000000016'

type Of<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

/** Runs everything; results are told to `results`. */
export async function runRunCommand(
  machine: string,
  folder: string,
  results: Results,
): Promise<void> {
  const image = join(folder, 'run.eif')
  const kernel = ['--kernel', join(machine, 'guest/bzImage')]
  const config = ['--kernel-config', join(machine, 'guest/config')]
  // The same Node and the same addons, so the same libraries.
  const lock = ['--lock', join(root, 'examples/attested-echo/enclave.lock.json'), '--compress']
  const built = execFileSync(
    process.execPath,
    [...CLI, 'build', PROGRAM, ...kernel, ...config, ...lock, '--output', image],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const pcrs = [...built.matchAll(/^PCR\d ([0-9a-f]{96})$/gm)].map(([, hex]) => hex)
  const signer = join(folder, 'run-signer')
  execFileSync(join(machine, 'make-signer.sh'), [signer, MODULE], { stdio: 'ignore' })
  const env = {
    ...process.env,
    ...{ ENCLAVEJS_RUN_DIR: join(folder, 'run'), NITRO_QEMU_DIR: machine },
    ...{ QEMU_NSM_SIGNER: signer, ENCLAVEJS_QEMU_ACCEL: 'tcg' },
  }
  const surroundings = { env }
  const flags = [
    ...['--name', 'guest', '--json', '--no-console', '--attest-port', '5001', '--ready-port', '7'],
    ...[
      '--trust-anchor',
      join(signer, 'root.pem'),
      '--publish',
      '0:7',
      '--memory',
      '1024',
      '--timeout',
      '240',
    ],
  ]
  const child = spawn(process.execPath, [...CLI, 'run', image, ...flags], {
    ...{ env, stdio: ['ignore', 'pipe', 'pipe'] },
  })
  const events: RunEvent[] = []
  const problems = text(child.stderr)
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const seen = <Type extends RunEvent['type']>(type: Type): Of<Type> => {
    const found = events.find((one): one is Of<Type> => one.type === type)
    if (found === undefined) throw new Error(`no event ${type}`)
    return found
  }
  const open = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as RunEvent | { readonly type?: undefined }
      if (event.type !== undefined) events.push(event)
      if (event.type === 'open') resolve()
    })
  })
  try {
    const status = await Promise.race([open, ended])
    if (status !== undefined) throw new Error(`run ended with ${status}: ${await problems}`)
    await results.check('run: QEMU is taken, and its document proves the image', () => {
      const { by, pcrs: compared } = seen('admitted')
      equal([seen('backend').backend, by, compared.join()], ['qemu', 'attestation', '0,1,2'])
      equal(Object.values(seen('measured').pcrs), pcrs)
      return `ready after ${(seen('ready').milliseconds / 1000).toFixed(1)} s`
    })
    await results.check('run: a published port leads to the enclave', async () => {
      const [door] = seen('open').doors
      equal(await echoed(door?.port ?? 0), 'hello')
    })
    await results.check('run: another process finds it, its log and its console', async () => {
      const { state, cid, vsock } = await findEnclave('guest', surroundings)
      equal([state, cid], ['running', 16])
      const path = 'path' in vsock ? vsock.path : ''
      let lines = ''
      for await (const entry of readLog({ path })) lines += `${formatLogEntry(entry)}\n`
      if (!/ asked length=32\n/.test(lines) || !/ connected\n/.test(lines)) throw new Error(lines)
      if (!/ drops field=1$/m.test(lines)) throw new Error(lines)
      const said: string[] = []
      for await (const line of readConsole('guest', { surroundings })) said.push(line)
      if (!said.includes('the program listens')) throw new Error(said.slice(-5).join('\n'))
    })
    await results.check('run: a proxy of its own finds it by its name', async () => {
      const file = join(folder, 'run-proxy.json')
      const inbound = [{ listen: { port: 0 }, to: { port: 7 } }]
      writeFileSync(file, JSON.stringify({ inbound }))
      const by = ['proxy', '--config', file, '--enclave', 'guest', '--json']
      const proxy = spawn(process.execPath, [...CLI, ...by], {
        ...{ env, stdio: ['ignore', 'pipe', 'ignore'] },
      })
      try {
        const [line] = (await once(createInterface({ input: proxy.stdout }), 'line', {
          signal: AbortSignal.timeout(20_000),
        })) as [string]
        equal(await echoed((JSON.parse(line) as { port: number }).port), 'hello')
      } finally {
        proxy.kill()
        await once(proxy, 'close')
      }
    })
    await results.check('run: stop ends it, and nothing is left', async () => {
      equal((await stopEnclave('guest', { surroundings })).how, 'stopped')
      equal(await ended, 0)
      equal(readdirSync(env.ENCLAVEJS_RUN_DIR), ['.cid'])
    })
  } catch (error) {
    results.fail(`run: ${(error as Error).message}`)
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

/** What comes back of `hello` from a TCP port that leads to the enclave's echo. */
async function echoed(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write('hello')
  try {
    const [bytes] = (await once(socket, 'data', { signal: AbortSignal.timeout(20_000) })) as [
      Buffer,
    ]
    return bytes.toString()
  } finally {
    socket.destroy()
  }
}

function equal(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${b} expected, ${a} seen`)
}

if (import.meta.main) {
  const machine = findMachine()
  const results = new Results()
  if ('reason' in machine) results.skip('run', machine.reason)
  else if (!existsSync(join(machine.folder, 'run-enclave.sh'))) {
    results.skip('run', 'the machine has no nitro-enclave machine')
  } else {
    const folder = mkdtempSync(join(tmpdir(), 'run-'))
    try {
      await runRunCommand(machine.folder, folder, results)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  console.log(results.line())
  process.exitCode = results.failed === 0 ? 0 : 1
}
