// examples/inspector in a real browser: what a person drops, pastes and types, and that nothing leaves the page.
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { buildPage } from '../examples/inspector/build.ts'
import { CHROMIUM_ABSENT } from './inspector/chromium.ts'
import { NONCE, Scene } from './inspector/scene.ts'
import { vectors } from './vectors.ts'

const absent = CHROMIUM_ABSENT !== undefined
const reason = absent ? ` (skipped: ${CHROMIUM_ABSENT})` : ''
const onChromium = test.skipIf(absent)
let scene: Scene

beforeAll(async () => {
  if (!absent) scene = await Scene.open()
})
beforeEach(async () => {
  if (!absent) await scene.begin()
})
afterAll(() => (absent ? undefined : scene.close()))

onChromium(
  `a document that was dropped is refused without its root, and genuine with it${reason}`,
  async () => {
    await scene.tab.drop(scene.file('document.bin'))
    await scene.settled('refused')
    expect(await scene.tab.text('#verdict')).toContain('ERR_ATTESTATION_TRUST_ANCHOR')
    expect(await scene.tab.text('#verdict h2')).toBe('Refused: NOT verified')
    expect(await scene.tab.text('#unverified-note')).toContain('Anybody could have written it')
    expect(await scene.tab.evaluate('document.querySelectorAll("[data-state=valid]").length')).toBe(
      0,
    )
    expect(await scene.tab.text('#policy')).toContain('No policy')
    await scene.trustSimulator()
    await scene.settled('genuine')
    expect(await scene.tab.text('#verdict h2')).toBe(
      'Genuine, image not compared, under your own root',
    )
    expect(await scene.tab.text('#verdict')).toContain('your own trust anchor')
    expect(await scene.tab.evaluate('document.querySelectorAll("[data-state=valid]").length')).toBe(
      5,
    )
    expect(await scene.tab.text('#document-view')).toContain(scene.authority.moduleId)
    expect(await scene.tab.text('#document-view')).toContain('“hello”')
    expect(scene.tab.requests).toEqual([scene.page])
    expect(scene.tab.complaints).toEqual([])
  },
)

onChromium(`hex, base64 and base64url may be pasted${reason}`, async () => {
  await scene.trustSimulator()
  const document = Buffer.from(scene.issue())
  const spaced = document
    .toString('hex')
    .replace(/(..)/g, '0x$1, ')
    .toUpperCase()
    .replaceAll('X', 'x')
  const forms = [
    document.toString('hex'),
    document.toString('base64').replace(/(.{64})/g, '$1\n'),
    document.toString('base64url'),
    JSON.stringify(document.toString('base64')),
    `data:application/octet-stream;base64,${document.toString('base64')}`,
    spaced.slice(0, -2),
  ]
  for (const text of forms) {
    await scene.tab.evaluate(`document.querySelector('#evidence-text').value = ''`)
    await scene.tab.evaluate(`document.querySelector('#evidence-text').focus()`)
    await scene.tab.insert(text)
    await scene.settled('genuine')
    await scene.tab.evaluate(`document.querySelector('#evidence-text').select()`)
    await scene.tab.insert('not a document!')
    await scene.settled('refused')
    expect(await scene.tab.text('#verdict')).toContain('ERR_INSPECTOR_ENCODING')
    expect(await scene.tab.evaluate('document.querySelector("#contents").hidden')).toBe(true)
  }
})

onChromium(
  `a paste that belongs to no field, of text and of a file, is taken${reason}`,
  async () => {
    await scene.trustSimulator()
    const base64 = Buffer.from(scene.issue()).toString('base64')
    const paste = (fill: string): Promise<unknown> =>
      scene.tab.evaluate(`{
      const clipboardData = new DataTransfer()
      ${fill}
      document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
    }`)
    await paste(`clipboardData.setData('text/plain', '${base64}')`)
    await scene.settled('genuine')
    await paste(`clipboardData.items.add(new File(['{}'], 'x.json'))`)
    await scene.settled('refused')
    await paste(
      `clipboardData.items.add(new File([Uint8Array.from(atob('${base64}'), (c) => c.charCodeAt(0))], 'document'))`,
    )
    await scene.settled('genuine')
  },
)

