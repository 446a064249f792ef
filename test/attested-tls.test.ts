// @enclavejs/attested-tls with everything real but AWS: enclaves and the parent as processes of their own, sealed requests from a page in
// Chromium, TLS from Node. Everything passes through the parent; what it does beyond carrying must fail, and what it saw is searched.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAttestedFetch } from '@enclavejs/attested-tls/client'
import { openCertificateAuthority, type CertificateAuthority } from '@enclavejs/simulator'
import { build } from 'tsup'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificate } from '../packages/attested-tls/test/certificate.ts'
import type { Outcome } from './attested-tls/page.ts'
import { ExampleProgram } from './examples/program.ts'
import { Chromium, CHROMIUM_ABSENT } from './inspector/chromium.ts'
import type { Tab } from './inspector/tab.ts'

const SECRET = 'nobody but the enclave reads this'
const pcrs = { 0: 'a0'.repeat(48), 1: 'a1'.repeat(48), 2: 'a2'.repeat(48) }
const folder = mkdtempSync(join(tmpdir(), 'enclavejs-attested-tls-'))
const programs: ExampleProgram[] = []
let authority: CertificateAuthority
let ports: Readonly<Record<string, number>>

async function boot(cid: number, pcr2: string): Promise<void> {
  const environment = {
    ENCLAVEJS_SIMULATOR_DIR: folder,
    ENCLAVEJS_SIMULATOR_CID: String(cid),
    ENCLAVEJS_SIMULATOR_PCRS: `0=${pcrs[0]},1=${pcrs[1]},2=${pcr2}`,
  }
  programs.push(await ExampleProgram.start('../test/attested-tls/enclave.ts', [], environment))
}

beforeAll(async () => {
  authority = await openCertificateAuthority(folder)
  await Promise.all([boot(16, pcrs[2]), boot(17, 'ff'.repeat(48))])
  const { key, cert } = makeCertificate('enclave.example', 'ec')
  process.env['ENCLAVEJS_SIMULATOR_DIR'] = folder
  const side = ['--import', import.meta.resolve('@enclavejs/simulator/register/parent')]
  process.env['NODE_OPTIONS'] = side.join(' ')
  const parent = await ExampleProgram.start('../test/attested-tls/parent.ts', [key, cert])
  delete process.env['NODE_OPTIONS']
  programs.push(parent)
  ports = JSON.parse(parent.line) as typeof ports
}, 60_000)
afterAll(async () => {
  const statuses = await Promise.all(programs.map((program) => program.stop()))
  rmSync(folder, { recursive: true, force: true })
  expect(statuses).toEqual(programs.map(() => 0))
})

const recorded = async (): Promise<string> =>
  (await fetch(`http://127.0.0.1:${ports['record']}/`)).text()
const policy = (): { referenceValues: { pcrs: typeof pcrs }; trustAnchors: Uint8Array[] } => ({
  referenceValues: { pcrs },
  trustAnchors: [authority.trustAnchor],
})

describe('Node over TLS', () => {
  const send = async (mode: string): Promise<unknown> => {
    await using attested = createAttestedFetch(policy())
    const url = `https://127.0.0.1:${ports[mode]}/secret`
    try {
      return await (await attested(url, { method: 'POST', body: SECRET })).text()
    } catch (error) {
      return (error as { cause: { code: string } }).cause.code
    }
  }

  it('reaches the enclave through the parent, which reads nothing', async () => {
    expect(await send('tls')).toBe(`the enclave has read ${SECRET.length} characters`)
    expect(await recorded()).not.toContain(SECRET)
  })

  it('sends nothing to a parent that ends TLS and passes on the genuine document', async () => {
    expect(await send('tlsMiddle')).toBe('ERR_ATTESTED_TLS_KEY')
    expect(await recorded()).not.toContain('in the clear')
  })

  it('sends nothing to another image', async () => {
    expect(await send('tlsOtherImage')).toBe('ERR_ATTESTED_TLS_EVIDENCE')
  })
})

const absent = CHROMIUM_ABSENT !== undefined
const reason = absent ? ` (skipped: ${CHROMIUM_ABSENT})` : ''

