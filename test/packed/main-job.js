// What a user does with the installed packages, run by `enclavejs simulate`: a document of the simulated enclave, verified, and
// refused to whoever trusts AWS's root alone or wants another image.
import assert from 'node:assert/strict'
import { randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { verifyAttestation } from '@enclavejs/attestation'
import { openNsm } from '@enclavejs/nsm'

// `await using` came with Node 24.
const nsm = openNsm()
const measured = await Promise.all([0, 1, 2].map(async (index) => nsm.describePcr(index)))
const pcrs = Object.fromEntries(
  measured.map(({ data }, index) => [index, Buffer.from(data).toString('hex')]),
)
const nonce = randomBytes(32)
const document = await nsm.attestation({ nonce })

const root = new X509Certificate(readFileSync(`${process.argv[2]}/root.pem`))
const policy = { referenceValues: { pcrs }, trustAnchors: [new Uint8Array(root.raw)], nonce }
const { moduleId } = await verifyAttestation(document, policy)
assert.equal(moduleId, (await nsm.describeNsm()).moduleId)
await assert.rejects(verifyAttestation(document, { ...policy, trustAnchors: undefined }), {
  code: 'ERR_ATTESTATION_TRUST_ANCHOR',
})
const other = { pcrs: { ...pcrs, 0: 'ff'.repeat(48) } }
await assert.rejects(verifyAttestation(document, { ...policy, referenceValues: other }), {
  code: 'ERR_ATTESTATION_PCR',
})
await nsm.close()
console.log(`verified ${document.length} bytes with Node ${process.versions.node}`)