onChromium(`what is altered is refused with its code, and looks so${reason}`, async () => {
  await scene.trustSimulator()
  const good = scene.issue()
  const altered = (change: (bytes: Uint8Array) => void): Uint8Array => {
    const bytes = good.slice()
    change(bytes)
    return bytes
  }
  const module = Buffer.from(good).indexOf(scene.authority.moduleId)
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['ERR_ATTESTATION_SIGNATURE', altered((bytes) => (bytes[bytes.length - 1]! ^= 1))],
    ['ERR_ATTESTATION_SIGNATURE', altered((bytes) => (bytes[module + 2]! ^= 1))],
    ['ERR_ATTESTATION_CBOR', good.subarray(0, good.length - 1)],
    ['ERR_ATTESTATION_TOO_OLD', scene.issue({ timestamp: Date.now() - 301_000 })],
    ['ERR_ATTESTATION_TIMESTAMP_FUTURE', scene.issue({ timestamp: Date.now() + 60_000 })],
    ['ERR_ATTESTATION_SIZE', Buffer.concat([Uint8Array.of(0x84), Buffer.alloc(20_000)])],
    ['ERR_INSPECTOR_SIZE', Buffer.alloc(70_000, 'A')],
    [
      'ERR_ATTESTATION_DEBUG_MODE',
      scene.issue({ pcrs: { 0: '00'.repeat(48), 1: '00'.repeat(48), 2: '00'.repeat(48) } }),
    ],
  ]
  for (const [index, [code, bytes]] of cases.entries()) {
    await writeFile(scene.file(`altered-${index}.bin`), bytes)
    await scene.tab.drop(scene.file('document.bin'))
    await scene.settled('genuine')
    await scene.tab.drop(scene.file(`altered-${index}.bin`))
    await scene.settled('refused')
    expect(await scene.tab.text('#verdict .code')).toBe(code)
    expect(await scene.tab.text('#verdict h2')).toMatch(/^Refused/)
    expect(await scene.tab.text('#announcer')).toContain(code)
    expect(await scene.tab.text('#policy-json')).toBe('')
  }
  await scene.tab.evaluate(`document.querySelector('#allow-debug').click()`)
  await scene.settled('unverified')
  expect(await scene.tab.text('#verdict h2')).toBe(
    'Genuine, but in debug mode, under your own root',
  )
  expect(await scene.tab.text('#policy')).toContain('No policy: PCRs of debug mode are zero')
})

onChromium(`a setting that cannot be used leaves the document unverified${reason}`, async () => {
  await scene.trustSimulator()
  await scene.tab.drop(scene.file('document.bin'))
  await scene.settled('genuine')
  await scene.set('nonce', 'zz!')
  await scene.settled('unverified')
  expect(await scene.tab.text('#verdict h2')).toBe('Decoded, NOT verified')
  expect(await scene.tab.text('#policy-json')).toBe('')
  await scene.set('nonce', '00'.repeat(32))
  await scene.settled('refused')
  expect(await scene.tab.text('#verdict .code')).toBe('ERR_ATTESTATION_NONCE')
  await scene.set('nonce', Buffer.from(NONCE).toString('hex'))
  await scene.settled('genuine')
  expect(await scene.tab.text('#verdict')).toContain('It answers your nonce')
  await scene.set('max-age', '0')
  await scene.settled('unverified')
  await scene.set('max-age', '60')
  await scene.settled('genuine')
  // Another time: none yet, one before the certificates, and the right one.
  await scene.tab.evaluate(`document.querySelector('#at-other').click()`)
  await scene.settled('unverified')
  expect(await scene.tab.text('#verdict')).toContain('a date and a time are expected')
  await scene.set('at-date', '2020-01-01T00:00:00')
  await scene.settled('refused')
  expect(await scene.tab.text('#verdict .code')).toBe('ERR_ATTESTATION_CERTIFICATE_NOT_YET_VALID')
  const now = new Date().toISOString().slice(0, 19)
  await scene.set('at-date', now)
  await scene.settled('archived')
  expect(await scene.tab.text('#verdict h2')).toBe(
    `Was genuine on ${now.replace('T', ' ')} UTC, under your own root`,
  )
  await scene.tab.evaluate(`document.querySelector('#anchor-gov').click()`)
  await scene.settled('refused')
  expect(await scene.tab.text('#verdict')).toContain('the root of aws-us-gov expected')
  await scene.tab.evaluate(`document.querySelector('#anchor-own').click()`)
  await scene.settled('archived')
  await scene.set('anchor-pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')
  await scene.settled('unverified')
  await scene.set('anchor-pem', 'nothing')
  await scene.settled('unverified')
})

