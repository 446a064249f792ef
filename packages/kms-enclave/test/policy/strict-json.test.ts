// The text of a policy: what a reader could misread is refused, and the rest is read as JSON.parse reads it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
import { parseStrictJson, type Json } from '../../src/policy/strict-json.ts'
import { created, OPTIONS, verify, type LoosePolicy } from './fixture.ts'

const JSON_TEXT = createKeyPolicy(OPTIONS).json

function whole(change: (policy: LoosePolicy & Record<string, unknown>) => void): string {
  const policy = created()
  change(policy as LoosePolicy & Record<string, unknown>)
  return JSON.stringify(policy)
}

describe('the text of a policy', () => {
  it.each<readonly [code: string, why: string, policy: string]>([
    ['ERR_KMS_POLICY_SIZE', 'more than 32 KiB', JSON_TEXT + ' '.repeat(32_768)],
    ['ERR_KMS_POLICY_JSON', 'no JSON', 'a policy'],
    ['ERR_KMS_POLICY_JSON', 'empty', ''],
    ['ERR_KMS_POLICY_JSON', 'text after the end', `${JSON_TEXT}{}`],
    ['ERR_KMS_POLICY_JSON', 'a comma too many', JSON_TEXT.replace('}]}', '}],}')],
    ['ERR_KMS_POLICY_JSON', 'a key without quotes', JSON_TEXT.replace('"Statement"', 'Statement')],
    [
      'ERR_KMS_POLICY_JSON',
      'a key without a value',
      JSON_TEXT.replace('"Statement":', '"Statement"'),
    ],
    ['ERR_KMS_POLICY_JSON', 'a list that does not end', JSON_TEXT.slice(0, -2)],
    [
      'ERR_KMS_POLICY_JSON',
      'a control character in a text',
      JSON_TEXT.replace('AllowImage1', 'Allow\tImage1'),
    ],
    ['ERR_KMS_POLICY_JSON', 'a byte order mark', `\ufeff${JSON_TEXT}`],
    [
      'ERR_KMS_POLICY_JSON',
      'a number with a leading zero',
      JSON_TEXT.replace('"2012-10-17"', '01'),
    ],
    ['ERR_KMS_POLICY_JSON', 'a deep nest', '['.repeat(20) + ']'.repeat(20)],
    ['ERR_KMS_POLICY_JSON', 'a very deep nest', '['.repeat(32_000)],
    ['ERR_KMS_POLICY_DUPLICATE_KEY', 'Statement twice', JSON_TEXT.replace('{', '{"Statement":[],')],
    [
      'ERR_KMS_POLICY_DUPLICATE_KEY',
      'an escaped key twice',
      JSON_TEXT.replace('{', '{"\\u0053tatement":[],'),
    ],
    [
      ...(['ERR_KMS_POLICY_DUPLICATE_KEY', 'Action twice'] as const),
      JSON_TEXT.replace('"Effect":"Allow"', '"Action":"kms:Encrypt","Effect":"Allow"'),
    ],
    ['ERR_KMS_POLICY_VERSION', 'an old Version', whole((one) => (one.Version = '2008-10-17'))],
    [
      'ERR_KMS_POLICY_VERSION',
      'no Version',
      whole((one) => delete (one as Record<string, unknown>)['Version']),
    ],
  ])('%s: %s', (code, _why, policy) => {
    expect(() => verify(policy)).toThrow(
      expect.objectContaining({ name: 'KeyPolicyError', code }) as Error,
    )
  })

  it('of 32 KiB is read', () => {
    expect(verify(JSON_TEXT + ' '.repeat(32_768 - JSON_TEXT.length)).access).toHaveLength(3)
  })
})

/** Maps as objects, for the comparison with JSON.parse; a key that stands twice has no such form. */
function plain(json: Json): unknown {
  if (json instanceof Map) {
    return Object.fromEntries(
      [...(json as ReadonlyMap<string, Json>)].map(([key, value]) => [key, plain(value)]),
    )
  }
  return Array.isArray(json) ? (json as readonly Json[]).map(plain) : json
}

function outcome(read: () => unknown): { value: unknown } | { refused: string } {
  try {
    return { value: read() }
  } catch (error) {
    return { refused: (error as { code?: string }).code ?? (error as Error).name }
  }
}

describe('parseStrictJson', () => {
  const value = fc.json({ maxDepth: 4 })
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, '\t', '\r\n'), (text, space) => {
        const spaced = JSON.stringify(JSON.parse(text), undefined, space)
        expect(plain(parseStrictJson(spaced))).toEqual(JSON.parse(spaced))
      }),
    )
  })

  it('refuses what JSON.parse refuses, and reads nothing otherwise', () => {
    const broken = fc
      .tuple(value, fc.nat(), fc.constantFrom(...'{}[],:"\\ \u000001e.-tnu', ''))
      .map(([text, at, insert]) => {
        const place = at % (text.length + 1)
        return text.slice(0, place) + insert + text.slice(place + (at % 3))
      })
    const count = { refused: 0, read: 0 }
    fc.assert(
      fc.property(broken, (text) => {
        const ours = outcome(() => plain(parseStrictJson(text)))
        const theirs = outcome(() => JSON.parse(text))
        if ('refused' in ours && ours.refused === 'ERR_KMS_POLICY_DUPLICATE_KEY') return
        if ('value' in theirs) {
          count.read++
          expect(ours).toEqual(theirs)
        } else {
          count.refused++
          expect(ours).toEqual({ refused: 'ERR_KMS_POLICY_JSON' })
        }
      }),
      { numRuns: 1000 },
    )
    expect(Math.min(count.refused, count.read)).toBeGreaterThan(100)
  })
})
