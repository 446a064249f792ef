// An application as it runs in an enclave, unchanged, under `enclavejs simulate --kms`: NSM, vsock, credentials, KMS.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = mkdtempSync(join(root, 'node_modules', '.simulated-aws-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const APPLICATION = `
import { readFileSync } from 'node:fs'
import { createEnclaveKmsClient } from '@enclavejs/kms-enclave'
const { ENCLAVEJS_SIMULATED_KMS_KEY: keyArn, ENCLAVEJS_SIMULATED_KMS_CA: file } = process.env
const kms = createEnclaveKmsClient({ keyArn, roots: [readFileSync(file, 'utf8')] })
const EncryptionContext = { purpose: 'test' }
const made = await kms.generateDataKey({ KeySpec: 'AES_256', EncryptionContext })
const { CiphertextBlob, Plaintext } = made
const opened = await kms.decrypt({ CiphertextBlob, EncryptionContext })
console.log(Buffer.compare(Plaintext, opened.Plaintext), Plaintext.length)
await kms.close()
`

function simulate(
  ...args: string[]
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const bin = join(root, 'packages/cli/src/bin.ts')
  const child = spawn(
    process.execPath,
    ['--conditions=@enclavejs/source', bin, 'simulate', '--kms', ...args],
    {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: '--conditions=@enclavejs/source' },
      timeout: 50_000,
    },
  )
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (stdout += piece))
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
}

it('reaches KMS through the parent, with a key that only its document opens', async () => {
  const file = join(folder, 'app.mjs')
  writeFileSync(file, APPLICATION)
  const policy = join(folder, 'policy.json')
  const statement = (condition: object): object => ({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::123456789012:role/enclave' },
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: '*',
        Condition: condition,
      },
    ],
  })
  const present = { Null: { 'kms:RecipientAttestation:PCR0': 'false' } }
  writeFileSync(policy, JSON.stringify(statement(present)))
  const allowed = await simulate('--key-policy', policy, '--', process.execPath, file)
  expect(allowed.stderr).toMatch(/^enclavejs: simulated NSM/)
  expect([allowed.status, allowed.stdout]).toEqual([0, '0 32\n'])
  const other = { StringEquals: { 'kms:RecipientAttestation:PCR0': '00'.repeat(48) } }
  writeFileSync(policy, JSON.stringify(statement(other)))
  const denied = await simulate('--key-policy', policy, '--', process.execPath, file)
  expect(denied.stderr).toMatch(/AccessDeniedException/)
  expect(denied.status).toBe(1)
  rmSync(dirname(policy), { recursive: true })
})
