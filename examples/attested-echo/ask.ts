// node ask.ts CID REFERENCE.json TEXT [ROOT.pem]: on the parent, with what `enclavejs eif reference-values` printed.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createVerifier, type ReferenceValues } from '@enclavejs/attestation'
import { connect } from '@enclavejs/vsock'
import { EchoClient } from './client.ts'

const [cid = '', reference = '', text = '', root] = process.argv.slice(2)
const verifier = createVerifier({
  referenceValues: JSON.parse(readFileSync(reference, 'utf8')) as ReferenceValues,
  ...(root !== undefined && {
    trustAnchors: [new X509Certificate(readFileSync(root)).raw],
  }),
})
await using client = new EchoClient({
  verifier,
  connect: ({ signal }) => connect({ cid: Number(cid), port: 5000, signal }),
})
console.log(new TextDecoder().decode(await client.echo(new TextEncoder().encode(text))))
