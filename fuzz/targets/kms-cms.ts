import { createHash, webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readEnvelopedData } from '../../packages/kms-enclave/src/cms/enveloped-data.ts'
import { nodeCrypto, openEnvelopedData } from '../../packages/kms-enclave/src/cms/open.ts'
import { KmsError } from '../../packages/kms-enclave/src/error.ts'
import { readWithPkijs } from '../../packages/kms-enclave/test/cms-oracle.ts'
import { writeEnvelopedData } from '../../packages/kms-enclave/test/cms-writer.ts'
import { vectors } from '../../test/vectors.ts'
import { LawBroken, type FuzzTarget } from '../target.ts'

/** Bytes that are the same in every run. */
function fixed(name: string, length: number): Uint8Array {
  const blocks = Math.ceil(length / 64)
  return new Uint8Array(
    Buffer.concat(
      Array.from({ length: blocks }, (_, index) =>
        createHash('sha512').update(`${name} ${index}`).digest(),
      ),
    ).subarray(0, length),
  )
}

const subjectKeyIdentifier = fixed('subject key identifier', 32)
const recipient = { subjectKeyIdentifier, modulusBytes: 256 }
/** Never used: what it would decrypt is given instead, so that no input waits for RSA. */
const { privateKey } = await webcrypto.subtle.generateKey(
  { name: 'ECDH', namedCurve: 'P-256' },
  false,
  ['deriveBits'],
)
const contentKey = fixed('content key', 32)

function refused(error: unknown): boolean {
  if (!(error instanceof KmsError && error.code === 'ERR_KMS_CMS')) return false
  if (!/^[ -~]*$/.test(error.message)) throw new LawBroken('a message shows other characters')
  return true
}

/** Whether the private key is asked for anything. */
async function open(input: Uint8Array): Promise<boolean> {
  let asked = false
  const crypto = {
    ...nodeCrypto,
    decryptKey() {
      asked = true
      return Promise.resolve(new Uint8Array(contentKey))
    },
  }
  try {
    const plaintext = await openEnvelopedData(input, { ...recipient, privateKey }, crypto)
    if (plaintext.length >= input.length) throw new LawBroken('more plaintext than message')
  } catch (error) {
    if (!refused(error)) throw error
  }
  return asked
}

async function run(input: Uint8Array): Promise<void> {
  const asked = await open(input)
  let read
  try {
    read = readEnvelopedData(input, recipient)
  } catch (error) {
    if (!refused(error)) throw error
    if (asked) throw new LawBroken('refused by its form, and decrypted')
    return
  }
  if (!asked) throw new LawBroken('accepted by its form, and not decrypted')
  const theirs = readWithPkijs(input)
  if (theirs.recipients !== 1) throw new LawBroken('several recipients')
  if (Buffer.compare(theirs.encryptedKey, read.encryptedKey) !== 0) {
    throw new LawBroken('pkijs reads another encryptedKey')
  }
  if (Buffer.compare(theirs.encryptedContent, read.encryptedContent) !== 0) {
    throw new LawBroken('pkijs reads other content')
  }
}

/** Real messages, made out to the recipient of this target. */
function realMessages(): Uint8Array[] {
  const folder = vectors('kms')
  if (folder === undefined) return []
  return ['edgebit-1', 'rustcrypto-4', 'sdkc-2-primitive'].map((name) => {
    const message = new Uint8Array(readFileSync(join(folder, `${name}.ber`)))
    message.set(subjectKeyIdentifier, Buffer.from(message).indexOf('8020', 'hex') + 2)
    return message
  })
}

export const target: FuzzTarget = {
  format: 'der',
  maxLength: 6400,
  dictionary: ['0000', '3080', 'a080', '2480', 'a0800410', '0480', '020102', '3182', '8020']
    .concat(['30820167', '04820100', '0410', '80', '81', '82', '06092a864886f70d010701'])
    .map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  seeds() {
    const fields = {
      subjectKeyIdentifier,
      encryptedKey: fixed('encrypted key', 256),
      initializationVector: fixed('initialization vector', 16),
    }
    const write = (length: number, layout = {}): Uint8Array =>
      writeEnvelopedData({ ...fields, encryptedContent: fixed('content', length) }, layout)
    return [
      write(48),
      write(48, { form: 'primitive' }),
      write(48, {
        definite: [
          'contentInfo',
          'content',
          'envelopedData',
          'encryptedContentInfo',
          'encryptedContent',
        ],
      }),
      write(48, { chunkBytes: 1 }),
      write(2000),
      ...realMessages(),
    ]
  },
  run,
}
