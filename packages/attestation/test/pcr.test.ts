import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  computeInstancePcr,
  computeRolePcr,
  computeSigningCertificatePcr,
} from '@enclavejs/attestation'
import { authorityAt } from './fixture.ts'

const sha384 = (...parts: (Uint8Array | string)[]): string => {
  const hash = createHash('sha384')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}
const zero = new Uint8Array(48)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('PCR3 is the role, PCR4 the instance', async () => {
  const role = 'arn:aws:iam::123456789012:role/service/web-server'
  expect(hex(await computeRolePcr(role))).toBe(sha384(zero, role))
  expect(hex(await computeInstancePcr('i-0123456789abcdef0'))).toBe(
    sha384(zero, 'i-0123456789abcdef0'),
  )
})

test('PCR8 is the signing certificate, in DER or in PEM', async () => {
  const { trustAnchor, trustAnchorPem } = await authorityAt()
  const digest = createHash('sha384').update(trustAnchor).digest()
  expect(hex(await computeSigningCertificatePcr(trustAnchor))).toBe(sha384(zero, digest))
  expect(hex(await computeSigningCertificatePcr(trustAnchorPem))).toBe(sha384(zero, digest))
})

test.each([
  ['an instance profile', () => computeRolePcr('arn:aws:iam::123456789012:instance-profile/x')],
  ['a session', () => computeRolePcr('arn:aws:sts::123456789012:assumed-role/x/i-1')],
  ['a role with a newline', () => computeRolePcr('arn:aws:iam::123456789012:role/x\n')],
  ['a module id', () => computeInstancePcr('i-0123456789abcdef0-enc0123456789abcdef')],
  ['PEM of nothing', () => computeSigningCertificatePcr('')],
  [
    'PEM that is broken',
    () => computeSigningCertificatePcr('-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----'),
  ],
])('%s is a TypeError', async (_, call) => {
  await expect(call()).rejects.toBeInstanceOf(TypeError)
})

test('two certificates in one PEM are a TypeError', async () => {
  const { trustAnchorPem } = await authorityAt()
  await expect(computeSigningCertificatePcr(trustAnchorPem + trustAnchorPem)).rejects.toThrow(
    TypeError,
  )
})
