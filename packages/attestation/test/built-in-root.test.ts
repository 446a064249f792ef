// The root of GovCloud, by the certificate that AWS publishes: no document of its enclaves is public.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { AttestationError, verifyAttestation, type Partition } from '@enclavejs/attestation'
import { issueAttestationDocument } from '@enclavejs/simulator/forge'
import type { CertificateAuthority } from '@enclavejs/simulator'
import { vectors } from '../../../test/vectors.ts'
import { authorityAt, IMAGE, NONCE, NOW, somePcrs } from './fixture.ts'

const pem = vectors('attestation-docs/aws-us-gov-nitro-enclaves-root.pem')
let authority: CertificateAuthority

beforeAll(async () => {
  authority = await authorityAt()
})

describe.skipIf(pem === undefined)('GovCloud (needs ../shared/vectors/attestation-docs)', () => {
  async function refusal(partition?: Partition): Promise<{ code: string; message: string }> {
    const root = new Uint8Array(new X509Certificate(readFileSync(pem as string)).raw)
    const leaf = authority.issueLeaf()
    const document = issueAttestationDocument(
      {
        moduleId: authority.moduleId,
        timestamp: NOW.getTime(),
        pcrs: somePcrs(),
        nonce: NONCE,
      },
      { ...leaf, cabundle: [root, ...leaf.cabundle.slice(1)] },
    )
    const options = { referenceValues: IMAGE, nonce: NONCE, currentDate: NOW }
    const error: unknown = await verifyAttestation(document, {
      ...options,
      ...(partition && { partition }),
    }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(AttestationError)
    return error as AttestationError
  }

  test('its root ends a path of aws-us-gov, where what stands below it is judged next', async () => {
    const { code, message } = await refusal('aws-us-gov')
    expect(code).toBe('ERR_ATTESTATION_CERTIFICATE_ISSUER')
    expect(message).toMatch(/^cabundle\[1\] /)
  })

  test.each(['aws', undefined] as const)('and none of %s', async (partition) => {
    const { code, message } = await refusal(partition)
    expect(code).toBe('ERR_ATTESTATION_TRUST_ANCHOR')
    expect(message).toContain('the root of aws expected, the root of aws-us-gov seen')
  })
})