describe.skipIf(absent)(`a page in Chromium${reason}`, () => {
  let chromium: Chromium
  let tab: Tab
  let origin: Server

  beforeAll(async () => {
    const program = await bundlePage()
    const integrity = `sha384-${createHash('sha384').update(program).digest('base64')}`
    origin = createServer((request, response) => {
      const isPage = request.url === '/'
      const connect = Object.values(ports).map((port) => `http://127.0.0.1:${port}`)
      response.writeHead(200, {
        'content-type': isPage ? 'text/html' : 'text/javascript',
        'access-control-allow-origin': '*',
        'content-security-policy': `default-src 'none'; script-src '${integrity}'; connect-src ${connect.join(' ')}`,
      })
      const script = `<script src="/page.js" integrity="${integrity}" crossorigin></script>`
      response.end(isPage ? `<!doctype html>${script}` : program)
    })
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
    chromium = await Chromium.launch()
    tab = await chromium.open(`http://127.0.0.1:${(origin.address() as AddressInfo).port}/`)
  }, 60_000)
  afterAll(async () => {
    await chromium.close()
    await new Promise((resolve) => origin.close(resolve))
  })

  /** What the page's program makes of a parent. */
  const attempt = (mode: string, path = '/secret', body?: string): Promise<Outcome> => {
    const root = JSON.stringify([...authority.trustAnchor])
    const sent = body === undefined ? '' : `, ${JSON.stringify(body)}`
    return tab.evaluate<Outcome>(`attempt({
      url: 'http://127.0.0.1:${ports[mode]}',
      referenceValues: { pcrs: ${JSON.stringify(pcrs)} },
      trustAnchors: [Uint8Array.from(${root})],
      timeout: ${mode === 'silent' ? 1500 : 10_000},
    }, '${path}'${sent})`)
  }

  it('reaches the enclave through the parent, which reads nothing', async () => {
    expect(await attempt('honest', '/sealed', SECRET)).toEqual({
      ...{ status: 200, text: `the enclave has read ${SECRET.length} characters` },
    })
    const { text } = await attempt('honest', '/seen')
    expect(JSON.parse(text as string)).toContain(`sealed POST /sealed ${SECRET}`)
    const seen = await recorded()
    expect(seen).toContain('/.well-known/enclavejs/sealed')
    for (const hidden of [SECRET, '/seen', 'the enclave has read'])
      expect(seen).not.toContain(hidden)
  })

  it.each<[string, unknown[]]>([
    ['swappedKey', ['ERR_ATTESTED_TLS_EVIDENCE', 'ERR_ATTESTATION_SIGNATURE']],
    ['oldDocument', ['ERR_ATTESTED_TLS_EVIDENCE', 'ERR_ATTESTATION_NONCE']],
    ['tlsDocument', ['ERR_ATTESTED_TLS_PURPOSE', undefined]],
    ['otherImage', ['ERR_ATTESTED_TLS_EVIDENCE', 'ERR_ATTESTATION_PCR']],
    ['alteredRequest', ['ERR_ATTESTED_TLS_SEALED_REFUSED', undefined]],
    ['alteredAnswer', ['ERR_ATTESTED_TLS_SEALED_RESPONSE', undefined]],
    ['crossedAnswer', ['ERR_ATTESTED_TLS_SEALED_RESPONSE', undefined]],
    ['silent', ['ERR_ATTESTED_TLS_DEADLINE', undefined]],
  ])('refuses %s', async (mode, codes) => {
    // CDP gives null for what is undefined inside an array.
    const { codes: seen } = await attempt(mode, `/${mode}`, SECRET)
    expect(seen?.map((code) => code ?? undefined)).toEqual(codes)
    const { text } = await attempt('honest', '/seen')
    const taken = (JSON.parse(text as string) as string[]).filter((one) => one.includes(mode))
    // Only what came back altered had been taken.
    expect(taken).toHaveLength(mode.endsWith('Answer') ? 1 : 0)
    expect(await recorded()).not.toContain(SECRET)
  })

  it('is heard once where the parent sends a request twice', async () => {
    expect((await attempt('replayedRequest', '/once', SECRET)).status).toBe(200)
    const { text } = await attempt('honest', '/seen')
    const taken = (JSON.parse(text as string) as string[]).filter((one) => one.includes('/once'))
    expect(taken).toEqual([`sealed POST /once ${SECRET}`])
  })

  it('has complained of nothing but what was broken off', () => {
    const complaints = tab.complaints.filter((one) => !/status of 400/.test(one))
    expect(complaints).toEqual([])
  })
})

async function bundlePage(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'enclavejs-attested-page-'))
  try {
    await build({
      ...{ config: false, silent: true, outDir, clean: false, dts: false },
      ...{ format: ['iife'], platform: 'browser', target: 'es2023', minify: true },
      entry: { page: fileURLToPath(new URL('./attested-tls/page.ts', import.meta.url)) },
      noExternal: [/./],
      esbuildOptions(options) {
        options.conditions = ['@enclavejs/source']
      },
    })
    return await readFile(join(outDir, 'page.global.js'), 'utf8')
  } finally {
    await rm(outDir, { recursive: true })
  }
}
