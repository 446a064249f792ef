import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { AppraisalPolicyOptions } from '@enclavejs/attestation'
import { createCertificateAuthority } from '@enclavejs/simulator'
import { changePath, issueAttestationDocument, leafOf } from '@enclavejs/simulator/forge'
import { vectors } from '../../test/vectors.ts'

/** Documents that one policy accepts at one time. */
export interface Sample {
  readonly documents: readonly Uint8Array[]
  readonly policy: AppraisalPolicyOptions
  readonly currentDate: Date
}

/** A genuine document of AWS with four CA certificates; user_data is a SubjectPublicKeyInfo, as one of the peers asks. */
const GENUINE = 'attestation-docs/2023-09-06-enclave-debug-attestation-doc-validation-52039842.bin'
/** Eight minutes after it was issued. */
export const GENUINE_DATE: Date = new Date('2023-09-06T13:40:00Z')

/** The path of the genuine document; undefined where this machine has no vectors. */
export function genuineFile(): string | undefined {
  return vectors(GENUINE)
}

/** The genuine document, judged under the root that is built in. It comes from an enclave in debug mode. */
export function genuineSample(file: string): Sample {
  const zero = new Uint8Array(48)
  return {
    documents: [new Uint8Array(readFileSync(file))],
    policy: {
      referenceValues: { pcrs: { 0: zero, 1: zero, 2: zero } },
      allowDebugMode: true,
      maxAge: 600,
    },
    currentDate: GENUINE_DATE,
  }
}

/** Documents of `count` enclaves of one instance: four CA certificates in common, each with a key and a leaf of its own. */
export async function simulatedSample(count: number): Promise<Sample> {
  const currentDate = new Date('2026-03-01T12:00:00Z')
  const authority = await createCertificateAuthority({ now: () => currentDate })
  const path = authority.certificationPath()
  const pcrs = new Map(
    Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(index + 1)]),
  )
  const fields = { moduleId: authority.moduleId, timestamp: currentDate.getTime(), pcrs }
  const documents = Array.from({ length: count }, () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const leaf = leafOf(changePath(path, { keys: { leaf: privateKey } }))
    return issueAttestationDocument({ ...fields, nonce: randomBytes(32) }, leaf)
  })
  const [pcr0, pcr1, pcr2] = [1, 2, 3].map((value) => new Uint8Array(48).fill(value)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  return {
    documents,
    policy: {
      referenceValues: { pcrs: { 0: pcr0, 1: pcr1, 2: pcr2 } },
      maxAge: 60,
      trustAnchors: [authority.trustAnchor],
    },
    currentDate,
  }
}
