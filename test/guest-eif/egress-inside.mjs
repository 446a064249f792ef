// The one program of an image: reaches out through the CONNECT door of its parent, to the hosts of a list that is in the image.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createEgress } from '@enclavejs/vsock'

const allow = JSON.parse(readFileSync('/app/allow.json', 'utf8'))
const egress = createEgress({ connect: { cid: 2, port: 8000 }, allow })
const { port } = allow[0]
for (const host of ['other.example', 'refused.example', 'allowed.example']) {
  try {
    const stream = await egress(host, port, {})
    // Not ended: what stands for the hypervisor here passes no end on alone.
    stream.write('from the enclave')
    const [answer] = await once(stream, 'data')
    console.log(`@said ${host} ${answer}`)
    stream.destroy()
  } catch ({ code }) {
    console.log(`@said ${host} ${code}`)
  }
}
