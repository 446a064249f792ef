import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadBinding } from '../../src/token/binding.ts'

test('an architecture without an addon, and then one with it', () => {
  const own = Object.getOwnPropertyDescriptor(process, 'arch') as PropertyDescriptor
  Object.defineProperty(process, 'arch', { ...own, value: 'mips' })
  try {
    expect(loadBinding).toThrow(expect.objectContaining({ code: 'ERR_ACM_TOKEN_BINDING' }))
  } finally {
    Object.defineProperty(process, 'arch', own)
  }
  const binding = loadBinding()
  const der = new Uint8Array(16).fill(7)
  expect(binding.load(der)).toBe(null)
  expect(der).toEqual(new Uint8Array(16))
})

test('misuse is a TypeError, release comes twice, a key is let go while it signs', async () => {
  const binding = loadBinding()
  const { generateKeyPairSync } = await import('node:crypto')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = binding.load(privateKey.export({ type: 'pkcs8', format: 'der' }))
  if (key === null) throw new Error('the key is not read')
  const digest = new Uint8Array(32)
  expect(() => binding.sign({} as typeof key, 2, 256, digest)).toThrow(TypeError)
  expect(() => binding.sign(key, 3, 256, digest)).toThrow(TypeError)
  expect(() => binding.sign(key, 2, 256, new Uint8Array(65))).toThrow(TypeError)
  expect(() => binding.sign(key, 2, 256, new Uint8Array(0))).toThrow(TypeError)
  expect(() => binding.load('no bytes' as unknown as Uint8Array)).toThrow(TypeError)
  const signatures = Array.from({ length: 64 }, () => binding.sign(key, 2, 256, digest))
  binding.release(key)
  binding.release(key)
  for (const signature of await Promise.all(signatures)) expect(signature).toHaveLength(64)
  expect(() => binding.sign(key, 2, 256, digest)).toThrow(TypeError)
  // RSA's padding with an EC key: OpenSSL refuses, nothing is thrown.
  const other = binding.load(privateKey.export({ type: 'pkcs8', format: 'der' }))
  expect(await binding.sign(other as typeof key, 0, 256, digest)).toBe(null)
})

const nodes = [22, 26].map((version) => ({
  version,
  path: fileURLToPath(
    new URL(`../../../../test/runtimes/node_modules/node-${version}/bin/node`, import.meta.url),
  ),
}))

test.for(nodes)('signs in Node $version', ({ path }, { skip }) => {
  if (!existsSync(path)) skip(`no ${path}`)
  const addon = fileURLToPath(
    new URL(`../../prebuilds/linux-${process.arch}.node`, import.meta.url),
  )
  const program = `
    const crypto = require('node:crypto')
    const binding = require(${JSON.stringify(addon)})
    const data = Buffer.from('data')
    const digest = new Uint8Array(crypto.createHash('sha384').update(data).digest())
    const kinds = [['rsa', { modulusLength: 2048 }, [0, 1]], ['ec', { namedCurve: 'P-384' }, [2]]]
    const run = async () => {
      for (const [type, options, schemes] of kinds) {
        const { publicKey, privateKey } = crypto.generateKeyPairSync(type, options)
        const key = binding.load(privateKey.export({ type: 'pkcs8', format: 'der' }))
        for (const scheme of schemes) {
          const signature = await binding.sign(key, scheme, 384, digest)
          const more = [{}, { padding: 6, saltLength: 48 }, { dsaEncoding: 'ieee-p1363' }][scheme]
          console.log(crypto.verify('sha384', data, { key: publicKey, ...more }, signature))
        }
      }
    }
    run()`
  const output = execFileSync(path, ['--eval', program], { encoding: 'utf8' })
  expect(output).toBe('true\ntrue\ntrue\n')
})
