import type { SecureContext } from 'node:tls'
import type { AcmCertificate } from './certificate.ts'

/** What `SNICallback` of a TLS server is. */
export type SniCallback = (
  servername: string,
  callback: (error: Error | null, context?: SecureContext) => void,
) => void

/**
 * For servers with several certificates: the first of them that is for the name that a client asks for, as it is now. A client that
 * asks for another name, or for none, gets the server's own: what is attached to it, or nothing.
 *
 * A TLS 1.2 session that is resumed goes on with the certificate of its first handshake until the server's ticket keys change; they do
 * when a certificate that is attached to the server is renewed.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:https'
 * import { sniCallback, type AcmCertificate } from '@enclavejs/acm-enclave'
 *
 * async function serve(first: AcmCertificate, second: AcmCertificate): Promise<void> {
 *   const server = createServer({ SNICallback: sniCallback([first, second]) })
 *   await first.attach(server)
 * }
 * ```
 */
export function sniCallback(certificates: readonly AcmCertificate[]): SniCallback {
  const all = [...certificates]
  return (servername, callback) => {
    try {
      const found = all.find((one) => one.isFor(servername))
      if (found === undefined) callback(null)
      else callback(null, found.secureContext())
    } catch (error) {
      callback(error as Error)
    }
  }
}
