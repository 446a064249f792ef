import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBER } from 'asn1js'
import { ContentInfo, EnvelopedData, type KeyTransRecipientInfo } from 'pkijs'
import { describe, expect, it } from 'vitest'
import { vectors } from '../../../../test/vectors.ts'
import {
  encodeEnvelopedData,
  sealForRecipient,
  type EnvelopedDataFields,
} from '../../src/kms/enveloped-data.ts'

const SAMPLES = [
  ['awswallet-1', 'constructed'],
  ['edgebit-1', 'constructed'],
  ['rustcrypto-1', 'constructed'],
  ['rustcrypto-4', 'constructed'],
  ['sdkc-1-constructed', 'constructed'],
  ['sdkc-2-primitive', 'primitive'],
] as const

/** The fields of a blob, read by pkijs and asn1js. */
function fieldsOf(ber: Uint8Array): EnvelopedDataFields {
  const { result, offset } = fromBER(ber)
  if (offset !== ber.length) throw new Error('octets are left')
  const enveloped = new EnvelopedData({
    schema: new ContentInfo({ schema: result }).content as unknown,
  })
  const [recipient] = enveloped.recipientInfos
  const ktri = recipient?.value as KeyTransRecipientInfo
  const rid = ktri.rid as { valueBlock: { valueHexView: Uint8Array } }
  const { contentEncryptionAlgorithm, encryptedContent } = enveloped.encryptedContentInfo
  const parameters = contentEncryptionAlgorithm.algorithmParams as {
    valueBlock: { valueHexView: Uint8Array }
  }
  const { valueBlock } = encryptedContent as unknown as {
    valueBlock: {
      value?: readonly { valueBlock: { valueHexView: Uint8Array } }[]
      valueHexView: Uint8Array
    }
  }
  const chunks = valueBlock.value?.map((one) => one.valueBlock.valueHexView)
  return {
    subjectKeyIdentifier: rid.valueBlock.valueHexView,
    encryptedKey: ktri.encryptedKey.valueBlock.valueHexView,
    iv: parameters.valueBlock.valueHexView,
    encryptedContent: chunks === undefined ? valueBlock.valueHexView : Buffer.concat(chunks),
    form: chunks === undefined ? 'primitive' : 'constructed',
  }
}

it.for(SAMPLES)('the real sample %s comes out of its fields byte for byte', ([name, form], ctx) => {
  const file = vectors(`kms/${name}.ber`)
  if (file === undefined) return void ctx.skip('the vectors are not here')
  const ber = readFileSync(file)
  const fields = fieldsOf(ber)
  expect(fields.form).toBe(form)
  expect(Buffer.from(encodeEnvelopedData(fields)).toString('hex')).toBe(ber.toString('hex'))
})

describe.each([2048, 3072])('a recipient of %i bits', (modulusLength) => {
  const { privateKey, publicKey: rsaKey } = generateKeyPairSync('rsa', { modulusLength })
  const publicKey = new Uint8Array(rsaKey.export({ type: 'spki', format: 'der' }))

  it.each([
    ['constructed', 1, 461],
    ['constructed', 32, 493],
    ['constructed', 4096, 4573],
    ['primitive', 1, 457],
    ['primitive', 999, undefined],
    ['primitive', 4096, undefined],
    ['constructed', 983, undefined],
    ['constructed', 984, undefined],
    ['constructed', 1000, undefined],
  ] as const)('%s, %i octets: OpenSSL opens it', (form, length, size) => {
    const plaintext = Buffer.from(Array.from({ length }, (_, i) => i & 255))
    const fields = sealForRecipient(plaintext, { publicKey, rsaKey }, form)
    const cms = encodeEnvelopedData(fields)
    if (size !== undefined && modulusLength === 2048) expect(cms).toHaveLength(size)
    const folder = mkdtempSync(join(tmpdir(), 'enclavejs-cms-'))
    try {
      writeFileSync(join(folder, 'x.ber'), cms)
      writeFileSync(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
      const args = 'cms -decrypt -binary -inform DER -in x.ber -inkey key.pem'.split(' ')
      expect(execFileSync('openssl', args, { cwd: folder })).toEqual(plaintext)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
