// Sends the script of requests to a fresh device and hands every answer to the host.
import { openNsm } from '@enclavejs/nsm'
import { done, give } from './report.ts'
import { script } from './script.ts'

await using nsm = openNsm()
for (const [name, hex] of script) {
  give(name, await nsm.transport(Uint8Array.from(Buffer.from(hex, 'hex'))))
}
done()
