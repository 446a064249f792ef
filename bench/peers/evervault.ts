import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { decodeAttestationDocument } from '@enclavejs/attestation'
import { issueCertificate } from '@enclavejs/simulator/forge'
import { expectedPcrs, load, type Peer } from './peer.ts'

interface Bindings {
  attestEnclave(
    certificate: Buffer,
    pcrs: readonly Readonly<Record<'pcr0' | 'pcr1' | 'pcr2', string>>[],
    document: Buffer,
  ): boolean
}

/** It also compares user_data with the key of a TLS certificate, and looks at nothing else in it: one is made here. */
export async function createPeer(document: Uint8Array): Promise<Peer> {
  const bindings = await load<{ default: Bindings }>('@evervault/attestation-bindings')
  const { userData } = decodeAttestationDocument(document)
  if (userData === null) throw new Error('its protocol needs a key in user_data')
  const name = [['CN', 'enclave']] as const
  const certificate = issueCertificate({
    version: 3,
    serialNumber: Uint8Array.of(1),
    issuer: name,
    subject: name,
    notBefore: new Date('2023-09-01T00:00:00Z'),
    notAfter: new Date('2023-10-01T00:00:00Z'),
    publicKey: createPublicKey({ key: Buffer.from(userData), format: 'der', type: 'spki' }),
    extensions: [],
    signingKey: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  })
  const pcrs = expectedPcrs(document)
  const expected = {
    pcr0: pcrs.get(0) as string,
    pcr1: pcrs.get(1) as string,
    pcr2: pcrs.get(2) as string,
  }
  return async (bytes) =>
    bindings.default.attestEnclave(Buffer.from(certificate), [expected], Buffer.from(bytes))
}
