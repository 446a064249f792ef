// The smallest program that is worth an enclave: it says what it is measured to, and has the Nitro Secure Module sign
// that, together with the nonce of whoever asks. Its output is a console; a real one answers over vsock.
import { openNsm } from '@enclavejs/nsm'

const nonce = Buffer.from(process.argv[2] ?? process.env['NONCE'] ?? '', 'hex')

await using nsm = openNsm()
const { moduleId } = await nsm.describeNsm()
console.log(`hello from ${moduleId}, Node ${process.version}`)
for (const index of [0, 1, 2]) {
  const { data } = await nsm.describePcr(index)
  console.log(`PCR${index} ${Buffer.from(data).toString('hex')}`)
}
const document = await nsm.attestation(nonce.length === 0 ? {} : { nonce })
console.log(`document ${Buffer.from(document).toString('base64')}`)
