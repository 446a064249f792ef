// The servers of bench/attested-tls.ts in a process of their own: attested TLS, plain TLS with a key of the same kind, sealed
// requests over HTTP, and plain HTTP. The same handler answers at all of them. Documents are a simulator's, of one enclave.
import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { serveAttested } from '@enclavejs/attested-tls/server'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import { makeCertificate } from '../../test/vsock/certificate.ts'

/** What the process says of itself, as one line of JSON. */
export interface BenchServer {
  readonly ports: Readonly<Record<'attested' | 'tls' | 'sealed' | 'http', number>>
  readonly pcrs: Readonly<Record<number, string>>
  /** DER, in base64. */
  readonly trustAnchor: string
  /** Milliseconds to make one document: the simulator signs, where in an enclave the NSM does. */
  readonly document: number
}

const authority = await createCertificateAuthority()
const leaf = authority.issueLeaf()
const pcrs = new Map([0, 1, 2].map((index) => [index, new Uint8Array(48).fill(index + 1)]))
const { moduleId } = authority
const getEvidence = async (fields: object): Promise<Uint8Array> =>
  issueAttestationDocument({ moduleId, timestamp: Date.now(), pcrs, ...fields }, leaf)

const handler: RequestListener = (request, response) => {
  request.resume()
  response.end('{"status":"ok","detail":"an answer of some sixty-four bytes in all"}')
}
const limits = { maxEvidencePerSecond: 10_000, maxRequestsPerKey: 1_000_000 }
const [attested, sealed] = [createServer(), createServer()]
await serveAttested({ listener: attested, handler, getEvidence, ...limits })
await serveAttested({ listener: sealed, handler, getEvidence, transport: 'sealed', ...limits })
const certificate = makeCertificate()
if (certificate === undefined) throw new Error('plain TLS needs openssl, which is not installed')
const tls = createHttpsServer(
  { ...certificate, minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'], keepAliveTimeout: 60_000 },
  handler,
)
const http = createHttpServer({ keepAliveTimeout: 60_000 }, handler)

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

const fields = { publicKey: new Uint8Array(91), userData: new Uint8Array(58) }
const began = performance.now()
for (let count = 0; count < 20; count++) await getEvidence({ ...fields, nonce: new Uint8Array(32) })
const document = (performance.now() - began) / 20
const ports = {
  ...{ attested: await listen(attested), tls: await listen(tls) },
  ...{ sealed: await listen(sealed), http: await listen(http) },
}
const hex = [...pcrs].map(([index, value]) => [index, Buffer.from(value).toString('hex')])
console.log(
  JSON.stringify({
    ...{ ports, pcrs: Object.fromEntries(hex) as BenchServer['pcrs'], document },
    trustAnchor: Buffer.from(authority.trustAnchor).toString('base64'),
  } satisfies BenchServer),
)
process.once('disconnect', () => process.exit(0))
