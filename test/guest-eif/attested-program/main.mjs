// What test/guest-eif/served.ts runs in an enclave: attested TLS with nothing but defaults, on vsock port 8443.
import { channelOf, serveAttested } from '@enclavejs/attested-tls/server'
import { createServer } from '@enclavejs/vsock'

const listener = createServer()
await serveAttested({
  listener,
  handler: (request, response) => {
    response.setHeader('x-channel', channelOf(request))
    request.pipe(response)
  },
})
listener.listen({ port: 8443 }, () => console.log('attested-program listens on vsock port 8443'))
