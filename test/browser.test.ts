import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ConformanceReport } from './conformance/conformance.ts'
import { ABSENT, installed, realChecks, Stage } from './runtimes/stage.ts'

const CHROMIUM = '/usr/bin/chromium'
const OPTIONS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]

/** What `real-documents.js` gives. */
interface RealReport {
  readonly passed: number
  readonly failures: readonly string[]
}

/** What is used of playwright-core, which is installed outside of the workspace. */
interface Playwright {
  readonly chromium: {
    launch(options: { executablePath: string; args: string[]; timeout: number }): Promise<{
      newPage(): Promise<{
        goto(url: string): Promise<unknown>
        evaluate<T>(expression: string): Promise<T>
      }>
      close(): Promise<void>
    }>
  }
}

const playwright = installed('playwright-core/index.mjs')
let stage: Stage | undefined
let server: Server | undefined

beforeAll(async () => {
  if (playwright === undefined || !existsSync(CHROMIUM)) return
  stage = await Stage.open()
  server = createServer((request, response) => {
    const page = request.url === '/'
    const file = /^\/(?:suite|attestation|conformance|corpus|documents|real-documents)\.js$/.exec(
      request.url ?? '',
    )?.[0]
    if (!page && file === undefined) return response.writeHead(404).end()
    response.writeHead(200, {
      'content-type': page ? 'text/html' : 'text/javascript',
      // Nothing but the files: no eval, no inline script, no connection.
      'content-security-policy': "default-src 'none'; script-src 'self'",
    })
    response.end(
      page ? '<!doctype html>' : readFileSync(join((stage as Stage).folder, file as string)),
    )
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)))
  stage?.close()
})

test(
  'the conformance suite on the built package in Chromium',
  { timeout: 180_000 },
  async (context) => {
    if (playwright === undefined) return context.skip(ABSENT)
    if (!existsSync(CHROMIUM))
      return context.skip(`no ${CHROMIUM}: run \`apt-get install chromium\``)
    const { chromium } = (await import(pathToFileURL(playwright).href)) as Playwright
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: OPTIONS,
      timeout: 30_000,
    })
    try {
      const page = await browser.newPage()
      const { port } = (server as Server).address() as AddressInfo
      await page.goto(`http://127.0.0.1:${port}/`)
      expect(await page.evaluate('isSecureContext')).toBe(true)
      const report = await page.evaluate<ConformanceReport & { real: RealReport }>(
        "import('/suite.js').then(({ run }) => run())",
      )
      expect(report.failures).toEqual([])
      expect(report.passed).toBeGreaterThan(2000)
      expect(report.real).toEqual({ passed: realChecks(), failures: [] })
    } finally {
      await browser.close()
    }
  },
)
