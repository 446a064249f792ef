// What the package does where the packages of its defaults are not installed, and what a page gets of it.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const source = fileURLToPath(new URL('../src', import.meta.url))
const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url))
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'enclavejs-attested-tls-defaults-'))
  cpSync(source, join(folder, 'src'), { recursive: true })
  mkdirSync(join(folder, 'node_modules'))
  // The enclave's half runs with this alone.
  symlinkSync(join(modules, 'hpke'), join(folder, 'node_modules', 'hpke'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function run(code: string): Promise<string> {
  const file = join(folder, 'main.ts')
  writeFileSync(file, code)
  const options = { env: { PATH: process.env['PATH'] }, timeout: 20_000 }
  const { stdout } = await promisify(execFile)(process.execPath, [file], options)
  return stdout.trim()
}

describe('the enclave’s half', () => {
  it('needs no verifier and no client, and misses the NSM by name when it is asked', async () => {
    const output = await run(`
      import { serveAttested } from './src/server.ts'
      import { defaultEvidence } from './src/defaults.ts'
      const served = await serveAttested({ handler: () => undefined })
      const evidence = defaultEvidence()
      const bytes = new Uint8Array(16)
      for (let index = 0; index < 2; index++) {
        await evidence.getEvidence({ nonce: bytes, publicKey: bytes, userData: bytes })
          .catch((error) => console.log(error.code, error.cause.code, error.message))
      }
      await evidence.close()
      await served.close()
    `)
    const line = /^ERR_ATTESTED_TLS_PACKAGE ERR_MODULE_NOT_FOUND .*npm install @enclavejs\/nsm$/
    expect(output.split('\n')).toEqual([expect.stringMatching(line), expect.stringMatching(line)])
  })
})

describe('what everybody may import', () => {
  it('is text and an error', async () => {
    const output = await run(`
      import * as all from './src/index.ts'
      console.log(Object.keys(all).join(' '))
    `)
    expect(output).toBe(
      'ATTESTATION_PATH AttestedTlsError SEALED_HTTP_PURPOSE SEALED_PATH TLS_PURPOSE',
    )
  })
})
