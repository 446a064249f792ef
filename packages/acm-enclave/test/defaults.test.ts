import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createAcmCertificate, fromBundleObject } from '../src/index.ts'
import { failure } from './scene.ts'

const here = dirname(fileURLToPath(import.meta.url))

/** Runs a module in a place where only the package's own dependencies are installed. */
function runAlone(code: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'acm-defaults-'))
  const modules = join(here, '../../../node_modules')
  cpSync(join(here, '../src'), join(folder, 'src'), { recursive: true })
  mkdirSync(join(folder, 'node_modules/@enclavejs/kms-enclave'), { recursive: true })
  for (const name of ['undici', '@smithy']) {
    symlinkSync(join(modules, name), join(folder, 'node_modules', name))
  }
  const kms = join(folder, 'kms')
  cpSync(join(here, '../../kms-enclave/src'), kms, { recursive: true })
  writeFileSync(
    join(folder, 'package.json'),
    '{"type":"module","imports":{"#kms":"./kms/index.ts"}}',
  )
  writeFileSync(
    join(folder, 'node_modules/@enclavejs/kms-enclave/package.json'),
    '{"type":"module","exports":"./index.js"}',
  )
  // Node strips no types below node_modules.
  writeFileSync(
    join(folder, 'node_modules/@enclavejs/kms-enclave/index.js'),
    "export * from '../../../kms/index.ts'",
  )
  const file = join(folder, 'main.ts')
  writeFileSync(file, code)
  return new Promise<string>((resolve, reject) => {
    const args = ['--disable-warning=ExperimentalWarning', file]
    execFile(process.execPath, args, { timeout: 20_000 }, (error, stdout) => {
      if (error === null) resolve(stdout.trim())
      else reject(error as Error)
    })
  }).finally(() => rmSync(folder, { recursive: true }))
}

it('the defaults miss their package by name', async () => {
  const output = await runAlone(`
    import { acceptProxied } from './src/index.ts'
    await acceptProxied({}, {}).catch((error) => console.log(error.code, error.message))
  `)
  expect(output).toMatch(/^ERR_ACM_PACKAGE .*npm install @enclavejs\/vsock/)
})

it('of no enclave lead nowhere, and the error says so', async () => {
  const source = fromBundleObject({
    bucket: 'my-certificates',
    key: 'www.json',
    expectedBucketOwner: '123456789012',
    keyArn: 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    connectTimeout: 500,
    maxAttempts: 1,
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret/secret/secret' },
    connect: async () => Promise.reject(Object.assign(new Error('none'), { code: 'ENODEV' })),
  })
  expect(source.description).toBe('s3://my-certificates/www.json')
  const load = createAcmCertificate({ source, hostNames: ['www.example.com'], startTimeoutMs: 0 })
  expect(await failure(load)).toBe('ERR_ACM_STORE')
})

it('a source that is none is refused', async () => {
  const source = { description: 'x' } as never
  await expect(createAcmCertificate({ source, hostNames: ['a.example'] })).rejects.toThrow('source')
})
