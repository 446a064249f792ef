import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the demo as `npm run demo` does; `edit` replaces one text in its source on the way into node. */
async function demo(edit?: { readonly from: string; readonly to: string }): Promise<Outcome> {
  const hooks = `
    import { registerHooks } from 'node:module'
    const { from, to } = ${JSON.stringify(edit ?? null)}
    registerHooks({
      load(url, context, next) {
        const loaded = next(url, context)
        if (!url.endsWith('/examples/demo.ts')) return loaded
        const source = Buffer.from(loaded.source).toString()
        if (source.split(from).length !== 2) throw new Error('the text to replace is not there once')
        return { ...loaded, source: source.replace(from, to) }
      },
    })`
  const preload = edit ? ['--import', `data:text/javascript,${encodeURIComponent(hooks)}`] : []
  const child = spawn(
    process.execPath,
    ['--conditions=@enclavejs/source', ...preload, 'examples/demo.ts'],
    { cwd: root, env: { ...process.env, FORCE_COLOR: '0' }, timeout: 50_000 },
  )
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
}

describe('npm run demo', () => {
  it('accepts the document and refuses four forgeries, each for its own reason', async () => {
    const started = performance.now()
    const { status, stdout, stderr } = await demo()
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(performance.now() - started).toBeLessThan(60_000)
    expect(stdout).toContain('accepted in')
    expect([...stdout.matchAll(/refused, (\w+)/g)].map(([, code]) => code)).toEqual([
      'ERR_ATTESTATION_SIGNATURE',
      'ERR_ATTESTATION_TRUST_ANCHOR',
      'ERR_ATTESTATION_PCR',
      'ERR_ATTESTATION_NONCE',
    ])
    expect(stdout.match(/ ✓ /g)).toHaveLength(7)
    expect(stdout).not.toContain('✗')
    expect(stdout).not.toContain('\u001b')
  })

  it.each([
    ['a forgery is accepted', 'flipBit(document, Buffer.from(document).indexOf(key))', 'document'],
    ['a forgery is refused for another reason', "'ERR_ATTESTATION_PCR'", "'ERR_ATTESTATION_NONCE'"],
    [
      'the accepted image is not the one',
      "referenceLabel === 'shop-1.4'",
      "referenceLabel === 'x'",
    ],
  ])('fails when %s', async (_name, from, to) => {
    const { status, stdout } = await demo({ from, to })
    expect(status).toBe(1)
    expect(stdout.match(/NOT AS EXPECTED/g)).toHaveLength(1)
    expect(stdout).toContain('1 of the steps')
  })

  it('fails when the genuine document is refused', async () => {
    const { status, stderr } = await demo({
      from: '{ ...policy, nonce })',
      to: '{ ...policy, nonce: key })',
    })
    expect(status).toBe(1)
    expect(stderr).toContain('ERR_ATTESTATION_NONCE')
  })
})
