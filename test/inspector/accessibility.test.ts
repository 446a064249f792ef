// examples/inspector for those who do not see it, or have no mouse, or a small window: by keyboard, accessibility tree and
// measured contrast. With SCREENSHOTS=FOLDER it also leaves a picture of every state there.
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { audit } from './audit.ts'
import { AXE_INSTALLED, runAxe } from './axe.ts'
import { CHROMIUM_ABSENT } from './chromium.ts'
import { Scene } from './scene.ts'

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

onChromium(`the keyboard alone is enough${reason}`, async () => {
  await scene.tab.pressTab()
  expect(await scene.tab.text(':focus')).toBe('Skip to the verdict')
  await scene.tab.tabTo('evidence-file')
  await scene.tab.tabTo('evidence-text')
  await scene.tab.insert(Buffer.from(scene.issue()).toString('base64'))
  await scene.settled('refused')
  await scene.tab.tabTo('image-file')
  await scene.tab.tabTo('settings-summary')
  await scene.tab.pressEnter()
  await scene.tab.tabTo('at-now')
  await scene.tab.tabTo('anchor-aws')
  await scene.tab.press('ArrowDown', 'ArrowDown', 40)
  await scene.tab.press('ArrowDown', 'ArrowDown', 40)
  await scene.tab.tabTo('anchor-pem')
  await scene.tab.insert(scene.authority.trustAnchorPem)
  await scene.settled('genuine')
  await scene.tab.tabTo('policy-pcr3')
  await scene.tab.pressSpace()
  expect(await scene.tab.text('#policy-json')).toContain('kms:RecipientAttestation:PCR3')
  await scene.tab.tabTo('policy-json')
  // Wherever the focus is, it is seen; and it goes around without a trap.
  const seen = new Set<string>()
  for (let count = 0; count < 60; count++) {
    await scene.tab.pressTab()
    const [name, visible] = await scene.tab.evaluate<[string, boolean]>(`(() => {
      const focused = document.activeElement
      const ring = (one) => one !== null && getComputedStyle(one).outlineStyle !== 'none'
      const label = focused.type === 'file' ? document.querySelector(\`label.button[for=\${focused.id}]\`) : null
      return [focused.id || focused.className || focused.textContent, focused === document.body || ring(focused) || ring(label)]
    })()`)
    expect([name, visible]).toEqual([name, true])
    seen.add(name)
  }
  expect(seen.size).toBeGreaterThan(20)
})

onChromium(
  `names, landmarks, contrast, targets and reflow, light, dark and narrow${reason}`,
  { timeout: 180_000 },
  async () => {
    const states: readonly (readonly [string, () => Promise<void>])[] = [
      ['welcome', async () => {}],
      ['refused', () => scene.tab.drop(scene.file('app.bin'))],
      ['genuine', () => scene.trustSimulator()],
      ['verified', () => scene.tab.drop(scene.file('app.eif'))],
      ['refused', () => scene.tab.drop(scene.file('other.eif'))],
      [
        'archived',
        () =>
          scene.tab.evaluate(`document.querySelector('#at-document').click(),
      document.querySelector('#image-view button').click()`),
      ],
      [
        'unverified',
        () =>
          scene.tab.evaluate(`document.querySelector('#anchor-pem').value = '',
      document.querySelector('#anchor-own').click(),
      document.querySelector('#anchor-pem').dispatchEvent(new Event('input', { bubbles: true }))`),
      ],
    ]
    for (const [state, act] of states) {
      await act()
      if (state !== 'welcome') await scene.settled(state)
      await scene.tab.evaluate(
        `document.querySelectorAll('#contents details, #image-view details').forEach((one) => { one.open = true })`,
      )
      for (const [scheme, width] of [
        ['light', 1280],
        ['dark', 1280],
        ['light', 320],
        ['dark', 390],
      ] as const) {
        await scene.tab.look(scheme, width)
        expect([state, scheme, width, await audit(scene.tab)]).toEqual([state, scheme, width, []])
        // Our own audit is there without it; axe-core knows more rules.
        if (AXE_INSTALLED) {
          const { passes, violations } = await runAxe(scene.tab)
          expect([state, scheme, width, violations]).toEqual([state, scheme, width, []])
          expect(passes).toBeGreaterThan(20)
        }
        if (process.env['SCREENSHOTS'] !== undefined) {
          await scene.tab.screenshot(
            join(process.env['SCREENSHOTS'], `${state}-${scheme}-${width}.png`),
          )
        }
      }
    }
  },
)

onChromium(`the audit finds what is wrong${reason}`, async () => {
  await scene.tab.evaluate(`{
    const add = (tag, attributes) => {
      const made = document.createElement(tag)
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
      document.querySelector('main').append(made)
      return made
    }
    const faint = add('p', { id: 'url' })
    faint.textContent = 'faint'
    faint.style.color = '#999'
    add('input', { type: 'text' })
    add('button', { id: 'small' }).style.minHeight = '10px'
    add('h6', {}).textContent = 'deep'
    add('p', { tabindex: '3' }).append('x'.repeat(3000))
  }`)
  const found = (await audit(scene.tab)).join('\n')
  for (const text of [
    'contrast 2',
    'two #url',
    'no label',
    'without a name',
    'level 6',
    'positive',
    'px wide',
  ]) {
    expect(found).toContain(text)
  }
  if (!AXE_INSTALLED) return
  const rules = (await runAxe(scene.tab)).violations.join('\n')
  for (const rule of ['color-contrast', 'label', 'button-name', 'tabindex'])
    expect(rules).toContain(rule)
})
