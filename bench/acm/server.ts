// The server that is measured: a certificate of the simulator, loaded and attached, over loopback TCP and, as an enclave is reached,
// behind a Unix socket with hybrid vsock. Says where on its first line, and its memory for each line that it is given.
import { once } from 'node:events'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  acceptProxied,
  createAcmCertificate,
  createCertificateRequest,
  fromBundleObject,
  publishCertificate,
} from '@enclavejs/acm-enclave'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import { createSimulatedAcm } from '@enclavejs/simulator/acm'
import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'

const [kind, path] = process.argv.slice(2)
const authority = await createCertificateAuthority()
const account = createSimulatedAccount()
const serviceAccount = createSimulatedAccount({ accountId: '999999999999' })
const kms = await createSimulatedKms({
  accounts: [account, serviceAccount],
  attestationRoots: [authority.trustAnchor],
})
const acm = await createSimulatedAcm({ accounts: [account], kms, serviceAccount })
acm.createBucket('certificates')
const hostNames = ['www.example.com']
const own = {
  bucket: 'certificates',
  key: 'www.json',
  expectedBucketOwner: account.accountId,
  keyArn: (await kms.createKey()).arn,
  connect: acm.connect,
  credentials: account.issueCredentials({ role: 'enclave' }),
  getEvidence: async ({ publicKey }: { publicKey: Uint8Array }) =>
    issueAttestationDocument(
      {
        moduleId: authority.moduleId,
        timestamp: authority.now().getTime(),
        pcrs: new Map([[0, new Uint8Array(48)]]),
        publicKey,
      },
      authority.issueLeaf(),
    ),
}
const keyAlgorithm = kind === 'rsa' ? 'RSA_2048' : 'EC_prime256v1'
const request = await createCertificateRequest({ hostNames, keyAlgorithm })
await publishCertificate(request, await acm.answerRequest(request.pem), own)
const certificate = await createAcmCertificate({ source: fromBundleObject(own), hostNames })
const server = createHttpsServer((_request, response) => response.end('hello'))
server.on('tlsClientError', () => undefined)
server.keepAliveTimeout = 0
server.headersTimeout = 0
await certificate.attach(server)
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const machine = createServer((socket) => {
  socket.on('error', () => undefined)
  socket.once('data', () => {
    socket.pause()
    socket.write('OK 1024\n')
    void acceptProxied(server, socket)
  })
}).listen({ path: path as string, backlog: 2048 })
await once(machine, 'listening')
console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }))

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
for await (const _line of createInterface(process.stdin)) {
  // What is garbage is none of the connections'.
  collect()
  collect()
  console.log(JSON.stringify({ rss: process.memoryUsage.rss() }))
}
process.exit()
