// The way out of an enclave: an image of ours on the nitro-enclave machine, whose program reaches hosts through the CONNECT
// door of a proxy on this host, over virtio-vsock. Both ends have a list of hosts; the enclave's is in its measurements.
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeFile } from '@enclavejs/eif/node'
import { startProxy } from '@enclavejs/vsock/proxy'
import { findMachine, root } from '../guest/machine.ts'
import { installed } from '../guest/package.ts'
import { Results } from '../guest/results.ts'
import { runEnclave } from './enclave.ts'
import { makeProgramImage } from './image.ts'

const MODULE = 'i-0123456789abcdef0-enc0123456789abcdef'
const DOOR = 8000
const INSIDE = 'test/guest-eif/egress-inside.mjs'
const ANY = { dangerouslyAllowAnyAddress: true }

/** Runs everything; results are told to `results`. */
export async function runEgress(machine: string, folder: string, results: Results): Promise<void> {
  const sockets = join(folder, 'egress')
  mkdirSync(sockets)
  const heard: string[] = []
  const backend = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      heard.push(data.toString())
      socket.write('reached')
    })
  })
  await once(backend.listen(0, '127.0.0.1'), 'listening')
  const { port } = backend.address() as AddressInfo
  const files = installed(['vsock'])
  const build = async (name: string, hosts: readonly string[]): Promise<string> => {
    const image = join(folder, `${name}.eif`)
    const allow = JSON.stringify(hosts.map((host) => ({ host, port })))
    const app = [
      ...files,
      { path: 'app/egress.mjs', data: readFileSync(join(root, INSIDE)) },
      { path: 'app/allow.json', data: Buffer.from(allow) },
    ]
    await makeProgramImage(image, join(machine, 'guest/bzImage'), app, ['egress.mjs'])
    return image
  }
  const hosts = ['refused.example', 'allowed.example']
  const image = await build('egress', hosts)
  await results.check('egress: the list of hosts is in PCR0 and PCR2', async () => {
    const [same, other] = [
      await build('same', hosts),
      await build('other', [...hosts, 'a.example']),
    ]
    const [one, again, changed] = await Promise.all(
      [image, same, other].map(async (file) => (await describeFile(file)).pcrs),
    )
    for (const index of [0, 1, 2] as const) {
      const pcr = one?.[index] ?? ''
      if (!/^[0-9a-f]{96}$/.test(pcr)) throw new Error(`PCR${index}: ${pcr}`)
      if (pcr !== again?.[index]) throw new Error(`PCR${index} of the same list`)
      const differs = pcr !== changed?.[index]
      if (differs !== (index !== 1)) throw new Error(`PCR${index} of another list`)
    }
    for (const file of [same, other]) rmSync(file)
  })
  const listen = { port: DOOR, path: join(sockets, 'host') }
  const door = { listen, allow: [{ host: 'allowed.example', port, ...ANY }] }
  await using proxy = await startProxy(
    { connect: [door] },
    { resolve: async () => ({ addresses: ['127.0.0.1'], ttl: 60 }) },
  )
  const { lines, status, seconds } = await runEnclave(machine, image, {
    ...{ folder: sockets, signer: '', moduleId: MODULE, seconds: 60 },
  })
  backend.close()
  rmSync(image)
  await results.check('egress: an image ran to its end', () => {
    if (status !== 0) throw new Error(`status ${status}: ${lines.slice(-12).join(' | ')}`)
    return `${seconds.toFixed(1)} s`
  })
  const said = (host: string, expected: string): void => {
    const line = lines.find((one) => one.startsWith(`@said ${host} `))
    if (line !== `@said ${host} ${expected}`) throw new Error(line ?? 'nothing')
  }
  await results.check("egress: a host that the enclave's list has not never leaves it", () =>
    said('other.example', 'ERR_VSOCK_EGRESS_NOT_ALLOWED'),
  )
  await results.check("egress: a host that the parent's list has not is refused there", () => {
    said('refused.example', 'ERR_VSOCK_EGRESS_REFUSED')
    // One only: the other one was never asked for.
    const refused = `refused_total{listener="connect-${DOOR}",reason="not-allowed"} 1`
    if (!proxy.metrics().includes(refused)) throw new Error(proxy.metrics())
  })
  await results.check('egress: a host of both is reached', () => {
    said('allowed.example', 'reached')
    if (heard.join() !== 'from the enclave') throw new Error(heard.join())
  })
}

if (import.meta.main) {
  const machine = findMachine()
  const results = new Results()
  if ('reason' in machine) results.skip('egress of an enclave', machine.reason)
  else if (!existsSync(join(machine.folder, 'run-enclave.sh'))) {
    results.skip('egress of an enclave', 'the machine has no run-enclave.sh')
  } else {
    const folder = mkdtempSync(join(tmpdir(), 'guest-egress-'))
    try {
      await runEgress(machine.folder, folder, results)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  console.log(results.line())
  process.exitCode = results.failed === 0 ? 0 : 1
}
