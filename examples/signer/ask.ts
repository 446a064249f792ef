// node ask.ts CID REFERENCE.json ORDER.json [ROOT.pem]: on the parent, with what `enclavejs eif reference-values` printed.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createVerifier, type ReferenceValues } from '@enclavejs/attestation'
import { connect } from '@enclavejs/vsock'
import { SignerClient } from './client.ts'

const [cid = '', reference = '', order = '', root] = process.argv.slice(2)
const verifier = createVerifier({
  referenceValues: JSON.parse(readFileSync(reference, 'utf8')) as ReferenceValues,
  ...(root !== undefined && {
    trustAnchors: [new X509Certificate(readFileSync(root)).raw],
  }),
})
await using client = new SignerClient({
  verifier,
  connect: ({ signal }) => connect({ cid: Number(cid), port: 5000, signal }),
})
const key = await client.attest()
const message = JSON.stringify(JSON.parse(readFileSync(order, 'utf8')))
const signature = await client.sign(new TextEncoder().encode(message), key)
console.log(JSON.stringify({ message, signature: Buffer.from(signature).toString('base64') }))
