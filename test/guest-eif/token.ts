// The key that NGINX uses and never has: examples/nginx-offload as an image on the nitro-enclave machine, whose documents are
// signed. KMS (the simulator's, behind a port of the parent) gives the key to this image alone; on the host `enclavejs acm agent`
// and a stock NGINX serve TLS with it over vsock. Then the enclave is killed, and booted again under NGINX.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { referenceValues } from '@enclavejs/eif'
import { describeFile } from '@enclavejs/eif/node'
import { serveCredentials } from '@enclavejs/kms-enclave'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { createSimulatedAcm } from '@enclavejs/simulator/acm'
import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
import { listenVsock } from '@enclavejs/vsock'
import { startProxy } from '@enclavejs/vsock/proxy'
import { BUCKET, HOST, KEY, makeBundle, type Scene } from '../../packages/acm-enclave/test/scene.ts'
import { absent, Workplace } from '../../packages/acm-enclave/test/token/program.ts'
import { handshake } from '../../packages/acm-enclave/test/token/web-server.ts'
import { OffloadNginx, socketFolder, unable } from '../examples/offload-nginx.ts'
import { TokenAgent } from '../examples/token-agent.ts'
import { findMachine, root } from '../guest/machine.ts'
import { Results } from '../guest/results.ts'

const MODULE = 'i-0123456789abcdef0-enc0123456789abcdef'
const PIN = 'a pin of the image'
const BUILD = ['--conditions=@enclavejs/source', join(root, 'packages/cli/src/bin.ts'), 'build']
const CMDLINE = 'reboot=t panic=1 pci=off console=ttyS0 random.trust_cpu=on enclave.heartbeat_cid=2'
const [KMS_PORT, S3_PORT, CREDENTIALS_PORT, HEARTBEAT_PORT] = [8000, 8010, 8002, 9000]

