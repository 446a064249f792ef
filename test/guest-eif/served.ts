// What serves in images of ours on the nitro-enclave machine, whose documents are signed, to clients on the host: attested TLS
// behind the parent's proxy, examples/attested-echo and examples/signer over vsock. A client knows the image by its file, and
// refuses it where it wants another.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer, request as send } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createVerifier,
  type AppraisalPolicyOptions,
  type AttestationResult,
} from '@enclavejs/attestation'
import { createSealedFetch } from '@enclavejs/attested-tls/browser'
import { createAttestedFetch } from '@enclavejs/attested-tls/client'
import { referenceValues } from '@enclavejs/eif'
import { describeFile } from '@enclavejs/eif/node'
import { connect } from '@enclavejs/vsock'
import { startProxy } from '@enclavejs/vsock/proxy'
import { EchoClient } from '../../examples/attested-echo/client.ts'
import { isSigned, SignerClient } from '../../examples/signer/client.ts'
import { findMachine, root } from '../guest/machine.ts'
import { Results } from '../guest/results.ts'
import { makeCertificate } from '../vsock/certificate.ts'
import { runEnclave, type EnclaveConsole, type Launch } from './enclave.ts'

const BUILD = ['--conditions=@enclavejs/source', join(root, 'packages/cli/src/bin.ts'), 'build']
const CMDLINE = 'reboot=t panic=1 pci=off console=ttyS0 random.trust_cpu=on enclave.heartbeat_cid=2'
const ROOMS = {
  attested: 'test/guest-eif/attested-program',
  echo: 'examples/attested-echo',
  signer: 'examples/signer',
} as const
type Room = keyof typeof ROOMS

type Run = (image: string, options: Partial<Launch>) => Promise<EnclaveConsole>

