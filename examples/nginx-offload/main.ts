// The key that NGINX on the parent uses and never has. The certificate's bundle comes from S3, its private key from KMS under a
// policy that names this image; a PKCS #11 token signs with it what TLS signs, and nothing else. A renewed certificate's key
// comes beside the old one.
//
// The one argument is the configuration, as JSON. It is part of the image, and so measured: the parent cannot change it. The
// PIN in it keeps out other users of the parent. It does not keep out the parent, which knows it and can have handshakes
// signed for as long as the enclave runs.
import { createAcmCertificate, fromBundleObject } from '@enclavejs/acm-enclave'
import { createToken, followCertificate } from '@enclavejs/acm-enclave/token'
import { createVsockCredentials } from '@enclavejs/kms-enclave'
import { connect, createPortEgress, createServer, NITRO_PARENT_CID } from '@enclavejs/vsock'

interface Configuration {
  readonly hostNames: readonly string[]
  /** Where the certificate lies, the account that owns the bucket, and the KMS key. */
  readonly bucket: string
  readonly key: string
  readonly expectedBucketOwner: string
  readonly keyArn: string
  /** Of the token: 4 to 64 bytes. */
  readonly pin: string
  readonly pollMs?: number
  /** PEM certificates in the place of Amazon's; for a simulator. */
  readonly roots?: readonly string[]
  /** Where the parent is not CID 3 with a CONNECT door, but has a port for each host. */
  readonly parent?: { readonly cid: number; readonly ports: Readonly<Record<string, number>> }
}

const PORT = 9999
const configuration = JSON.parse(process.argv[2] ?? '{}') as Configuration
const { hostNames, bucket, key, expectedBucketOwner, keyArn } = configuration
const { pin, pollMs, roots, parent } = configuration

const source = fromBundleObject({
  ...{ bucket, key, expectedBucketOwner, keyArn },
  ...(roots && { roots }),
  ...(parent && { connect: createPortEgress(parent) }),
  credentials: createVsockCredentials({
    connect: ({ signal }) => connect({ port: 8002, signal, ...(parent && { cid: parent.cid }) }),
  }),
})
const certificate = await createAcmCertificate({
  ...{ source, hostNames },
  ...(pollMs !== undefined && { pollMs }),
})
const token = createToken({ label: 'acm-token', pin, keys: [] })
await followCertificate(token, certificate)

const server = createServer()
token.listen(server)
server.listen({ port: PORT, allowedCids: [parent?.cid ?? NITRO_PARENT_CID] }, () => {
  console.log(`the token serves ${certificate.state.serialNumber} on vsock port ${PORT}`)
})
process.once('SIGTERM', () => {
  server.close()
  token.close()
  void certificate.close()
})