/** The enclave, until it is killed. */
class Machine {
  readonly lines: string[] = []
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(line.trim())
    })
  }

  /** Boots it, and waits until its program prints that it serves. */
  static async boot(
    machine: string,
    image: string,
    vsock: string,
    signer: string,
  ): Promise<Machine> {
    const child = spawn(join(machine, 'run-enclave.sh'), [image], {
      env: {
        ...process.env,
        ...{ ENCLAVE_S: '300', ENCLAVE_MB: '1024', VSOCK_DIR: vsock },
        ...{ SIGNER_DIR: signer, MODULE_ID: MODULE },
      },
      stdio: ['ignore', 'pipe', 'ignore'],
      // The script starts others, and all of them are told.
      detached: true,
    })
    const enclave = new Machine(child)
    while (!enclave.lines.some((line) => line.startsWith('the token serves '))) {
      if (child.exitCode !== null) {
        throw new Error(`the console ended: ${enclave.lines.slice(-12).join(' | ')}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return enclave
  }

  /** At once, as a machine that loses its power: the script, and what it started in groups of their own. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = once(this.#child, 'close')
    for (const pid of membersOf(this.#child.pid as number)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
    await closed
  }
}

/** The processes of a session. */
function membersOf(session: number): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      // proc(5): after the name in parentheses come state, ppid, pgrp and session.
      const own = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]
      return own === String(session) ? [Number(name)] : []
    } catch {
      return []
    }
  })
}

/** Runs it; `signer` signs the machine's documents, `attestationRoot` is what they end in. */
export async function runToken(
  machine: string,
  folder: string,
  signer: string,
  attestationRoot: Uint8Array,
  results: Results,
): Promise<void> {
  const why = absent('nginx') ?? unable()
  if (why !== undefined) {
    results.skip('nginx-offload in an enclave', why)
    return
  }
  const workplace = new Workplace()
  const vsock = join(folder, 'token-vsock')
  mkdirSync(vsock)
  const path = join(vsock, 'host')
  const account = createSimulatedAccount()
  const credentials = account.issueCredentials({ role: 'enclave' })
  const kms = await createSimulatedKms({
    accounts: [account],
    attestationRoots: [attestationRoot],
    minVersion: 'TLSv1.3',
  })
  const acm = await createSimulatedAcm({
    ...{ accounts: [account], kms },
    serviceAccount: createSimulatedAccount({ accountId: '999999999999' }),
  })
  const portOf = (server: typeof kms | typeof acm): number =>
    (server.address() as { port: number }).port
  let enclave: Machine | undefined
  let agent: TokenAgent | undefined
  try {
    acm.createBucket(BUCKET)
    const { arn: keyArn } = await kms.createKey()
    acm.putObject(BUCKET, KEY, await makeBundle({ acm, kms, keyArn } as unknown as Scene))
    const image = join(folder, 'token.eif')
    build(machine, image, {
      ...{ hostNames: [HOST], bucket: BUCKET, key: KEY, keyArn, pin: PIN },
      ...{ expectedBucketOwner: account.accountId, roots: [kms.ca, acm.ca] },
      parent: {
        cid: 2,
        ports: {
          [`kms.${kms.region}.amazonaws.com:443`]: KMS_PORT,
          [`${BUCKET}.s3.${kms.region}.amazonaws.com:443`]: S3_PORT,
        },
      },
    })
    const { pcrs } = referenceValues(await describeFile(image), { label: 'nginx-offload' })
    const policy = createKeyPolicy({
      ...{ account: account.accountId, locked: true },
      images: {
        label: 'nginx-offload',
        pcrs: Object.fromEntries(
          Object.entries(pcrs).map(([name, value]) => [Number(name.replace('PCR', '')), value]),
        ),
      },
      enclaveRoles: [credentials.principalArn],
      administrators: [`arn:aws:iam::${account.accountId}:root`],
    })
    await kms.setKeyPolicy(keyArn, policy.json)
    await using _proxy = await startProxy({
      outbound: [
        { listen: { path, port: KMS_PORT }, to: { host: '127.0.0.1', port: portOf(kms) } },
        { listen: { path, port: S3_PORT }, to: { host: '127.0.0.1', port: portOf(acm) } },
      ],
    })
    const lender = serveCredentials(createServer(), () => Promise.resolve(credentials))
    listenVsock(lender, { path, port: CREDENTIALS_PORT })
    const heartbeat = createServer((socket) => void socket.on('error', () => {}).pipe(socket))
    listenVsock(heartbeat, { path, port: HEARTBEAT_PORT })
    try {
      await serve()
    } finally {
      lender.close()
      heartbeat.close()
    }

    async function serve(): Promise<void> {
      const started = performance.now()
      await results.check('nginx-offload: KMS gives the key to the image', async () => {
        enclave = await Machine.boot(machine, image, vsock, signer)
        return `serving after ${((performance.now() - started) / 1000).toFixed(1)} s`
      })
      const files = socketFolder(workplace)
      agent = await TokenAgent.start([
        ...['--enclave', `${path}:9999`, '--pin-file', workplace.write('pin', PIN)],
        ...['--socket', join(files, 'token.sock'), '--socket-mode', '660'],
        ...['--module-file', join(files, 'modules/enclavejs.module')],
        ...['--certificate', join(files, 'certificate.pem')],
        ...['--nginx-stanza', join(files, 'stanza.conf'), '--interval', '1'],
      ])
      const nginx = await OffloadNginx.start(workplace, files)
      const shake = async (version?: 'TLSv1.2' | 'TLSv1.3'): Promise<void> => {
        const limits = version && { minVersion: version, maxVersion: version }
        const options = { ca: acm.issuerRoot, servername: HOST, ...limits }
        const socket = await handshake(nginx.port, options)
        const [own, wanted] = [socket.authorized, version ?? socket.getProtocol()]
        const spoken = socket.getProtocol()
        socket.destroy()
        if (!own || spoken !== wanted) throw new Error(`authorized ${own}, ${String(spoken)}`)
      }
      await results.check(
        'nginx-offload: TLS 1.2 and 1.3 with the key in the enclave',
        async () => {
          await shake('TLSv1.2')
          await shake('TLSv1.3')
          const begin = performance.now()
          for (let round = 0; round < 20; round++) await shake()
          return `${((performance.now() - begin) / 20).toFixed(1)} ms a handshake`
        },
      )
      await results.check('nginx-offload: killed and booted again, NGINX untouched', async () => {
        await enclave?.kill()
        const away = performance.now()
        enclave = await Machine.boot(machine, image, vsock, signer)
        const there = performance.now()
        for (;;) {
          try {
            await shake()
            break
          } catch (error) {
            if (performance.now() - there > 20_000) throw error
          }
        }
        for (let round = 0; round < 5; round++) await shake()
        if (/\[(alert|emerg)\](?!.*initgroups)/.test(nginx.log)) throw new Error(nginx.log)
        const seconds = ((performance.now() - away) / 1000).toFixed(1)
        return `handshakes again after ${seconds} s`
      })
    }
  } catch (error) {
    results.fail(`nginx-offload in an enclave: ${String(error)}`)
  } finally {
    await agent?.stop()
    await workplace.close()
    await enclave?.kill()
    await acm.close()
    await kms.close()
  }
}

function build(machine: string, image: string, configuration: object): void {
  execFileSync(
    process.execPath,
    [
      ...[...BUILD, join(root, 'examples/nginx-offload'), '--kernel'],
      ...[join(machine, 'guest/bzImage'), '--kernel-config', join(machine, 'guest/config')],
      ...['--cmdline', CMDLINE, '--argument', JSON.stringify(configuration), '--output', image],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
}

if (import.meta.main) {
  const machine = findMachine()
  const results = new Results()
  if ('reason' in machine) results.skip('nginx-offload in an enclave', machine.reason)
  else if (!existsSync(join(machine.folder, 'run-enclave.sh'))) {
    results.skip('nginx-offload in an enclave', 'the machine has no run-enclave.sh')
  } else {
    const folder = mkdtempSync(join(tmpdir(), 'guest-token-'))
    const signer = join(folder, 'signer')
    try {
      execFileSync(join(machine.folder, 'make-signer.sh'), [signer, MODULE], { stdio: 'ignore' })
      const certificate = new Uint8Array(readFileSync(join(signer, 'ca-0.der')))
      await runToken(machine.folder, folder, signer, certificate, results)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  console.log(results.line())
  process.exitCode = results.failed === 0 ? 0 : 1
}
