// The parent instance, as an operator runs it: the proxy and the source of credentials. It prints one line of JSON when it is
// ready: the TCP ports that lead to port 5000 of each enclave, and to port 8443 of the first.
//
//   node --import @enclavejs/simulator/register/parent parent.ts KMS_PORT S3_PORT CID…
import { createServer } from 'node:net'
import { CREDENTIALS_PORT, ordinaryCredentials, serveCredentials } from '@enclavejs/kms-enclave'
import { listenVsock } from '@enclavejs/vsock'
import { startProxy } from '@enclavejs/vsock/proxy'

const [kmsPort = 0, s3Port = 0, ...cids] = process.argv.slice(2).map(Number)

const [first = 0] = cids
const to = (listen: number, port: number) => ({
  listen: { port: listen, allowedCids: cids },
  to: { host: '127.0.0.1', port },
})
const proxy = await startProxy({
  // On an instance: host 'kms.eu-west-1.amazonaws.com', port 443; and that of the bucket.
  outbound: [to(8000, kmsPort), to(8003, s3Port)],
  inbound: [
    ...cids.map((cid) => ({ name: `cid-${cid}`, listen: { port: 0 }, to: { cid, port: 5000 } })),
    { name: 'web', listen: { port: 0 }, to: { cid: first, port: 8443 } },
  ],
})
// Of the instance's role, by IMDSv2.
const server = serveCredentials(createServer(), ordinaryCredentials())
listenVsock(server, { port: CREDENTIALS_PORT, allowedCids: cids })
server.once('listening', () => {
  const ports = proxy.listeners.filter(({ kind }) => kind === 'inbound').map(({ port }) => port)
  console.log(JSON.stringify({ ports }))
})
