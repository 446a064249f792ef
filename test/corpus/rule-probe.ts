import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import type { AttestationLibrary } from '../conformance/subject.ts'

/** What the instrumented library tells, and what it is told. */
interface Sites {
  suppressed: Set<string>
  /** How often suppressed rules were broken: a loop that no rule ends any more is ended by this. */
  passed: number
  refuse(site: number, error: unknown): void
}

const LIMIT = 5000
const KEY = Symbol.for('enclavejs.test.rule-probe')
const siteOf = new WeakMap<object, string>()

/**
 * The verifier with each of its `throw`s made optional: what refuses a document can be taken away, and only that, to see
 * whether anything else would have refused it.
 */
export class RuleProbe {
  readonly library: AttestationLibrary
  readonly #sites: Sites

  private constructor(library: AttestationLibrary, sites: Sites) {
    this.library = library
    this.#sites = sites
  }

  /** @param folder holds the built `attestation.js`. */
  static async open(folder: string): Promise<RuleProbe> {
    const text = readFileSync(join(folder, 'attestation.js'), 'utf8')
    const sites: Sites = {
      suppressed: new Set(),
      passed: 0,
      refuse(site, error) {
        const { code, cause } = error as { code?: string; cause?: unknown }
        const inner = typeof cause === 'object' && cause !== null ? siteOf.get(cause) : undefined
        const name = inner ?? `${site}:${code}`
        siteOf.set(error as object, name)
        if (inner !== undefined || !sites.suppressed.has(name) || ++sites.passed > LIMIT)
          throw error
      },
    }
    ;(globalThis as unknown as Record<symbol, Sites>)[KEY] = sites
    const file = join(folder, 'attestation-probe.js')
    writeFileSync(file, instrument(text))
    const library = (await import(pathToFileURL(file).href)) as AttestationLibrary
    return new RuleProbe(library, sites)
  }

  /**
   * What refuses, each found after the ones before it were taken away, until the call succeeds or cannot go on without
   * what the last one saw to.
   */
  async refusals(call: () => Promise<unknown>, most = 6): Promise<string[]> {
    const found: string[] = []
    this.#sites.suppressed = new Set()
    while (found.length < most) {
      this.#sites.passed = 0
      try {
        await call()
        return found
      } catch (error) {
        const site = siteOf.get(error as object)
        if (site === undefined || this.#sites.suppressed.has(site)) return found
        this.#sites.suppressed.add(site)
        found.push((error as Error).message)
      }
    }
    return found
  }
}

/** Makes `throw error` into `refuse(site, error)`. */
function instrument(text: string): string {
  const source = ts.createSourceFile('attestation.js', text, ts.ScriptTarget.Latest, true)
  const edits: { start: number; end: number; replacement: string }[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isThrowStatement(node)) {
      const start = node.getStart()
      const { expression } = node
      edits.push({
        start,
        end: node.end,
        replacement: `__sites.refuse(${start}, ${expression.getText()});`,
      })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  let result = text
  for (const { start, end, replacement } of edits.toReversed()) {
    result = result.slice(0, start) + replacement + result.slice(end)
  }
  return `const __sites = globalThis[Symbol.for('enclavejs.test.rule-probe')];\n${result}`
}
