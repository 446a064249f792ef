// Verifies attestation documents for programs that cannot do it themselves. Whoever asks trusts this service with the answer, and
// the way to it: run it beside the asker, or behind TLS that the asker checks.
import { createVerifier } from '@enclavejs/attestation'
import { readConfiguration } from './configuration.ts'
import { createVerifierServer } from './server.ts'

const { host, port, verifier } = readConfiguration(process.argv[2] ?? 'configuration.json')
const server = createVerifierServer(createVerifier(verifier))
server.listen(port, host, () => {
  const address = server.address()
  const listening = typeof address === 'object' && address !== null ? address.port : port
  console.log(`verifier-service listens on http://${host}:${listening}/verify`)
})
process.once('SIGTERM', () => {
  server.close()
  server.closeIdleConnections()
})