onChromium(`the policy is createKeyPolicy's${reason}`, async () => {
  await scene.trustSimulator()
  await scene.tab.drop(scene.file('app.bin'))
  await scene.settled('genuine')
  const options = {
    account: '111122223333',
    enclaveRoles: ['arn:aws:iam::111122223333:role/enclave'],
    administrators: ['arn:aws:iam::111122223333:root'],
  }
  const pcrs = { 0: scene.image[0], 1: scene.image[1], 2: scene.image[2] }
  const shown = async (): Promise<unknown> => JSON.parse(await scene.tab.text('#policy-json'))
  expect(await shown()).toEqual(
    createKeyPolicy({ ...options, images: { pcrs }, locked: false }).policy,
  )
  await scene.tab.evaluate(`document.querySelector('#policy-locked').click()`)
  await scene.tab.evaluate(`document.querySelector('#policy-pcr3').click()`)
  const four = { ...pcrs, 3: '04'.repeat(48) }
  expect(await shown()).toEqual(
    createKeyPolicy({ ...options, images: { pcrs: four }, locked: true }).policy,
  )
  expect(await scene.tab.text('#policy-view')).toContain('--bypass-policy-lockout-safety-check')
  await scene.tab.saveTo(scene.folder)
  await scene.tab.click('#policy-view .buttons button:last-child')
  await expect
    .poll(() => readFile(scene.file('policy.json'), 'utf8').catch(() => ''), { timeout: 5000 })
    .toBe(await scene.tab.evaluate(`document.querySelector('#policy-json').textContent`))
  await scene.tab.click('#policy-view .buttons button')
  await scene.tab.until(
    `document.querySelector('#policy-view .buttons button').innerText === 'Copied'`,
  )
  await scene.set('policy-account', '<b>1</b>')
  expect(await scene.tab.text('#policy-view')).toContain('No policy yet: account must be')
  // Without a document the image alone is enough.
  await scene.begin()
  await scene.tab.drop(scene.file('app.eif'))
  await scene.tab.until(`document.querySelector('#policy-json')`)
  expect(JSON.parse(await scene.tab.text('#policy-json'))).toEqual(
    createKeyPolicy({ ...options, images: { pcrs }, locked: false }).policy,
  )
})

onChromium(`markup in a document stays text${reason}`, async () => {
  await scene.trustSimulator()
  const markup = `"><img src=x onerror=alert(1)><script>alert(2)</script>\u202e`
  await writeFile(
    scene.file('markup.bin'),
    scene.issue({ moduleId: markup, text: '<svg onload=alert(3)>' }),
  )
  await scene.tab.drop(scene.file('markup.bin'))
  await scene.settled('genuine')
  const shown = await scene.tab.text('#document-view')
  expect(shown).toContain('"><img src=x onerror=alert(1)><script>alert(2)</script>\\u{202e}')
  expect(shown).toContain('“<svg onload=alert(3)>”')
  expect(
    await scene.tab.evaluate('document.querySelectorAll("main img, main script, bdi *").length'),
  ).toBe(0)
  // A file's name is the sender's too.
  const name = '<img src=x onerror=alert(4)>.eif'
  await writeFile(scene.file(name), 'no image')
  await scene.tab.chooseFile('#image-file', scene.file(name))
  await scene.tab.until(`document.querySelector('#image-view .code')`)
  expect(await scene.tab.text('#image-view')).toContain(name)
  expect(scene.tab.dialogs).toEqual([])
  // Even where a mistake made markup of text, the page's own policy stands in the way.
  const refused = await scene.tab.evaluate(`(() => {
    try { document.body.innerHTML = '<p>' } catch (error) { return error.name }
  })()`)
  expect(refused).toBe('TypeError')
  const handler = await scene.tab.evaluate(`(() => {
    try { document.body.setAttribute('onclick', 'alert(5)') } catch (error) { return error.name }
  })()`)
  expect(handler).toBe('TypeError')
  const program = `{
    const script = document.createElement('script')
    try { script.text = 'window.injected = true' } catch {}
    script.append('window.injected = true')
    document.body.append(script)
  }`
  await scene.tab.evaluate(program).catch(() => undefined)
  expect(await scene.tab.evaluate('window.injected === undefined')).toBe(true)
  expect(scene.tab.requests).toEqual([scene.page])
})

