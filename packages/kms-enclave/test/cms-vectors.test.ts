import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { readEnvelopedData } from '../src/cms/enveloped-data.ts'
import { openEnvelopedData } from '../src/cms/open.ts'
import { hex, recipient, refusal } from './cms-recipient.ts'
import { writeEnvelopedData } from './cms-writer.ts'

const ABSENT = 'needs ../shared/vectors or ENCLAVEJS_VECTORS'

interface KmsVector {
  readonly name: string
  readonly cms: string
  readonly form: string
  readonly private_key: string | null
  readonly plaintext: string | null
  readonly encrypted_key_hex?: string
  readonly iv_hex?: string
  readonly encrypted_content_len?: number
}

const kmsFolder = vectors('kms')
describe.skipIf(kmsFolder === undefined)(`what KMS really gave (${ABSENT})`, () => {
  const folder = kmsFolder ?? ''
  const index =
    kmsFolder === undefined
      ? []
      : (JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { vectors: KmsVector[] })
          .vectors

  test('there are six, two of them with a key', () => {
    expect(index).toHaveLength(6)
    expect(index.filter((one) => one.private_key !== null)).toHaveLength(2)
  })

  test.each(index)('$name', async (vector) => {
    const message = new Uint8Array(readFileSync(join(folder, vector.cms)))
    const skiAt = Buffer.from(message).indexOf(hex('8020')) + 2
    const subjectKeyIdentifier = message.subarray(skiAt, skiAt + 32)
    const read = readEnvelopedData(message, { subjectKeyIdentifier, modulusBytes: 256 })
    if (vector.encrypted_key_hex !== undefined) {
      expect(Buffer.from(read.encryptedKey).toString('hex')).toBe(vector.encrypted_key_hex)
    }
    if (vector.iv_hex !== undefined) {
      expect(Buffer.from(read.initializationVector).toString('hex')).toBe(vector.iv_hex)
    }
    if (vector.encrypted_content_len !== undefined) {
      expect(read.encryptedContent).toHaveLength(vector.encrypted_content_len)
    }
    // The template is KMS's own: what was read, written again, is what KMS wrote.
    const form = vector.form.startsWith('constructed') ? 'constructed' : 'primitive'
    const again = writeEnvelopedData({ subjectKeyIdentifier, ...read }, { form })
    expect(Buffer.compare(again, message)).toBe(0)
    if (vector.private_key === null) return
    const bytes = readFileSync(join(folder, vector.private_key))
    const privateKey = vector.private_key.endsWith('.pem')
      ? createPrivateKey(bytes)
      : createPrivateKey({ key: bytes, format: 'der', type: 'pkcs1' })
    const plaintext = readFileSync(join(folder, vector.plaintext ?? ''))
    expect(Buffer.compare(await openEnvelopedData(message, recipient(privateKey)), plaintext)).toBe(
      0,
    )
  })
})

interface CmsVector {
  readonly id: string
  readonly key: string
  readonly cms: string
  readonly expect: string
  readonly plaintext: string | null
}

interface CmsVectors {
  readonly keys: Record<string, { pkcs8_pem: string }>
  readonly vectors: readonly CmsVector[]
}

/** Listed as `ok`, and outside the profile of KMS. */
const OUTSIDE_PROFILE: Readonly<Record<string, string>> = {
  'rsa2048-6144-der': '6599 bytes; KMS gives 6144 at most',
  'rsa2048-6144-ber': '6609 bytes; KMS gives 6144 at most',
}
/** Listed as either; each is refused, for the reason given. */
const EITHER: Readonly<Record<string, string>> = {
  'isn-rid-der': 'issuerAndSerialNumber makes version 0; KMS writes 2 and subjectKeyIdentifier',
  'two-recipients-ours-second': 'KMS encrypts to one recipient',
  'chunks-empty': 'KMS writes no empty chunk',
  'rid-20': 'KMS names the key by SHA-256',
  'version-0': 'KMS writes 2',
  'riversion-0': 'KMS writes 2',
  'cons-nested-2': 'KMS does not nest chunks',
  'cons-nested-2000': 'KMS does not nest chunks; 8493 bytes',
}

describe.each(['cms/openssl-cms.json', 'cms/peer-bugs.json'])('%s', (path) => {
  const file = vectors(path)
  const { keys, vectors: cases } = (
    file === undefined ? { keys: {}, vectors: [] } : JSON.parse(readFileSync(file, 'utf8'))
  ) as CmsVectors
  if (file === undefined) test.skip(`(${ABSENT})`)

  test.each(cases)('$id: $expect', async ({ id, key, cms, expect: expected, plaintext }) => {
    const privateKey = createPrivateKey((keys[key] as { pkcs8_pem: string }).pkcs8_pem)
    const open = (): Promise<Uint8Array> =>
      openEnvelopedData(Buffer.from(cms, 'base64'), recipient(privateKey))
    if (expected === 'ok' && OUTSIDE_PROFILE[id] === undefined) {
      expect(Buffer.from(await open()).toString('base64')).toBe(plaintext)
    } else if (expected === 'ok-malleable') {
      expect(await open()).toHaveLength(47)
    } else {
      expect(['ok', 'reject'].includes(expected) || id in EITHER).toBe(true)
      await refusal(open)
    }
  })
})
