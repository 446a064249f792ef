// What a document that goes to KMS says it is for. Made by the NSM of the simulator, asked for by the default, seen at the KMS.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeAttestationDocument } from '@enclavejs/attestation'
import { openCertificateAuthority } from '@enclavejs/simulator'
import { afterAll, expect, it } from 'vitest'
import { createEnclaveKmsClient } from '../src/index.ts'
import { openScene } from './simulated-kms.ts'

const folder = mkdtempSync(join(tmpdir(), 'kms-purpose-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('is the recipient of KMS’s answers, in its first version, and nothing that a caller chose', async () => {
  process.env['ENCLAVEJS_SIMULATOR_DIR'] = folder
  await import('@enclavejs/simulator/register')
  const { trustAnchor } = await openCertificateAuthority(folder)
  const { kms, credentials } = await openScene({ attestationRoots: [trustAnchor] })
  const { arn: keyArn } = await kms.createKey()
  await using client = createEnclaveKmsClient({
    ...{ keyArn, credentials, roots: [kms.ca] },
    connect: kms.connect.bind(kms),
  })
  const EncryptionContext = { purpose: 'test' }
  const { CiphertextBlob } = await client.generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
  await client.decrypt({ CiphertextBlob, EncryptionContext })
  expect(kms.requests).toHaveLength(2)
  for (const { body } of kms.requests) {
    const { Recipient } = JSON.parse(Buffer.from(body).toString()) as {
      Recipient: { AttestationDocument: string }
    }
    const bytes = new Uint8Array(Buffer.from(Recipient.AttestationDocument, 'base64'))
    const { userData, nonce, publicKey } = decodeAttestationDocument(bytes)
    expect(Buffer.from(userData ?? []).toString()).toBe('enclavejs:kms-recipient:v1')
    expect(nonce).toBeNull()
    expect(publicKey?.length).toBe(294)
  }
  await kms.close()
})
