// The parent instance in the hands of an attacker, who ends, changes, repeats and writes down what he likes between clients, enclave
// and KMS. When it is ready it prints one line of JSON: a TCP port of 127.0.0.1 for each attack.
//
//   node --import @enclavejs/simulator/register/parent hostile-parent.ts KMS_PORT S3_PORT CID HOST_NAME LOG [false-kms]
import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { CREDENTIALS_PORT, ordinaryCredentials, serveCredentials } from '@enclavejs/kms-enclave'
import { createCertificateAuthority } from '@enclavejs/simulator'
import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
import { listenVsock } from '@enclavejs/vsock'
import { startProxy } from '@enclavejs/vsock/proxy'
import { Impostor } from './impostor.ts'

const [kmsPort, , cid, hostName = '', log = '', falseKms] = process.argv.slice(2)

/** A server for a name of others, with a certificate of a CA of its own; it would take any document. */
async function falseServer(hostNames?: readonly string[]): Promise<number> {
  const { trustAnchor } = await createCertificateAuthority()
  const server = await createSimulatedKms({
    ...{ accounts: [createSimulatedAccount()], attestationRoots: [trustAnchor] },
    ...(hostNames && { hostNames }),
  })
  return (server.address() as { port: number }).port
}

/** Leads to another port, and writes down what goes by. */
function tap(port: number): Promise<number> {
  return listen(
    createServer((socket) => {
      const onward = connect({ host: '127.0.0.1', port })
      for (const [from, to] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        from.on('data', (chunk: Buffer) => appendFileSync(log, chunk))
        from.on('error', () => to.destroy()).on('close', () => to.destroy())
        from.pipe(to)
      }
    }),
  )
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const port = falseKms === undefined ? await tap(Number(kmsPort)) : await falseServer()
const into = (name: string, to: number) => ({
  ...{ name, listen: { port: 0 }, to: { cid: Number(cid), port: to } },
})
const proxy = await startProxy({
  outbound: [{ listen: { port: 8000, anyCid: true }, to: { host: '127.0.0.1', port } }],
  inbound: [into('node', 5000), into('browser', 5001)],
})
const credentials = serveCredentials(createServer(), ordinaryCredentials())
listenVsock(credentials, { port: CREDENTIALS_PORT })

const [node = 0, browser = 0] = proxy.listeners
  .filter(({ kind }) => kind === 'inbound')
  .map((listener) => listener.port)
const impostor = new Impostor(node, browser)
/** Documents of the enclave, for a nonce of the attacker's: of before any client came. */
const kept = await impostor.documentOverTls(randomBytes(32))
const ports = {
  ...{ node: await tap(node), browser: await tap(browser) },
  // It ends TLS itself, with a key of its own, and shows
  middle: await listen(
    await impostor.server('tls', ({ nonce }) => impostor.documentOverTls(nonce)),
  ),
  replay: await listen(await impostor.server('tls', async () => kept)),
  forge: await listen(await impostor.server('tls', await impostor.forger(kept))),
  // It gives the page
  key: await listen(await impostor.server('sealed', (fields) => impostor.exchangedKey(fields))),
  answer: await listen(
    impostor.relay(async (send) => {
      const answer = await send()
      const bytes = new Uint8Array(await answer.arrayBuffer())
      bytes[bytes.length - 1] = Number(bytes.at(-1)) ^ 1
      return new Response(bytes, answer)
    }),
  ),
  twice: await listen(
    impostor.relay(async (send) => {
      await send()
      return send()
    }),
  ),
  web: await falseServer([hostName]),
}
console.log(JSON.stringify(ports))
