import { describe, expect, it } from 'vitest'
import type { PolicyStatement } from '../../src/kms.ts'
import { conditionHolds, like, type Condition } from '../../src/kms/policy-condition.ts'
import { parseKeyPolicy } from '../../src/kms/policy-document.ts'
import { ROLE } from './bench-of-kms.ts'

describe('a key policy is not taken with', () => {
  const good: PolicyStatement = { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }
  it.each<[string, unknown]>([
    ['not an object', []],
    ['another version', { Version: '2020-01-01', Statement: [good] }],
    ['no statement', { Statement: [] }],
    ['an unknown member', { Statement: [good], Else: 1 }],
    ['a statement that is none', { Statement: ['x'] }],
    ['an unknown member of a statement', { Statement: [{ ...good, Else: 1 }] }],
    ['no effect', { Statement: [{ ...good, Effect: undefined }] }],
    ['another effect', { Statement: [{ ...good, Effect: 'allow' }] }],
    ['no principal', { Statement: [{ ...good, Principal: undefined }] }],
    ['two principals', { Statement: [{ ...good, NotPrincipal: '*' }] }],
    ['a principal of text', { Statement: [{ ...good, Principal: 'me' }] }],
    ['a principal of another kind', { Statement: [{ ...good, Principal: { Me: 'x' } }] }],
    ['a principal with a wildcard', { Statement: [{ ...good, Principal: { AWS: `${ROLE}*` } }] }],
    ['no action', { Statement: [{ ...good, Action: undefined }] }],
    ['an action that is none', { Statement: [{ ...good, Action: 'Decrypt' }] }],
    ['no resource', { Statement: [{ ...good, Resource: undefined }] }],
    ['a resource of number', { Statement: [{ ...good, Resource: 1 }] }],
    ['an unknown operator', { Statement: [{ ...good, Condition: { StringIs: { a: 'b' } } }] }],
    ['NullIfExists', { Statement: [{ ...good, Condition: { NullIfExists: { a: 'true' } } }] }],
    ['a condition that is none', { Statement: [{ ...good, Condition: { StringLike: 'x' } }] }],
    ['a condition without values', { Statement: [{ ...good, Condition: { Bool: { a: [] } } }] }],
  ])('%s', (_name, document) => {
    expect(() => parseKeyPolicy(JSON.stringify({ Statement: [good] }))).not.toThrow()
    expect(() => parseKeyPolicy(JSON.stringify(document))).toThrow(Error)
  })
})

describe('conditionHolds', () => {
  const context = new Map([
    ['one', ['a']],
    ['many', ['a', 'b']],
    ['flag', ['true']],
    ['number', ['5']],
    ['date', ['2026-03-01T12:00:00Z']],
    ['arn', ['arn:aws:iam::1:role/x']],
  ])
  it.each<[Condition, boolean]>([
    [{}, true],
    [{ StringEquals: { one: 'a' } }, true],
    [{ StringEquals: { One: ['b', 'a'] } }, true],
    [{ StringEquals: { one: 'A' } }, false],
    [{ StringEquals: { none: 'a' } }, false],
    [{ StringNotEquals: { one: ['b', 'c'] } }, true],
    [{ StringNotEquals: { one: ['a', 'c'] } }, false],
    [{ StringNotEquals: { none: 'a' } }, true],
    [{ StringEqualsIgnoreCase: { one: 'A' } }, true],
    [{ StringNotEqualsIgnoreCase: { one: 'A' } }, false],
    [{ StringNotEqualsIgnoreCase: { one: 'B' } }, true],
    [{ StringLike: { one: '*' } }, true],
    [{ StringNotLike: { one: 'b*' } }, true],
    [{ StringEqualsIfExists: { none: 'x' } }, true],
    [{ StringEqualsIfExists: { one: 'x' } }, false],
    [{ Null: { none: 'true' } }, true],
    [{ Null: { one: 'true' } }, false],
    [{ Null: { one: false } }, true],
    [{ Bool: { flag: true } }, true],
    [{ Bool: { flag: 'False' } }, false],
    [{ Bool: { none: 'false' } }, false],
    [{ BoolIfExists: { none: 'false' } }, true],
    [{ 'ForAllValues:StringEquals': { many: ['a', 'b', 'c'] } }, true],
    [{ 'ForAllValues:StringEquals': { many: 'a' } }, false],
    [{ 'ForAllValues:StringEquals': { none: 'a' } }, true],
    [{ 'ForAnyValue:StringEquals': { many: 'b' } }, true],
    [{ 'ForAnyValue:StringEquals': { none: 'b' } }, false],
    [{ 'ForAnyValue:StringNotEquals': { many: 'a' } }, true],
    [{ 'ForAllValues:StringNotEquals': { many: 'a' } }, false],
    [{ 'ForAnyValue:StringNotEquals': { none: 'a' } }, false],
    [{ NumericLessThan: { number: 6 } }, true],
    [{ NumericGreaterThanEquals: { number: '6' } }, false],
    [{ NumericEquals: { one: 5 } }, false],
    [{ DateGreaterThan: { date: '2026-01-01T00:00:00Z' } }, true],
    [{ DateLessThanEquals: { date: '2026-01-01T00:00:00Z' } }, false],
    [{ ArnLike: { arn: 'arn:aws:iam::*:role/?' } }, true],
    [{ ArnNotEquals: { arn: 'arn:aws:iam::1:role/y' } }, true],
    [{ StringEquals: { one: 'a' }, Bool: { flag: 'false' } }, false],
    [{ StringIs: { one: 'a' } }, false],
    [{ constructor: { one: 'a' } }, false],
  ])('%j: %s', (condition, holds) => {
    expect(conditionHolds(condition, context)).toBe(holds)
  })

  it('like takes * and ? alone for patterns', () => {
    expect(like('a.b', 'a.b')).toBe(true)
    expect(like('axb', 'a.b')).toBe(false)
    expect(like('a[b]', 'a[b]')).toBe(true)
    expect(like('a\nb', 'a*b')).toBe(true)
    expect(like('', '?')).toBe(false)
  })
})
