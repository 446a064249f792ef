import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { verifyAttestation } from '@enclavejs/attestation'
import { decode, type CborMap } from '@enclavejs/cbor'
import type { CertificateAuthority } from '@enclavejs/simulator'
import type { Results } from './results.ts'

const sha384 = (...parts: Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.reduce((hash, part) => hash.update(part), createHash('sha384')).digest())
const extend = (...data: Uint8Array[]): Uint8Array =>
  data.reduce((value, part) => sha384(value, part), new Uint8Array(48))

/** What inside/script.ts extends PCR0 to PCR2 with. */
const pcrs = {
  0: extend(new Uint8Array(3).fill(0x5a), new Uint8Array(48).fill(0x5a)),
  1: extend(new Uint8Array(48).fill(1)),
  2: extend(new Uint8Array(48).fill(2)),
}

/** The documents of QEMU's device and of the simulator end in the same root, and the verifier accepts both. */
export async function verifyDocuments(
  results: Results,
  authority: CertificateAuthority,
  qemu: ReadonlyMap<string, Uint8Array>,
  simulator: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const nonce = new Uint8Array(16).fill(0x5a)
  const full = {
    userData: new Uint8Array(1024).fill(1),
    nonce: new Uint8Array(1024).fill(2),
    publicKey: new Uint8Array(1024).fill(3),
  }
  for (const [who, answers] of [
    ['QEMU', qemu],
    ['the simulator', simulator],
  ] as const) {
    const policy = { referenceValues: { pcrs }, maxAge: 300, trustAnchors: [authority.trustAnchor] }
    await results.check(`verifyAttestation accepts a document of ${who}`, async () => {
      const document = documentOf(answers.get('Attestation of a nonce alone'))
      const result = await verifyAttestation(document, { ...policy, nonce })
      assert.deepEqual(result.pcrs.get(0), pcrs[0])
      const large = documentOf(answers.get('Attestation of 1024 each'))
      await verifyAttestation(large, { ...policy, nonce: full.nonce })
    })
    await results.check(
      `verifyAttestation refuses a document of ${who} for other PCRs`,
      async () => {
        const document = documentOf(answers.get('Attestation of a nonce alone'))
        const other = { ...policy, referenceValues: { pcrs: { ...pcrs, 0: pcrs[1] } }, nonce }
        await assert.rejects(verifyAttestation(document, other), { code: 'ERR_ATTESTATION_PCR' })
      },
    )
    await results.check(
      `verifyAttestation refuses a document of ${who} under AWS's root`,
      async () => {
        const document = documentOf(answers.get('Attestation of a nonce alone'))
        const aws = { referenceValues: { pcrs }, maxAge: 300, nonce }
        await assert.rejects(verifyAttestation(document, aws))
      },
    )
  }
}

function documentOf(answer: Uint8Array | undefined): Uint8Array {
  assert.ok(answer, 'no answer')
  const response = decode(answer) as CborMap
  return (response.get('Attestation') as CborMap).get('document') as Uint8Array
}
