import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Edit {
  /** Below examples/. */
  readonly file: string
  readonly from: string
  readonly to: string
}

/** Runs the demo as `npm run demo` does; each edit replaces one text in a file of it on the way into node, in every process. */
async function demo(edits: readonly Edit[] = [], ...args: readonly string[]): Promise<Outcome> {
  const hooks = `
    import { registerHooks } from 'node:module'
    const edits = ${JSON.stringify(edits)}
    registerHooks({
      load(url, context, next) {
        const loaded = next(url, context)
        const due = edits.filter(({ file }) => url.endsWith('/examples/' + file))
        if (due.length === 0) return loaded
        let source = Buffer.from(loaded.source).toString()
        for (const { from, to } of due) {
          if (source.split(from).length !== 2) throw new Error('not there once: ' + from)
          source = source.replace(from, to)
        }
        return { ...loaded, source }
      },
    })`
  const preload =
    edits.length > 0 ? ['--import', `data:text/javascript,${encodeURIComponent(hooks)}`] : []
  const child = spawn(
    process.execPath,
    ['--conditions=@enclavejs/source', ...preload, 'examples/demo.ts', ...args],
    { cwd: root, env: { ...process.env, FORCE_COLOR: '0' }, timeout: 55_000 },
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

interface Line {
  readonly step: string
  readonly ok: boolean
  readonly ms: number
  readonly says: string
  readonly attack?: boolean
  readonly code?: string
  /** Of processes that it started. */
  readonly pid?: number | number[]
}

const linesOf = (stdout: string): Line[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

const STEPS = [
  'build',
  'policy',
  'start',
  'attest-node',
  'attest-browser',
  'key-policy',
  'secret',
  'envelope',
  'web',
  'renewal',
]
/** The attacks, and the two steps among them that have no code. */
const ATTACKS = [
  ['attacks', undefined],
  ['attack-image', 'ERR_ATTESTATION_PCR'],
  ['attack-image-kms', 'AccessDeniedException'],
  ['attack-credentials', 'AccessDeniedException'],
  ['attack-policy', 'AccessDeniedException'],
  ['attack-rollback', 'ERR_ACM_ROLLBACK'],
  ['attack-envelope', 'ERR_KMS_ENVELOPE_CONTEXT'],
  ['hostile', undefined],
  ['attack-listen', undefined],
  ['attack-middle', 'ERR_ATTESTED_TLS_KEY'],
  ['attack-replay', 'ERR_ATTESTATION_NONCE'],
  ['attack-forge', 'ERR_ATTESTATION_TRUST_ANCHOR'],
  ['attack-browser-key', 'ERR_ATTESTATION_SIGNATURE'],
  ['attack-browser-answer', 'ERR_ATTESTED_TLS_SEALED_RESPONSE'],
  ['attack-browser-twice', 'ERR_ATTESTED_TLS_SEALED_REFUSED'],
  ['attack-web', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['attack-kms', 'ERR_KMS_TLS'],
] as const

describe('npm run demo', () => {
  it('does every step, and each attack fails for its own reason', async () => {
    const started = performance.now()
    const { status, stdout, stderr } = await demo()
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(performance.now() - started).toBeLessThan(60_000)
    expect([...stdout.matchAll(/refused, (\w+)/g)].map(([, code]) => code)).toEqual(
      ATTACKS.flatMap(([, code]) => code ?? []),
    )
    expect(stdout.match(/ ✓ /g)).toHaveLength(STEPS.length + ATTACKS.length)
    expect(stdout.match(/\(\d+(?:\.\d)? m?s\)$/gm)).toHaveLength(STEPS.length + ATTACKS.length)
    expect(stdout).toContain('both read “correct horse battery staple”')
    expect(stdout).toContain('15 attacks by the parent failed')
    expect(stdout).not.toContain('✗')
    expect(stdout).not.toContain('\u001b')
  }, 60_000)

  it('says the same as one object a line, and leaves nothing behind', async () => {
    const { status, stdout, stderr } = await demo([], '--json')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const lines = linesOf(stdout)
    expect(lines.map(({ step }) => step)).toEqual([
      ...STEPS,
      ...ATTACKS.map(([step]) => step),
      'end',
    ])
    for (const { step, ok, ms } of lines) {
      expect({ step, ok }).toEqual({ step, ok: true })
      expect(ms).toBeGreaterThan(0)
    }
    const after = lines.slice(STEPS.length, -1)
    expect(after.map(({ step, code }) => [step, code])).toEqual(ATTACKS)
    for (const { step, attack } of lines) expect(attack ?? false).toBe(step.startsWith('attack-'))
    const { folder } = lines[2] as Line & { folder: string }
    expect(existsSync(folder)).toBe(false)
    const pids = lines.flatMap(({ pid }) => pid ?? [])
    expect(pids).toHaveLength(4)
    for (const one of pids) expect(() => process.kill(one, 0)).toThrow('ESRCH')
  }, 60_000)

  it('fails where an attack succeeds, or fails for another reason', async () => {
    const { status, stdout } = await demo(
      [
        // As where no C compiler has built the init.
        {
          file: 'demo/image.ts',
          from: 'return ownInit(',
          to: 'throw new Error(); return ownInit(',
        },
        { file: 'demo/hostile-parent.ts', from: 'Number(bytes.at(-1)) ^ 1', to: 'bytes.at(-1)' },
        { file: 'demo/hostile-parent.ts', from: 'await send()\n      return', to: 'return' },
        {
          file: 'demo/hostile-parent.ts',
          from: 'falseKms === undefined',
          to: 'falseKms !== "none"',
        },
        { file: 'demo/impostor.ts', from: 'document.set(publicKey,', to: 'document.indexOf(0,' },
        // The page says it to others, too.
        {
          file: 'demo/page.ts',
          from: 'return { image:',
          to: 'await fetch(url, { method: "POST", body: JSON.stringify(answer) }); return { image:',
        },
        {
          file: 'demo/attacks.ts',
          from: "'ERR_ATTESTATION_PCR'",
          to: "'ERR_ATTESTATION_NONCE'",
        },
      ],
      '--json',
    )
    expect(linesOf(stdout)[0]?.says).toContain('1 KiB stands for the kernel and the init')
    const failures = linesOf(stdout).filter(({ ok }) => !ok)
    expect(failures.map(({ step, says }) => [step, says])).toEqual([
      ['attack-image', 'refused, ERR_ATTESTATION_PCR'],
      ['attack-listen', 'the secret is in the bytes that the parent carried'],
      ['attack-browser-key', 'refused, ERR_ATTESTED_TLS_SEALED_REFUSED'],
      ['attack-browser-answer', 'accepted'],
      ['attack-browser-twice', 'accepted'],
      ['attack-kms', 'accepted'],
      ['end', '6 of the steps did not do what they say.'],
    ])
    expect(status).toBe(1)
  }, 60_000)

  it.each([
    [
      'the genuine document is refused',
      {
        file: 'demo/client.ts',
        from: '{ referenceValues, trustAnchors',
        to: '{ referenceValues: { pcrs: { ...referenceValues.pcrs, 0: referenceValues.pcrs[1] } }, trustAnchors',
      },
      'ERR_ATTESTATION_PCR',
    ],
    [
      'the accepted image is not the one',
      {
        file: 'demo/genuine.ts',
        from: "result?.referenceLabel !== 'shop-1.4'",
        to: "result?.referenceLabel !== 'x'",
      },
      'another image: shop-1.4',
    ],
    [
      'the browser needs more than a browser has',
      { file: 'demo/page.ts', from: "'./refusal.ts'", to: "'./refusal.ts'; import 'node:fs'" },
      'a browser has no node:fs',
    ],
    [
      'the enclave does not take up the renewed certificate',
      {
        file: 'demo/enclave/web.ts',
        from: 'else await this.#certificate.refresh()',
        to: 'else if (version === 0) await this.#certificate.refresh()',
      },
      'the certificate is the old one',
    ],
  ])(
    'stops when %s',
    async (_name, edit, expected) => {
      const { status, stdout } = await demo([edit])
      expect(stdout).toContain('✗ NOT AS EXPECTED:')
      expect(stdout).toContain(expected)
      expect(stdout).not.toContain('The parent attacks')
      expect(status).toBe(1)
    },
    60_000,
  )

  it('stops when the policy of the key names another image', async () => {
    const { status, stdout } = await demo(
      [{ file: 'demo/genuine.ts', from: '{ 0: pcrs[0],', to: '{ 0: pcrs[1],' }],
      '--json',
    )
    expect(stdout).toMatch(/"key-policy","ok":false.*"ERR_KMS_POLICY_PCR"/)
    expect(stdout).not.toContain('"secret"')
    expect(status).toBe(1)
  }, 60_000)
})
