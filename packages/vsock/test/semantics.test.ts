import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Outcome } from '../../../test/vsock/case.ts'
import { cases } from '../../../test/vsock/cases.ts'
import { makeCertificate } from '../../../test/vsock/certificate.ts'
import { compareOutcome, type Kind } from '../../../test/vsock/difference.ts'
import { differences } from '../../../test/vsock/differences.ts'
import { runCase } from '../../../test/vsock/suite.ts'
import { openTransport, type Transport } from '../../../test/vsock/transport.ts'

const folder = mkdtempSync(join(tmpdir(), 'vsock-semantics-'))
const certificate = makeCertificate()
const reason = certificate === undefined ? ' (the program openssl is not installed)' : ''
const outcomes = new Map<string, Map<string, Promise<Outcome>>>()
const transports: Transport[] = []

async function begin(spec: string): Promise<void> {
  if (certificate === undefined) return
  const transport = await openTransport(spec)
  transports.push(transport)
  const waiting = cases.map((one) => ({ one, ...deferred() }))
  outcomes.set(spec, new Map(waiting.map(({ one, outcome }) => [one.name, outcome])))
  void (async () => {
    for (const { one, resolve } of waiting) resolve(await runCase(one, transport, certificate))
  })()
}

function deferred(): { outcome: Promise<Outcome>; resolve: (outcome: Outcome) => void } {
  let resolve: (outcome: Outcome) => void = () => {}
  const outcome = new Promise<Outcome>((settle) => (resolve = settle))
  return { outcome, resolve }
}

const kinds: readonly (readonly [kind: Kind, spec: string])[] = [
  ['simulator', `simulator:${folder}`],
  ['hybrid', `hybrid:${join(folder, 'machine')}`],
]

beforeAll(async () => {
  await begin('tcp')
  for (const [, spec] of kinds) await begin(spec)
})
afterAll(async () => {
  for (const transport of transports) await transport.close()
  rmSync(folder, { recursive: true })
})

describe.skipIf(certificate === undefined)(`the semantics of node:net${reason}`, () => {
  for (const [kind, spec] of kinds) {
    test.for(cases)(`${kind}: $name`, async ({ name }) => {
      const reference = (await outcomes.get('tcp')?.get(name)) as Outcome
      const seen = (await outcomes.get(spec)?.get(name)) as Outcome
      expect(reference.call.join()).not.toMatch(/not ended|threw .*:/)
      expect(compareOutcome(name, kind, reference, seen, differences)).toBe(undefined)
    })
  }

  test('the table of differences names cases that there are, once for each kind', () => {
    const names = new Set(cases.map(({ name }) => name))
    expect(names.size).toBe(cases.length)
    for (const { name } of differences) expect(names).toContain(name)
  })

  test('a difference that is not in the table is found, and an entry that is not needed', () => {
    const [one, other] = [
      { call: ['a'], serve: [] },
      { call: ['b'], serve: [] },
    ]
    const entry = { name: 'x', kinds: ['hybrid'] as const, call: ['b'], reason: '' }
    expect(compareOutcome('x', 'hybrid', one, other, [])).toBe('call [b] in place of [a]')
    expect(compareOutcome('x', 'hybrid', one, other, [entry])).toBe(undefined)
    expect(compareOutcome('x', 'hybrid', one, one, [entry])).toMatch(/call \[a\] in place of \[b\]/)
    expect(compareOutcome('x', 'simulator', one, other, [entry])).toMatch(/in place of/)
    expect(compareOutcome('x', 'hybrid', other, other, [entry])).toMatch(/like TCP/)
  })
})
