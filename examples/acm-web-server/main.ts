// A web server whose TLS ends in the enclave. Its private key is made here, lies in a bucket encrypted under a KMS key whose
// policy names this image, and comes back to this image alone; the parent carries bytes. Shortly before the certificate
// ends it is renewed, with another key, while the server goes on.
//
// The one argument is the configuration, as JSON. It is part of the image, and so measured: the parent cannot change it.
import { subscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:https'
import {
  acceptProxied,
  AcmError,
  claimedAddressOf,
  createAcmCertificate,
  createCertificateRequest,
  fromBundleObject,
  publishCertificate,
  type AcmCertificate,
  type AcmCertificateEvent,
  type RequestKeyAlgorithm,
} from '@enclavejs/acm-enclave'
import { createVsockCredentials } from '@enclavejs/kms-enclave'
import { connect, createPortEgress, createServer as createVsockServer } from '@enclavejs/vsock'
import { MessageClient } from '@enclavejs/vsock'

interface Configuration {
  readonly hostNames: readonly string[]
  /** Where the certificate lies, the account that owns the bucket, and the KMS key. */
  readonly bucket: string
  readonly key: string
  readonly expectedBucketOwner: string
  readonly keyArn: string
  /** PEM: the roots that the certificate must end in, because it is the parent who brings it from the CA. */
  readonly trustAnchors: readonly string[]
  /** The vsock port of the parent where requests are answered; one enclave of several has it, the others follow. */
  readonly issuerPort?: number
  readonly keyAlgorithm?: RequestKeyAlgorithm
  readonly pollMs?: number
  /** PEM certificates in the place of Amazon's; for a simulator. */
  readonly roots?: readonly string[]
  /** Where the parent is not CID 3 with a CONNECT door, but has a port for each host. */
  readonly parent?: { readonly cid: number; readonly ports: Readonly<Record<string, number>> }
}

/** How long a CA may take. */
const ISSUING_MS = 600_000
/** What a new certificate helps against. */
const WITHOUT: ReadonlySet<string> = new Set(['ERR_ACM_OBJECT_MISSING', 'ERR_ACM_EXPIRED'])

const configuration = JSON.parse(process.argv[2] ?? '{}') as Configuration
const { hostNames, trustAnchors, issuerPort, keyAlgorithm, pollMs, roots, parent } = configuration
const { bucket, key, expectedBucketOwner, keyArn } = configuration
const toParent = (port: number, signal: AbortSignal): ReturnType<typeof connect> =>
  connect({ port, signal, ...(parent && { cid: parent.cid }) })
const bundle = {
  ...{ bucket, key, expectedBucketOwner, keyArn },
  ...(roots && { roots }),
  ...(parent && { connect: createPortEgress(parent) }),
  credentials: createVsockCredentials({ connect: ({ signal }) => toParent(8002, signal) }),
}

/** Makes a key, has a certificate issued for it, and stores both. */
async function publish(port: number): Promise<void> {
  const request = await createCertificateRequest({
    hostNames,
    ...(keyAlgorithm && { keyAlgorithm }),
  })
  await using issuer = new MessageClient({
    connect: ({ signal }) => toParent(port, signal),
    ...{ deadline: ISSUING_MS, maxMessageLength: 65_536 },
  })
  const answer = await issuer.request(new TextEncoder().encode(request.pem))
  const [certificate = '', ...issuers] = new TextDecoder()
    .decode(answer)
    .split(/(?<=-----END CERTIFICATE-----\n)/)
  const issued = { certificate, certificateChain: issuers.join('') }
  const { version } = await publishCertificate(request, issued, bundle)
  console.log(`published: version ${version}`)
}

function load(): Promise<AcmCertificate> {
  return createAcmCertificate({
    ...{ source: fromBundleObject(bundle), hostNames, trustAnchors },
    ...(pollMs !== undefined && { pollMs }),
  })
}

async function loadOrPublish(): Promise<AcmCertificate> {
  try {
    return await load()
  } catch (error) {
    const isWithout = error instanceof AcmError && WITHOUT.has(error.code)
    if (issuerPort === undefined || !isWithout) throw error
    await publish(issuerPort)
    return load()
  }
}

const certificate = loadOrPublish()
subscribe('enclavejs:acm:certificate', (message) => {
  const { kind, serialNumber, version, code } = message as AcmCertificateEvent
  if (kind !== 'unchanged') {
    console.log([kind, `version ${version ?? 0}`, serialNumber, code].filter(Boolean).join(' '))
  }
  if (kind !== 'expiring' || issuerPort === undefined) return
  // Again a day later, if it fails; what is served is served until its end.
  publish(issuerPort)
    .then(async () => (await certificate).refresh())
    .catch((error: unknown) => console.log(`not renewed: ${String(error)}`))
})

try {
  const loaded = await certificate
  const server = createServer((request, response) => {
    // The parent tells it: for logs, never for access.
    const { address = 'nobody' } = claimedAddressOf(request.socket) ?? {}
    response.end(`hello ${address}\n`)
  })
  await loaded.attach(server)
  const vsock = createVsockServer((socket) => void acceptProxied(server, socket))
  vsock.listen({ port: 8443 }, () => console.log(`serving ${loaded.state.serialNumber}`))
  process.once('SIGTERM', () => {
    vsock.close()
    void loaded.close()
    server.closeIdleConnections()
    // What is under way may take some seconds more.
    setTimeout(() => process.exit(), 5000).unref()
  })
} catch (error) {
  console.log(error instanceof AcmError ? `${error.code}: ${error.message}` : error)
  process.exitCode = 1
}
