// examples/inspector and the image beside the document: measured in the browser, compared, doubted, stopped.
import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { CHROMIUM_ABSENT } from './chromium.ts'
import { Scene, writeEif } from './scene.ts'

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

onChromium(`an image beside it is measured, and its PCRs are compared${reason}`, async () => {
  await scene.trustSimulator()
  await scene.tab.drop(scene.file('app.bin'))
  await scene.settled('genuine')
  await scene.tab.drop(scene.file('app.eif'))
  await scene.settled('verified')
  expect(await scene.tab.text('#verdict h2')).toBe('Verified, under your own root')
  const compared = (pcr: number): Promise<string> =>
    scene.tab.text(`[data-pcr="${pcr}"] .comparison`)
  for (const pcr of [0, 1, 2, 8]) expect(await compared(pcr)).toBe('equal')
  expect(await compared(3)).toBe('not compared')
  await scene.tab.evaluate(`document.querySelector('#image-view summary').click()`)
  expect(await scene.tab.text('#image-view')).toContain('console=ttyS0')
  await scene.tab.chooseFile('#image-file', scene.file('other.eif'))
  await scene.settled('refused')
  expect(await scene.tab.text('#verdict .code')).toBe('ERR_ATTESTATION_PCR')
  expect(await scene.tab.text('#unverified-note')).toContain('An enclave made this document')
  expect([await compared(0), await compared(1), await compared(2)]).toEqual([
    ...['different', 'equal', 'different'],
  ])
  // An image with one byte altered is not measured, and what was verified is verified no longer.
  const damaged = await readFile(scene.file('app.eif'))
  damaged[damaged.length >> 1]! ^= 1
  await writeFile(scene.file('damaged.eif'), damaged)
  await scene.tab.drop(scene.file('app.eif'))
  await scene.settled('verified')
  await scene.tab.drop(scene.file('damaged.eif'))
  await scene.tab.until(`document.querySelector('#image-view .code')`)
  await scene.settled('genuine')
  expect(await scene.tab.text('#verdict')).toContain('Image: refused, so not compared')
  expect(await scene.tab.text('#image-view .code')).toBe('ERR_EIF_CRC')
  expect(scene.tab.requests).toEqual([scene.page])
})

onChromium(`a doubtful image is compared only when the person insists${reason}`, async () => {
  await scene.trustSimulator()
  const pcrs = await writeEif(scene.file('doubtful.eif'), 'application', {
    cmdline: 'rdinit=/bin/sh',
  })
  await writeFile(
    scene.file('doubtful.bin'),
    scene.issue({ pcrs: { 0: pcrs[0], 1: pcrs[1], 2: pcrs[2] } }),
  )
  await scene.tab.drop(scene.file('doubtful.bin'), scene.file('doubtful.eif'))
  await scene.tab.until(`document.querySelector('#image-view .refusal')`)
  await scene.settled('genuine')
  expect(await scene.tab.text('#image-view')).toContain('cmdline-review')
  await scene.tab.evaluate(`document.querySelector('#allow-doubtful').click()`)
  await scene.settled('verified')
})

onChromium(`measuring a large image shows how far it is, and can be stopped${reason}`, async () => {
  await scene.trustSimulator()
  await scene.tab.drop(scene.file('document.bin'))
  await scene.settled('genuine')
  await writeEif(scene.file('large.eif'), 'application', { kernel: Buffer.alloc(96 << 20) })
  await scene.tab.drop(scene.file('large.eif'))
  await scene.tab.until(`document.querySelector('progress')?.value > 1`)
  await scene.tab.until(
    `document.querySelector('#verdict').innerText.includes('still being measured')`,
  )
  await scene.tab.evaluate(`document.querySelector('#image-view button').click()`)
  await scene.settled('genuine')
  expect(await scene.tab.text('#image-view')).toBe('')
  expect(await scene.tab.text('#verdict')).toContain('Image: not compared')
})
