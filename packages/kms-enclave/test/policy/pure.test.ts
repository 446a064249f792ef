import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

/** Every file that the entry leads to, and every import that leads out of the package. */
function reach(entry: URL): { files: ReadonlySet<string>; outside: readonly string[] } {
  const files = new Set<string>()
  const outside: string[] = []
  const visit = (file: URL): void => {
    if (files.has(file.href)) return
    files.add(file.href)
    expect(existsSync(file)).toBe(true)
    const text = readFileSync(file, 'utf8').replaceAll(/^\s*\*.*$/gm, '')
    for (const [, name = ''] of text.matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
      if (name.startsWith('.')) visit(new URL(name, file))
      else outside.push(`${file.pathname}: ${name}`)
    }
    if (/\b(?:fetch|process|Buffer|globalThis|require)\b\s*[.(]/.test(text)) {
      outside.push(`${file.pathname}: a platform's global`)
    }
  }
  visit(entry)
  return { files, outside }
}

it('the policy entry imports nothing from outside, and its files reach no platform', () => {
  const { files, outside } = reach(new URL('../../src/policy.ts', import.meta.url))
  expect(outside).toEqual([])
  expect(files.size).toBeGreaterThan(10)
  const whole = reach(new URL('../../src/index.ts', import.meta.url))
  expect(whole.outside.length).toBeGreaterThan(5)
})
