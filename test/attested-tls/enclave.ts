// An enclave on the simulator: TLS that ends in it on vsock port 8443, sealed requests behind somebody else's TLS on port 8080.
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { serveAttested, channelOf } from '@enclavejs/attested-tls/server'
import { createServer } from '@enclavejs/vsock'

const seen: string[] = []

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/seen') return void response.end(JSON.stringify(seen))
  const body = await text(request)
  seen.push(`${channelOf(request)} ${request.method} ${request.url} ${body}`)
  response.end(`the enclave has read ${body.length} characters`)
}

for (const [port, transport] of [
  [8443, 'tls'],
  [8080, 'sealed'],
] as const) {
  const listener = createServer()
  const served = await serveAttested({
    ...{ listener, transport },
    handler: (request, response) => void answer(request, response),
  })
  await once(listener.listen({ port }), 'listening')
  process.once('SIGTERM', () => void served.close({ deadline: 0 }))
}
console.log('ready')
