// The parent instance, as an operator runs it: the proxy and the source of credentials. When it is ready it prints one line of JSON:
// the TCP ports of 127.0.0.1 that lead into the enclaves.
//
//   node --import @enclavejs/simulator/register/parent parent.ts KMS_PORT S3_PORT CID OTHER_CID
import { createServer } from 'node:net'
import { CREDENTIALS_PORT, ordinaryCredentials, serveCredentials } from '@enclavejs/kms-enclave'
import { listenVsock } from '@enclavejs/vsock'
import { startProxy } from '@enclavejs/vsock/proxy'

const [kmsPort = 0, s3Port = 0, ...cids] = process.argv.slice(2).map(Number)

const [cid = 0, other = 0] = cids
const out = (listen: number, port: number) => ({
  listen: { port: listen, allowedCids: cids },
  to: { host: '127.0.0.1', port },
})
const into = { node: [cid, 5000], browser: [cid, 5001], web: [cid, 8443], other: [other, 5000] }
const proxy = await startProxy({
  // On an instance: host 'kms.eu-west-1.amazonaws.com', port 443; and that of the bucket.
  outbound: [out(8000, kmsPort), out(8003, s3Port)],
  inbound: Object.entries(into).map(([name, [to = 0, port = 0]]) => ({
    ...{ name, listen: { port: 0 }, to: { cid: to, port } },
  })),
})
// Of the instance's role, by IMDSv2.
const server = serveCredentials(createServer(), ordinaryCredentials())
listenVsock(server, { port: CREDENTIALS_PORT, allowedCids: cids })
server.once('listening', () => {
  const inbound = proxy.listeners.filter(({ kind }) => kind === 'inbound')
  console.log(JSON.stringify(Object.fromEntries(inbound.map(({ name, port }) => [name, port]))))
})