/** Runs everything; `attestationRoot` is what the machine's documents end in, `moduleId` what it calls itself. */
export async function runServed(
  machine: string,
  folder: string,
  { attestationRoot, moduleId }: { attestationRoot: Uint8Array; moduleId: string },
  launch: Run,
  results: Results,
): Promise<void> {
  const build = async (room: Room): Promise<{ image: string; policy: AppraisalPolicyOptions }> => {
    const image = join(folder, `served-${room}.eif`)
    execFileSync(
      process.execPath,
      [
        ...[...BUILD, join(root, ROOMS[room]), '--kernel', join(machine, 'guest/bzImage')],
        ...['--kernel-config', join(machine, 'guest/config'), '--cmdline', CMDLINE],
        // The same Node and the same addons, so the same libraries.
        ...['--lock', join(root, 'examples/attested-echo/enclave.lock.json'), '--output', image],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    const values = referenceValues(await describeFile(image), { label: room })
    return { image, policy: { referenceValues: values, trustAnchors: [attestationRoot] } }
  }
  const [attested, echo, signer] = [
    await build('attested'),
    await build('echo'),
    await build('signer'),
  ]
  const serving = (
    { image }: { image: string },
    room: Room,
    use: (path: string) => Promise<void>,
  ): Promise<void> => serve(image, join(folder, `served-${room}`), launch, use)

  await results.check('attested TLS: an image on the machine serves', () =>
    serving(attested, 'attested', async (path) => {
      const clients = new TlsClients(attested.policy, echo.policy, moduleId)
      await clients.run(path, results)
    }),
  )
  const own = (policy: AppraisalPolicyOptions, path: string, port: number) => ({
    verifier: createVerifier(policy),
    connect: ({ signal }: { signal: AbortSignal }) => connect({ path, port, signal }),
  })
  await results.check('attested-echo: an image on the machine serves', () =>
    serving(echo, 'echo', async (path) => {
      await results.check('attested-echo: what it was sealed comes back', async () => {
        await using client = new EchoClient(own(echo.policy, path, 5000))
        const answer = await client.echo(Buffer.from('hello, enclave'))
        equal(Buffer.from(answer).toString(), 'hello, enclave')
      })
      await results.check('attested-echo: refused to who wants another image', async () => {
        await using client = new EchoClient(own(signer.policy, path, 5000))
        equal(await codeOf(() => client.echo(Buffer.from('never'))), 'ERR_ATTESTATION_PCR')
      })
    }),
  )
  await results.check('signer: an image on the machine serves', () =>
    serving(signer, 'signer', async (path) => {
      await results.check(
        'signer: signs an order with the attested key, and nothing else',
        async () => {
          await using client = new SignerClient(own(signer.policy, path, 5000))
          const key = await client.attest()
          const order = Buffer.from('{"order":"4711","amount":12}')
          equal(isSigned(order, await client.sign(order, key), key), true)
          const nothing = Buffer.from('{"order":"4711"}')
          equal(await codeOf(() => client.sign(nothing, key)), 'NO_ORDER')
        },
      )
      await results.check('signer: refused to who wants another image', async () => {
        await using client = new SignerClient(own(echo.policy, path, 5000))
        equal(await codeOf(() => client.attest()), 'ERR_ATTESTATION_PCR')
      })
    }),
  )
}

/** Boots an image and uses it from the moment that its program says where it listens. */
async function serve(
  image: string,
  folder: string,
  launch: Run,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const ended = new AbortController()
  const running: Promise<EnclaveConsole>[] = []
  const listens = new Promise<undefined>((resolve) => {
    const onLine = (line: string): void => {
      if (line.includes('listens on vsock port')) resolve(undefined)
    }
    running.push(launch(image, { folder, signal: ended.signal, onLine }))
  })
  try {
    const first = await Promise.race([listens, ...running])
    if (first !== undefined) throw new Error(`it ended: ${first.lines.slice(-10).join('\n')}`)
    await use(join(folder, 'host'))
  } finally {
    ended.abort()
    await Promise.all(running)
  }
}

/** Clients of attested TLS: of this image, of another one, of AWS's root alone, and behind who ends TLS in the middle. */
class TlsClients {
  readonly #policy: AppraisalPolicyOptions
  readonly #other: AppraisalPolicyOptions
  readonly #moduleId: string

  constructor(policy: AppraisalPolicyOptions, other: AppraisalPolicyOptions, moduleId: string) {
    this.#policy = policy
    this.#other = other
    this.#moduleId = moduleId
  }

  async run(path: string, results: Results): Promise<void> {
    await using proxy = await startProxy({
      inbound: [{ listen: { port: 0 }, to: { path, port: 8443 } }],
    })
    const port = proxy.listeners[0]?.port ?? 0
    const url = `https://127.0.0.1:${port}`
    await results.check(
      'attested TLS: document, image and channel binding, through the proxy',
      () => this.#accepted(url),
    )
    await results.check('attested TLS: refused to who wants another image', () =>
      refused(url, this.#other, 'ERR_ATTESTED_TLS_EVIDENCE', 'ERR_ATTESTATION_PCR'),
    )
    await results.check("attested TLS: refused to who trusts AWS's root alone", () =>
      refused(
        url,
        { referenceValues: this.#policy.referenceValues ?? [] },
        ...(['ERR_ATTESTED_TLS_EVIDENCE', 'ERR_ATTESTATION_TRUST_ANCHOR'] as const),
      ),
    )
    const [middle, secure] = [createServer(pass(port)), createHttpsServer(pass(port))]
    secure.setSecureContext(makeCertificate() ?? {})
    await results.check('attested TLS: refused where the parent ends TLS in the middle', async () =>
      refused(`https://127.0.0.1:${await listen(secure)}`, this.#policy, MIDDLE),
    )
    await results.check('sealed requests: through a parent that ends TLS', async () => {
      const origin = `http://127.0.0.1:${await listen(middle)}`
      const sealed = createSealedFetch({ url: origin, ...this.#policy })
      const response = await sealed('/a', { method: 'POST', body: 'a secret' })
      equal([await response.text(), response.headers.get('x-channel')], ['a secret', 'sealed'])
      const other = createSealedFetch({ url: origin, ...this.#other })
      equal(await codeOf(() => other('/never')), 'ERR_ATTESTED_TLS_EVIDENCE')
    })
    for (const one of [middle, secure]) one.close().closeAllConnections()
  }

  async #accepted(url: string): Promise<string> {
    const seen: AttestationResult[] = []
    const onAttested = (result: AttestationResult): void => void seen.push(result)
    const began = performance.now()
    await using fetch = createAttestedFetch({ ...this.#policy, onAttested })
    for (const body of ['one', 'two']) {
      const response = await fetch(url, { method: 'POST', body })
      equal([await response.text(), response.headers.get('x-channel')], [body, 'tls'])
    }
    equal([seen.length, seen[0]?.moduleId], [1, this.#moduleId])
    return `${(performance.now() - began).toFixed(0)} ms`
  }
}

const MIDDLE = 'ERR_ATTESTED_TLS_KEY'

async function refused(
  url: string,
  policy: AppraisalPolicyOptions,
  code: string,
  cause?: string,
): Promise<void> {
  await using fetch = createAttestedFetch(policy)
  const error = await fetch(`${url}/never`).then(
    () => undefined,
    (failed: { cause: { code: string; cause?: { code: string } } }) => failed.cause,
  )
  equal(error?.code, code)
  if (cause !== undefined) equal(error?.cause?.code, cause)
}

/** Gives everything on to the enclave in TLS of its own, and what comes back to who asked. */
function pass(port: number): RequestListener {
  return (request, response) => {
    const { headers, method = 'GET', url: path = '/' } = request
    const to = { host: '127.0.0.1', port, rejectUnauthorized: false }
    const onwards = send({ ...to, headers, method, path }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onwards.on('error', () => response.destroy()))
  }
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

async function codeOf(run: () => Promise<unknown>): Promise<unknown> {
  return run().then(
    () => 'accepted',
    (error: { code?: string; remoteCode?: string }) => error.remoteCode ?? error.code ?? error,
  )
}

function equal(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${b} expected, ${String(a)} seen`)
}

if (import.meta.main) {
  const machine = findMachine()
  const results = new Results()
  if ('reason' in machine) results.skip('served', machine.reason)
  else if (!existsSync(join(machine.folder, 'run-enclave.sh'))) {
    results.skip('served', 'the machine has no run-enclave.sh')
  } else {
    const folder = mkdtempSync(join(tmpdir(), 'served-'))
    try {
      const moduleId = 'i-0123456789abcdef0-enc0123456789abcdef'
      const signer = join(folder, 'signer')
      execFileSync(join(machine.folder, 'make-signer.sh'), [signer, moduleId], { stdio: 'ignore' })
      const attestationRoot = new Uint8Array(readFileSync(join(signer, 'ca-0.der')))
      const launch: Run = (image, options) =>
        runEnclave(machine.folder, image, { folder, signer, moduleId, ...options })
      await runServed(machine.folder, folder, { attestationRoot, moduleId }, launch, results)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  console.log(results.line())
  process.exitCode = results.failed === 0 ? 0 : 1
}
