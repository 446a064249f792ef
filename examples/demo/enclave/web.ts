// The enclave's web server. Its private key is made here, comes out encrypted under the KMS key alone, and the certificate renews
// itself from the bucket.
import { once } from 'node:events'
import {
  createAcmCertificate,
  createCertificateRequest,
  fromBundleObject,
  publishCertificate,
  type AcmCertificate,
  type BundleObjectOptions,
  type CertificateRequest,
  type IssuedCertificate,
} from '@enclavejs/acm-enclave'
import { serveAttested } from '@enclavejs/attested-tls/server'
import { createServer } from '@enclavejs/vsock'

const PORT = 8443

export class Web {
  readonly #hostNames: readonly string[]
  readonly #bundle: BundleObjectOptions
  #request: CertificateRequest | undefined
  #certificate: AcmCertificate | undefined

  constructor(hostName: string, bundle: BundleObjectOptions) {
    this.#hostNames = [hostName]
    this.#bundle = bundle
  }

  /** A new key, and what a CA is asked with. */
  async request(): Promise<string> {
    this.#request = await createCertificateRequest({ hostNames: this.#hostNames })
    return this.#request.pem
  }

  /** Stores what the CA answered, and serves it: from now on, or in the place of the one before. */
  async publish(issued: IssuedCertificate): Promise<object> {
    if (this.#request === undefined) throw new Error('no certificate was asked for')
    const { version } = await publishCertificate(this.#request, issued, this.#bundle)
    if (this.#certificate === undefined) await this.#serve()
    else await this.#certificate.refresh()
    return { version, serialNumber: this.#certificate?.state.serialNumber }
  }

  /** Polls the bucket. */
  async refresh(): Promise<object> {
    await this.#certificate?.refresh()
    return { serialNumber: this.#certificate?.state.serialNumber }
  }

  async #serve(): Promise<void> {
    const source = fromBundleObject(this.#bundle)
    const certificate = await createAcmCertificate({ source, hostNames: this.#hostNames })
    const listener = createServer()
    await serveAttested({
      listener,
      certificate,
      handler: (_request, response) => response.end('hello from the enclave'),
    })
    await once(listener.listen({ port: PORT }), 'listening')
    this.#certificate = certificate
  }
}
