// What a user does with the published packages: check-packed.ts type-checks and runs this against the tarballs alone.
import assert from 'node:assert/strict'
import { verifyAttestation } from '@enclavejs/attestation'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'

const authority = await createCertificateAuthority({})
const pcrs = new Map(
  Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(index + 1)]),
)
const nonce = crypto.getRandomValues(new Uint8Array(32))
const document = issueAttestationDocument(
  { moduleId: authority.moduleId, timestamp: Date.now(), pcrs, nonce },
  authority.issueLeaf(),
)
const referenceValues = { pcrs: { 0: '01'.repeat(48), 1: '02'.repeat(48), 2: '03'.repeat(48) } }

const result = await verifyAttestation(document, {
  referenceValues,
  nonce,
  trustAnchors: [authority.trustAnchor],
})
assert.equal(result.moduleId, authority.moduleId)
await assert.rejects(verifyAttestation(document, { referenceValues, nonce }), {
  code: 'ERR_ATTESTATION_TRUST_ANCHOR',
})
