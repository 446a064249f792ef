import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { OtherDebian } from '../../packages/acm-enclave/test/token/other-debian.ts'
import { ABSENT, installed } from '../runtimes/stage.ts'

const CHROMIUM = '/usr/bin/chromium'
const OPTIONS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--no-proxy-server'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]

/** What is used of playwright-core, which is installed outside of the workspace. */
interface Playwright {
  readonly chromium: {
    launch(options: object): Promise<{
      newPage(): Promise<{
        goto(url: string): Promise<{
          text(): Promise<string>
          securityDetails(): Promise<{ protocol: string; subjectName: string }>
        }>
      }>
      close(): Promise<void>
    }>
  }
}

const playwright = installed('playwright-core/index.mjs')
const certutil = new OtherDebian('trixie').command('/usr/bin/certutil', [])

/** Why no page can be opened here. */
export function browserless(): string | undefined {
  if (playwright === undefined) return ABSENT
  if (!existsSync(CHROMIUM)) return `no ${CHROMIUM}: run \`apt-get install chromium\``
  if (existsSync(certutil[0])) return undefined
  return 'no certutil: run `apt-get install libnss3-tools`, or see .ci/debian-roots'
}

/** What headless Chromium has of a page of `host`, which is this machine. `trusted` is the one root that it takes beside its own. */
export async function openPage(
  home: string,
  host: string,
  port: number,
  trusted?: string,
): Promise<{ readonly text: string; readonly protocol: string }> {
  const store = join(home, '.pki/nssdb')
  mkdirSync(store, { recursive: true })
  const tell = (...args: string[]): void => {
    const [file, own] = certutil
    const { status, stderr } = spawnSync(file, [...own, '-d', `sql:${store}`, ...args])
    if (status !== 0) throw new Error(`certutil: ${stderr.toString()}`)
  }
  tell('-N', '--empty-password')
  if (trusted !== undefined) {
    writeFileSync(join(home, 'root.pem'), trusted)
    tell('-A', '-n', 'root', '-t', 'C,,', '-i', join(home, 'root.pem'))
  }
  const { chromium } = (await import(pathToFileURL(playwright ?? '').href)) as Playwright
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...OPTIONS, `--host-resolver-rules=MAP ${host} 127.0.0.1`],
    env: { ...process.env, HOME: home },
    timeout: 30_000,
  })
  try {
    const page = await browser.newPage()
    const response = await page.goto(`https://${host}:${port}/`)
    const { protocol } = await response.securityDetails()
    return { text: await response.text(), protocol }
  } finally {
    await browser.close()
  }
}
