import { createHash } from 'node:crypto'
import {
  computePcr,
  computeInstancePcr,
  computeRolePcr,
  describeImage,
  encodeMetadata,
  memorySink,
  bytesSource,
  referenceValues,
  writeImage,
} from '@enclavejs/eif'
import {
  computeInstancePcr as verifierInstancePcr,
  computeRolePcr as verifierRolePcr,
  computeSigningCertificatePcr,
  verifyAttestation,
} from '@enclavejs/attestation'
import { createCertificateAuthority, issueAttestationDocument } from '@enclavejs/simulator'
import { expect, test } from 'vitest'

const createSha384 = () => createHash('sha384')
const hash = { createHash: createSha384 }
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('reference values of an image go into the verifier as they are', async () => {
  const sink = memorySink()
  await writeImage(sink, {
    ...{ architecture: 'x86_64', kernel: Buffer.from('kernel'), cmdline: 'console=ttyS0' },
    ramdisks: [Buffer.from('boot'), Buffer.from('application')],
    metadata: encodeMetadata({
      ...{ imageName: 'app', imageVersion: '1', buildTool: 'test' },
      ...{ buildToolVersion: '0', kernelVersion: '6' },
    }),
    ...hash,
  })
  const description = await describeImage(bytesSource(sink.bytes()), hash)
  const values = referenceValues(description, { label: '1.0' })
  const authority = await createCertificateAuthority({})
  const nonce = new Uint8Array(16).fill(1)
  const issue = (change: Partial<Record<number, Uint8Array>>): Uint8Array => {
    const pcrs = new Map<number, Uint8Array>()
    for (let index = 0; index < 16; index++) pcrs.set(index, new Uint8Array(48))
    for (const index of [0, 1, 2] as const) {
      pcrs.set(index, change[index] ?? new Uint8Array(Buffer.from(values.pcrs[index], 'hex')))
    }
    const { moduleId } = authority
    const fields = { moduleId, timestamp: Date.now(), pcrs, nonce }
    return issueAttestationDocument(fields, authority.issueLeaf())
  }
  const options = { referenceValues: values, nonce, trustAnchors: [authority.trustAnchor] }
  expect((await verifyAttestation(issue({}), options)).referenceLabel).toBe('1.0')
  const other = issue({ 2: new Uint8Array(48).fill(9) })
  await expect(verifyAttestation(other, options)).rejects.toMatchObject({
    code: 'ERR_ATTESTATION_PCR',
    pcr: 2,
  })
})

test('both packages compute the same PCR3, PCR4 and PCR8', async () => {
  const role = 'arn:aws:iam::123456789012:role/webserver'
  const instance = 'i-1234567890abcdef0'
  const certificate = new Uint8Array([0x30, 0x03, 0x02, 0x01, 0x01])
  expect(computeRolePcr(role, hash)).toBe(hex(await verifierRolePcr(role)))
  expect(computeInstancePcr(instance, hash)).toBe(hex(await verifierInstancePcr(instance)))
  expect(computePcr(certificate, hash)).toBe(hex(await computeSigningCertificatePcr(certificate)))
})
