import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { VerifiedAttestation } from './attestation.ts'
import { base64, type Outcome } from './call.ts'
import { encodeEnvelopedData, sealForRecipient, type ContentForm } from './enveloped-data.ts'
import type { KmsFault } from './fault.ts'

/** A key of nobody here, for the fault `wrong-key-id`. */
const FOREIGN_KEY = 'key/00000000-0000-4000-8000-000000000000'
/** Where the structure is touched unless told: the version of EnvelopedData. */
const VERSION_OCTET = 19

const generate = promisify(generateKeyPair)

/** The members of an answer: its secret in the open, or sealed for the recipient, with the fault that was armed. */
export async function answerBody(
  outcome: Outcome,
  recipient: VerifiedAttestation | undefined,
  form: ContentForm,
  fault: KmsFault | undefined,
): Promise<unknown> {
  const { secret } = outcome
  let body: Record<string, unknown> = { ...outcome.body }
  if (secret !== undefined) {
    const isOpen = recipient === undefined || fault?.kind === 'ignore-recipient'
    if (isOpen || fault?.kind === 'extra-plaintext') body[secret.member] = base64(secret.octets)
    if (!isOpen) {
      body['CiphertextForRecipient'] = base64(await seal(secret.octets, recipient, form, fault))
    }
    if (fault?.kind === 'missing-ciphertext') {
      delete body['CiphertextForRecipient']
      delete body[secret.member]
    }
    secret.octets.fill(0)
  }
  if (fault?.kind === 'wrong-key-id' && 'KeyId' in body) {
    const [partition, service, region] = String(body['KeyId']).split(':').slice(1)
    const foreign = `arn:${partition}:${service}:${region}:999999999999:${FOREIGN_KEY}`
    body = { ...body, KeyId: fault.keyId ?? foreign }
  }
  return fault?.kind === 'response' ? fault.change(body) : body
}

async function seal(
  plaintext: Uint8Array,
  recipient: VerifiedAttestation,
  form: ContentForm,
  fault: KmsFault | undefined,
): Promise<Uint8Array> {
  const { publicKey } = recipient
  const rsaKey =
    fault?.kind === 'foreign-recipient' ? await foreignKey(recipient.rsaKey) : recipient.rsaKey
  const fields = sealForRecipient(plaintext, { publicKey, rsaKey }, form)
  switch (fault?.kind) {
    case 'wrong-rid':
      return encodeEnvelopedData({
        ...fields,
        subjectKeyIdentifier: flipped(fields.subjectKeyIdentifier),
      })
    case 'flipped-iv':
      return encodeEnvelopedData({ ...fields, iv: flipped(fields.iv) })
    case 'trailing-bytes':
      return Buffer.concat([encodeEnvelopedData(fields), Uint8Array.of(0)])
    case 'malformed-cms': {
      const cms = encodeEnvelopedData(fields)
      if (fault.mutate !== undefined) return fault.mutate(cms)
      cms[VERSION_OCTET] = 0
      return cms
    }
    default:
      return encodeEnvelopedData(fields)
  }
}

async function foreignKey(like: KeyObject): Promise<KeyObject> {
  const { modulusLength = 2048 } = like.asymmetricKeyDetails ?? {}
  return (await generate('rsa', { modulusLength })).publicKey
}

function flipped(octets: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(octets)
  changed[0] = (changed[0] ?? 0) ^ 1
  return changed
}
