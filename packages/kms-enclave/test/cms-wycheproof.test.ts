import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { vectors } from '../../../test/vectors.ts'
import { nodeCrypto, openEnvelopedData, paddingBytes } from '../src/cms/open.ts'
import { hex, recipient, refusal } from './cms-recipient.ts'
import { encryptFor, writeEnvelopedData } from './cms-writer.ts'

const ABSENT = 'needs ../shared/vectors or ENCLAVEJS_VECTORS'

interface Case {
  readonly tcId: number
  readonly comment: string
  readonly key: string
  readonly iv: string
  readonly msg: string
  readonly ct: string
  readonly label: string
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

interface Group {
  readonly keySize: number
  readonly privateKeyPkcs8: string
  readonly tests: readonly Case[]
}

function groups(name: string): readonly Group[] {
  const file = vectors(`wycheproof/${name}.json`)
  if (file === undefined) return []
  return (JSON.parse(readFileSync(file, 'utf8')) as { testGroups: readonly Group[] }).testGroups
}

const absent = vectors('wycheproof') === undefined

describe.skipIf(absent)(`RSAES-OAEP of Wycheproof (${ABSENT})`, () => {
  const oaep = groups('rsa_oaep_2048_sha256_mgf1sha256_test')

  test.each(oaep.flatMap(({ tests, ...group }) => tests.map((one) => ({ ...group, ...one }))))(
    '$tcId $comment: $result',
    async ({ tcId, privateKeyPkcs8, ct, msg, label, result }) => {
      const key = createPrivateKey({ key: hex(privateKeyPkcs8), format: 'der', type: 'pkcs8' })
      const own = recipient(key)
      const decrypt = (): Promise<Uint8Array> =>
        nodeCrypto.decryptKey(own.privateKey, hex(ct), tcId % 2 === 0 ? key : undefined)
      // This profile has no label, so what was encrypted with one must fail.
      if (result === 'valid' && label === '') {
        expect(Buffer.from(await decrypt()).toString('hex')).toBe(msg)
      } else {
        await expect(decrypt()).rejects.toThrow()
      }
      // As the encrypted key of a message: the one refusal, but for a content key of 32 bytes.
      const fields = encryptFor(key, new Uint8Array(16))
      if (ct.length === 512 && msg.length !== 64) {
        const error = await refusal(() =>
          openEnvelopedData(writeEnvelopedData({ ...fields, encryptedKey: hex(ct) }), own),
        )
        expect(error.message).toMatch(/^CiphertextForRecipient has the form .* does not open/)
      }
    },
  )

  test('there are 37', () => expect(oaep.flatMap(({ tests }) => tests)).toHaveLength(37))
})

describe.skipIf(absent)(`AES-CBC with PKCS #5 padding of Wycheproof (${ABSENT})`, () => {
  const cbc = groups('aes_cbc_pkcs5_test').filter(({ keySize }) => keySize === 256)

  test.each(cbc.flatMap(({ tests }) => tests))('$tcId $comment: $result', (one) => {
    const { key, iv, msg, ct, result } = one
    // Content that is empty or no whole blocks is refused before any key is used.
    if (ct.length === 0 || ct.length % 32 !== 0) {
      expect(result).toBe('invalid')
      return
    }
    const content = nodeCrypto.decryptContent(hex(key), hex(iv), hex(ct))
    const padding = paddingBytes(content)
    if (result === 'valid') {
      expect(Buffer.from(content.subarray(0, content.length - padding)).toString('hex')).toBe(msg)
      expect(padding).toBeGreaterThan(0)
    } else {
      expect(padding).toBe(0)
    }
  })

  test('there are 72', () => expect(cbc.flatMap(({ tests }) => tests)).toHaveLength(72))
})
