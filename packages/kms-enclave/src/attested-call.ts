import { within } from './deadline.ts'
import { KmsError } from './error.ts'
import { remaining, type CallTime, type KmsChannel } from './kms-channel.ts'
import type { RecipientLease } from './recipient-term.ts'
import type { RecipientSource } from './recipient.ts'
import type { ResponseMembers } from './response.ts'
import { remedyFor } from './retry.ts'

/** The members that hold the secret where there is no `Recipient`. */
const SECRETS = ['Plaintext', 'PrivateKeyPlaintext', 'SharedSecret'] as const
const CIPHERTEXT_MAX = 6144

/** What an attested operation gave. */
export interface Opened<T> {
  /** What `read` made of the rest of the answer. */
  readonly output: T
  /** What only this process can read. */
  readonly secret: Uint8Array
}

/** Bytes that the secret may have: exactly so many, or from one bound to the other. */
export type SecretLength = number | { readonly least: number; readonly most: number }

/**
 * An operation with `Recipient`: lends a key, sends its Evidence, opens the answer. Once more with new Evidence where KMS found
 * it too old, or where another call's bad answer destroyed the key that both had. All else in the answer is read before
 * the secret is opened.
 */
export async function callAttested<T>(
  { channel, source }: { readonly channel: KmsChannel; readonly source: RecipientSource },
  operation: string,
  parameters: Readonly<Record<string, unknown>>,
  length: SecretLength,
  time: CallTime,
  read: (members: ResponseMembers) => T,
): Promise<Opened<T>> {
  for (let again = true; ; again = false) {
    const left = remaining(time)
    const lease =
      source.ready() ??
      (await within(source.acquire(), left, 'No Evidence for the call', time.signal, (late) =>
        late.release(),
      ))
    try {
      const body = attestedBody(parameters, lease)
      const members = await channel.call(operation, body, time)
      refuseUnattested(operation, members)
      const output = read(members)
      const left = remaining(time)
      const secret = await within(
        openSecret(operation, members, lease, length),
        left,
        'The answer was not opened',
        time.signal,
        (late) => late.fill(0),
      )
      return { output, secret }
    } catch (error) {
      if (!again) throw error
      if (remedyFor(error) === 'document') lease.retire()
      else if (!(error instanceof KmsError && error.code === 'ERR_KMS_RECIPIENT_DESTROYED')) {
        throw error
      }
    } finally {
      lease.release()
    }
  }
}

/** The member `Recipient` of a request. */
export function recipientOf({
  document,
}: Pick<RecipientLease, 'document'>): Record<string, string> {
  return {
    AttestationDocument: base64(document),
    KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
  }
}

/** A request's JSON with `Recipient` as its last member, whose octets are made once for each document. */
function attestedBody(
  parameters: Readonly<Record<string, unknown>>,
  { document }: RecipientLease,
): Uint8Array {
  let recipient = recipients.get(document)
  if (recipient === undefined) {
    recipient = Buffer.from(`"Recipient":${JSON.stringify(recipientOf({ document }))}}`)
    recipients.set(document, recipient)
  }
  const others = JSON.stringify(parameters).slice(0, -1)
  return Buffer.concat([Buffer.from(others === '{' ? others : `${others},`), recipient])
}

/**
 * Refuses an answer whose secret can be read by whoever carries it.
 *
 * @throws {KmsError} `ERR_KMS_UNATTESTED_PLAINTEXT`
 */
export function refuseUnattested(operation: string, members: ResponseMembers): void {
  const name = SECRETS.find((secret) => members.holds(secret))
  if (name === undefined) return
  throw new KmsError(
    'ERR_KMS_UNATTESTED_PLAINTEXT',
    `The answer to ${operation} has ${name} in the clear, although Recipient was sent: what answered does not attest (an emulator?), and others may have read it; the result was discarded`,
  )
}

/**
 * Opens `CiphertextForRecipient`.
 *
 * @throws {KmsError} `ERR_KMS_RESPONSE`, `ERR_KMS_CMS`, `ERR_KMS_RECIPIENT_DESTROYED`, `ERR_KMS_PLAINTEXT_LENGTH`
 */
export async function openSecret(
  operation: string,
  members: ResponseMembers,
  lease: RecipientLease,
  length: SecretLength,
): Promise<Uint8Array> {
  const secret = await lease.open(members.bytes('CiphertextForRecipient', CIPHERTEXT_MAX))
  return ofLength(operation, secret, length)
}

/**
 * The secret, if it has the length that was asked for.
 *
 * @throws {KmsError} `ERR_KMS_PLAINTEXT_LENGTH`
 */
export function ofLength(operation: string, secret: Uint8Array, length: SecretLength): Uint8Array {
  const { least, most } = typeof length === 'number' ? { least: length, most: length } : length
  if (secret.length >= least && secret.length <= most) return secret
  secret.fill(0)
  const expected = least === most ? String(least) : `${least} to ${most}`
  throw new KmsError(
    'ERR_KMS_PLAINTEXT_LENGTH',
    `What ${operation} gave has ${secret.length} bytes, and ${expected} were expected; the result was discarded`,
  )
}

const documents = new WeakMap<Uint8Array, string>()
const recipients = new WeakMap<Uint8Array, Uint8Array>()

/** One document serves for many calls. */
function base64(document: Uint8Array): string {
  let text = documents.get(document)
  if (text === undefined) {
    text = Buffer.from(document.buffer, document.byteOffset, document.length).toString('base64')
    documents.set(document, text)
  }
  return text
}
