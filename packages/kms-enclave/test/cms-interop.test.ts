import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as pkijs from 'pkijs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readEnvelopedData } from '../src/cms/enveloped-data.ts'
import { openEnvelopedData } from '../src/cms/open.ts'
import { readWithPkijs } from './cms-oracle.ts'
import { recipient } from './cms-recipient.ts'
import { encryptFor, writeEnvelopedData } from './cms-writer.ts'

const SIZES = [0, 1, 15, 16, 31, 32, 154, 1000, 1001, 2048, 4096]
const FORMS = ['constructed', 'primitive'] as const

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const own = recipient(privateKey)
let folder = ''

function openssl(...options: string[]): Buffer {
  return execFileSync('openssl', options, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** A certificate whose subject key identifier is the one that KMS would use. */
function certify(key: KeyObject, name: string): void {
  writeFileSync(join(folder, `${name}.key`), key.export({ type: 'pkcs8', format: 'pem' }))
  const identifier = Buffer.from(recipient(key).subjectKeyIdentifier).toString('hex')
  const extension = `subjectKeyIdentifier=${(identifier.match(/../g) ?? []).join(':')}`
  openssl(
    ...['req', '-x509', '-new', '-key', `${name}.key`, '-subj', '/CN=recipient', '-days', '2'],
    ...['-addext', extension, '-out', `${name}.pem`],
  )
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'enclavejs-cms-'))
  certify(privateKey, 'own')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('openssl cms', () => {
  test.each(FORMS)('opens what the tests write: %s', (form) => {
    for (const size of SIZES) {
      const plaintext = randomBytes(size)
      writeFileSync(
        join(folder, 'message'),
        writeEnvelopedData(encryptFor(privateKey, plaintext), { form }),
      )
      const opened = openssl(
        ...['cms', '-decrypt', '-binary', '-inform', 'DER', '-in', 'message', '-inkey', 'own.key'],
      )
      expect(Buffer.compare(opened, plaintext)).toBe(0)
    }
  })

  test.each([
    ['DER', ['-nostream']],
    ['BER, chunks of indefinite length', ['-stream']],
  ])('writes what is opened: %s', async (_, stream) => {
    for (const size of SIZES) {
      const plaintext = randomBytes(size)
      writeFileSync(join(folder, 'plaintext'), plaintext)
      openssl(
        ...['cms', '-encrypt', '-binary', '-aes256', '-in', 'plaintext', '-outform', 'DER'],
        ...['-out', 'message', ...stream.filter((option) => option !== '-nostream')],
        ...['-recip', 'own.pem', '-keyid', '-keyopt', 'rsa_padding_mode:oaep'],
        ...['-keyopt', 'rsa_oaep_md:sha256', '-keyopt', 'rsa_mgf1_md:sha256'],
      )
      const message = readFileSync(join(folder, 'message'))
      expect(message[1] === 0x80).toBe(stream.includes('-stream'))
      expect(Buffer.compare(await openEnvelopedData(message, own), plaintext)).toBe(0)
    }
  })

  test.each([3072, 4096])('RSA-%i both ways', async (modulusLength) => {
    const other = generateKeyPairSync('rsa', { modulusLength }).privateKey
    certify(other, 'other')
    const plaintext = randomBytes(32)
    writeFileSync(join(folder, 'message'), writeEnvelopedData(encryptFor(other, plaintext)))
    const decrypt = ['cms', '-decrypt', '-binary', '-inform', 'DER', '-in', 'message']
    expect(Buffer.compare(openssl(...decrypt, '-inkey', 'other.key'), plaintext)).toBe(0)
    writeFileSync(join(folder, 'plaintext'), plaintext)
    openssl(
      ...['cms', '-encrypt', '-binary', '-aes256', '-in', 'plaintext', '-outform', 'DER'],
      ...['-stream', '-out', 'message', '-recip', 'other.pem', '-keyid'],
      ...['-keyopt', 'rsa_padding_mode:oaep', '-keyopt', 'rsa_oaep_md:sha256'],
    )
    const message = readFileSync(join(folder, 'message'))
    expect(Buffer.compare(await openEnvelopedData(message, recipient(other)), plaintext)).toBe(0)
  })
})

describe('pkijs', () => {
  const engine = new pkijs.CryptoEngine({ name: 'node', crypto: globalThis.crypto })
  pkijs.setEngine('node', engine)

  test.each(FORMS)('reads the same fields out of what the tests write: %s', (form) => {
    for (const size of SIZES) {
      const message = writeEnvelopedData(encryptFor(privateKey, randomBytes(size)), { form })
      const ours = readEnvelopedData(message, own)
      const theirs = readWithPkijs(message)
      expect(theirs.recipients).toBe(1)
      expect(Buffer.compare(theirs.encryptedKey, ours.encryptedKey)).toBe(0)
      expect(Buffer.compare(theirs.encryptedContent, ours.encryptedContent)).toBe(0)
    }
  })

  test.each(FORMS)('opens what the tests write: %s', async (form) => {
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
    const recipientPrivateKey = new Uint8Array(pkcs8).buffer
    for (const size of SIZES) {
      const plaintext = randomBytes(size)
      const message = writeEnvelopedData(encryptFor(privateKey, plaintext), { form })
      const contentInfo = pkijs.ContentInfo.fromBER(message)
      const envelopedData = new pkijs.EnvelopedData({ schema: contentInfo.content })
      const opened = await envelopedData.decrypt(0, { recipientPrivateKey }, engine)
      expect(Buffer.compare(Buffer.from(opened), plaintext)).toBe(0)
    }
  })
})
