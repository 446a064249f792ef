// The enclave's program: publishes a certificate under its own key, serves it, and reloads when it is told to.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import {
  acceptProxied,
  claimedAddressOf,
  createAcmCertificate,
  createCertificateRequest,
  fromBundleObject,
  publishCertificate,
  type RequestKeyAlgorithm,
} from '@enclavejs/acm-enclave'
import { createServer as createVsockServer } from '@enclavejs/vsock'

const { env } = process
const roots = [env['ENCLAVEJS_SIMULATED_KMS_CA'], env['ENCLAVEJS_SIMULATED_ACM_CA']].map((file) =>
  readFileSync(file ?? '', 'utf8'),
)
const own = {
  bucket: 'my-certificates',
  key: 'www.json',
  expectedBucketOwner: '123456789012',
  keyArn: env['ENCLAVEJS_SIMULATED_KMS_KEY'] ?? '',
  roots,
}
const hostNames = ['www.example.com']

interface Message {
  readonly certificate: string
  readonly certificateChain: string
}

async function publish(keyAlgorithm: RequestKeyAlgorithm): Promise<void> {
  const request = await createCertificateRequest({ hostNames, keyAlgorithm })
  process.send?.({ request: request.pem })
  const issued = await new Promise<Message>((resolve) => process.once('message', resolve))
  const { certificate, certificateChain } = issued
  await publishCertificate(request, { certificate, certificateChain }, own)
}

await publish(env['KEY_ALGORITHM'] as RequestKeyAlgorithm)
const certificate = await createAcmCertificate({ source: fromBundleObject(own), hostNames })
const server = createServer((request, response) => {
  const { address = 'nobody' } = claimedAddressOf(request.socket) ?? {}
  response.end(`hello ${address}\n`)
})
await certificate.attach(server)
const vsock = createVsockServer((socket) => void acceptProxied(server, socket))
vsock.listen({ port: 8443 }, () => process.send?.({ serving: certificate.state.serialNumber }))
process.on('message', (message: { renew?: RequestKeyAlgorithm }) => {
  if (message.renew === undefined) return
  void publish(message.renew)
    .then(() => certificate.refresh())
    .then(() => process.send?.({ serving: certificate.state.serialNumber }))
})