test('the page is one file that names no other, and its policy lets nothing else run', async () => {
  const text = await buildPage()
  const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(text)?.[1] ?? ''
  const digest = (tag: string): string => {
    const [, content = ''] = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(text) ?? []
    expect(content.length).toBeGreaterThan(5000)
    return `'sha256-${createHash('sha256').update(content).digest('base64')}'`
  }
  expect(policy.split('; ').sort()).toEqual(
    [
      `base-uri 'none'`,
      `connect-src https: http://localhost:* http://127.0.0.1:*`,
      `default-src 'none'`,
      `form-action 'none'`,
      `img-src data:`,
      `require-trusted-types-for 'script'`,
      `script-src ${digest('script')}`,
      `style-src ${digest('style')}`,
      `trusted-types 'none'`,
    ].sort(),
  )
  const shell = text.replace(/<script>[^]*<\/script>/, '')
  expect(shell).not.toMatch(/\ssrc=|@import|url\(|<link(?! rel="icon" href="data:,")/)
  expect(await buildPage()).toBe(text)
})

onChromium(`an address is asked only when the person says so${reason}`, async () => {
  const document = scene.issue()
  const asked: string[] = []
  const slow: ((late: Uint8Array) => void)[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.cookie ?? ''}`)
    const allowed = request.url === '/closed' ? {} : { 'access-control-allow-origin': '*' }
    if (request.url === '/slow') slow.push((late) => response.writeHead(200, allowed).end(late))
    else if (request.url === '/endless') {
      response.writeHead(200, allowed)
      const timer = setInterval(() => response.write(Buffer.alloc(16_384, 'A')), 5)
      response.on('close', () => clearInterval(timer))
    } else if (request.url === '/absent') response.writeHead(404, allowed).end()
    else if (request.url === '/away') {
      response.writeHead(302, { ...allowed, location: '/document' }).end()
    } else response.writeHead(200, allowed).end(document)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await scene.trustSimulator()
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const fetchIt = async (address: string, kind: string): Promise<string> => {
      await scene.tab.evaluate(`document.querySelector('#url').value = ${JSON.stringify(address)}`)
      expect(asked.length).toBe(count)
      await scene.tab.evaluate(`document.querySelector('#url-form button').click()`)
      await scene.settled(kind)
      return scene.tab.text('#verdict .code')
    }
    let count = 0
    await fetchIt(`${origin}/document`, 'genuine')
    expect(asked).toEqual(['GET /document '])
    for (const path of ['/closed', '/absent', '/away']) {
      count = asked.length
      expect(await fetchIt(origin + path, 'refused')).toBe('ERR_INSPECTOR_FETCH')
    }
    count = asked.length
    expect(await fetchIt(`${origin}/endless`, 'refused')).toBe('ERR_INSPECTOR_SIZE')
    count = asked.length
    for (const address of [
      'javascript:alert(1)',
      'http://example.com/x',
      'file:///etc/passwd',
      '',
    ]) {
      expect(await fetchIt(address, 'refused')).toBe('ERR_INSPECTOR_FETCH')
    }
    expect(asked.length).toBe(count)
    // While an address is asked no verdict stands there, and what comes late changes nothing.
    for (const late of [document, Buffer.from('no document!')]) {
      await scene.tab.drop(scene.file('document.bin'))
      await scene.tab.until(`document.querySelector('#evidence-name').innerText === 'document.bin'`)
      await scene.settled('genuine')
      await scene.set('url', `${origin}/slow`)
      await scene.tab.evaluate(`document.querySelector('#url-form button').click()`)
      await scene.tab.until(
        `getComputedStyle(document.querySelector('.verdict')).visibility === 'hidden'`,
      )
      await expect.poll(() => slow.length).toBe(1)
      await scene.tab.drop(scene.file('app.bin'))
      await scene.settled('genuine')
      slow.pop()?.(late)
      await new Promise((resolve) => setTimeout(resolve, 200))
      await scene.settled('genuine')
      expect(await scene.tab.text('#evidence-name')).toBe('app.bin')
    }
    expect(scene.tab.requests.slice(1).every((url) => url.startsWith(origin))).toBe(true)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

const genuine = vectors('attestation-docs/index.json')
const noVectors = genuine === undefined ? ' (skipped: no vectors)' : reason

test.skipIf(absent || genuine === undefined)(
  `AWS's own documents are expired now, and genuine as of their time${noVectors}`,
  async () => {
    const index = JSON.parse(await readFile(genuine!, 'utf8')) as {
      genuine: {
        file: string
        kind: string
        debug_mode_pcr0_zero: boolean
        timestamp_iso: string
      }[]
    }
    const wanted = index.genuine.filter(
      (one) => one.kind === 'enclave' && !one.debug_mode_pcr0_zero,
    )
    const chosen = [wanted[0]!, wanted[wanted.length >> 1]!, wanted.at(-1)!]
    for (const { file: name, timestamp_iso: time } of chosen) {
      await scene.begin()
      await scene.tab.drop(vectors(`attestation-docs/${name}`)!)
      await scene.settled('refused')
      expect(await scene.tab.text('#verdict .code')).toBe('ERR_ATTESTATION_CERTIFICATE_EXPIRED')
      await scene.tab.evaluate(`document.querySelector('#own-time').click()`)
      await scene.settled('archived')
      const title = await scene.tab.text('#verdict h2')
      expect(title).toBe(`Was genuine on ${time.slice(0, 19).replace('T', ' ')} UTC`)
      expect(await scene.tab.text('#verdict')).toContain('AWS, partition aws')
      expect(await scene.tab.text('#verdict')).toContain('this says nothing of today')
      expect(scene.tab.complaints).toEqual([])
    }
    const tpm = index.genuine.find((one) => one.kind !== 'enclave')
    if (tpm !== undefined) {
      await scene.tab.drop(vectors(`attestation-docs/${tpm.file}`)!)
      await scene.settled('refused')
      expect(await scene.tab.text('#verdict .code')).toBe('ERR_ATTESTATION_NITROTPM')
    }
  },
)
