// What becomes of a secret once it is opened: it has the length that it may have, or nobody gets it and nothing of it is left.
import { createPublicKey } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { GetEvidence, KmsClient } from '../src/index.ts'
import { RecipientTerm } from '../src/recipient-term.ts'
import { encryptFor, writeEnvelopedData } from './cms-writer.ts'
import { json, KEY_ARN } from './kms-server.ts'
import { EncryptionContext, serverScene } from './server-scene.ts'
import { failure } from './simulated-kms.ts'

const scene = serverScene()
afterEach(() => vi.restoreAllMocks())

/** The document is the public key, so that the server knows whom to seal for. */
const getEvidence: GetEvidence = async ({ publicKey }) => publicKey

/** The server seals `secret` for whoever asks. */
function seal(secret: Uint8Array): void {
  scene.server.answer = ({ body }, response) => {
    const { AttestationDocument: document } = body['Recipient'] as { AttestationDocument: string }
    const key = createPublicKey({
      key: Buffer.from(document, 'base64'),
      ...{ format: 'der', type: 'spki' },
    } as never)
    const sealed = writeEnvelopedData(encryptFor(key, secret))
    json(response, 200, {
      KeyId: KEY_ARN,
      KeyAgreementAlgorithm: 'ECDH',
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      CiphertextForRecipient: Buffer.from(sealed).toString('base64'),
    })
  }
}

const decrypt = (client: KmsClient, signal?: AbortSignal): Promise<unknown> =>
  client.decrypt(
    { CiphertextBlob: new Uint8Array(9), EncryptionContext },
    signal === undefined ? {} : { signal },
  )

describe('the length of a secret', () => {
  it.each([
    ['of DeriveSharedSecret', 128, (client: KmsClient) => derive(client)],
    ['of Decrypt', 4096, (client: KmsClient) => decrypt(client)],
  ])('%s is 1 to %i bytes', async (_name, most, call) => {
    await using client = scene.open({ getEvidence })
    for (const [length, outcome] of [
      [0, 'ERR_KMS_PLAINTEXT_LENGTH'],
      [1, 'nothing'],
      [most, 'nothing'],
      [most + 1, 'ERR_KMS_PLAINTEXT_LENGTH'],
    ] as const) {
      seal(new Uint8Array(length).fill(7))
      expect(`${length}: ${await failure(call(client))}`).toBe(`${length}: ${outcome}`)
    }
  })

  function derive(client: KmsClient): Promise<unknown> {
    return client.deriveSharedSecret({ PublicKey: new Uint8Array(91) })
  }
})

/** Holds each secret back after it was opened, until it is let go. */
function holdBack(): { readonly opened: Uint8Array[]; letGo(): Promise<void> } {
  const opened: Uint8Array[] = []
  let letGo = (): void => undefined
  const held = new Promise<void>((resolve) => (letGo = resolve))
  const lease = RecipientTerm.prototype.lease
  vi.spyOn(RecipientTerm.prototype, 'lease').mockImplementation(function (this: RecipientTerm) {
    const given = lease.call(this)
    if (given === undefined) return given
    const open = async (sealed: Uint8Array): Promise<Uint8Array> => {
      const secret = await given.open(sealed)
      opened.push(secret)
      await held
      return secret
    }
    return { ...given, open }
  })
  return {
    opened,
    async letGo() {
      letGo()
      await sleep(5)
    },
  }
}

describe('a secret that is opened too late is overwritten', () => {
  const secret = new TextEncoder().encode('a secret that nobody gets')

  it('after the caller gave up', async () => {
    await using client = scene.open({ getEvidence })
    seal(secret)
    const { opened, letGo } = holdBack()
    const controller = new AbortController()
    const outcome = failure(decrypt(client, controller.signal))
    await expect.poll(() => opened, { interval: 2, timeout: 20_000 }).toHaveLength(1)
    expect(Buffer.from(opened[0] as Uint8Array).equals(secret)).toBe(true)
    controller.abort(new Error('enough'))
    expect(await outcome).toBe('Error: enough')
    await letGo()
    expect(opened[0]).toEqual(new Uint8Array(secret.length))
  })

  it('after the deadline', async () => {
    await using client = scene.open({ getEvidence, deadline: 1000 })
    seal(secret)
    // The first key takes its time.
    while ((await failure(decrypt(client))) === 'ERR_KMS_DEADLINE');
    const { opened, letGo } = holdBack()
    expect(await failure(decrypt(client))).toBe('ERR_KMS_DEADLINE')
    expect(opened).toHaveLength(1)
    await letGo()
    expect(opened[0]).toEqual(new Uint8Array(secret.length))
  })

  it('when it has another length than was asked for', async () => {
    await using client = scene.open({ getEvidence })
    seal(secret)
    const { opened, letGo } = holdBack()
    const outcome = failure(client.generateRandom({ NumberOfBytes: secret.length + 1 }))
    await expect.poll(() => opened, { interval: 2, timeout: 20_000 }).toHaveLength(1)
    await letGo()
    expect(await outcome).toBe('ERR_KMS_PLAINTEXT_LENGTH')
    expect(opened[0]).toEqual(new Uint8Array(secret.length))
  })
})
