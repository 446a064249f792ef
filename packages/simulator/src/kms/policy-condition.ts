/** A value or several of them, as IAM's JSON allows. */
export type OneOrMany<T> = T | readonly T[]

/** The Condition of a statement: operators, each with keys and their values. */
export type Condition = Readonly<
  Record<string, Readonly<Record<string, OneOrMany<string | boolean | number>>>>
>

/** What a request says: condition keys in lower case, each with its values; absent keys are not there. */
export type ConditionContext = ReadonlyMap<string, readonly string[]>

type Match = (value: string, policyValue: string) => boolean

interface Operator {
  readonly match: Match
  readonly negated: boolean
}

const equal: Match = (value, policyValue) => value === policyValue
const equalIgnoreCase: Match = (value, policyValue) =>
  value.toLowerCase() === policyValue.toLowerCase()

/** `*` and `?` as IAM reads them; everything else as it is. */
export function like(value: string, pattern: string, ignoreCase = false): boolean {
  return expression(pattern, ignoreCase).test(value)
}

/** Patterns come again with each request. */
const expressions = new Map<string, RegExp>()
const EXPRESSIONS_MAX = 512

function expression(pattern: string, ignoreCase: boolean): RegExp {
  const name = `${ignoreCase ? 'i' : ''}:${pattern}`
  const known = expressions.get(name)
  if (known !== undefined) return known
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/\*+/g, '.*')
    .replaceAll('?', '.')
  const made = new RegExp(`^${source}$`, ignoreCase ? 'isu' : 'su')
  if (expressions.size >= EXPRESSIONS_MAX) expressions.clear()
  expressions.set(name, made)
  return made
}

const compare =
  (read: (text: string) => number, test: (a: number, b: number) => boolean): Match =>
  (value, policyValue) => {
    const [a, b] = [read(value), read(policyValue)]
    return !Number.isNaN(a) && !Number.isNaN(b) && test(a, b)
  }

const date = (text: string): number => (/^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text))
const less = (a: number, b: number): boolean => a < b
const same = (a: number, b: number): boolean => a === b

const OPERATORS: Readonly<Record<string, Operator>> = {
  StringEquals: { match: equal, negated: false },
  StringNotEquals: { match: equal, negated: true },
  StringEqualsIgnoreCase: { match: equalIgnoreCase, negated: false },
  StringNotEqualsIgnoreCase: { match: equalIgnoreCase, negated: true },
  StringLike: { match: like, negated: false },
  StringNotLike: { match: like, negated: true },
  ArnEquals: { match: like, negated: false },
  ArnNotEquals: { match: like, negated: true },
  ArnLike: { match: like, negated: false },
  ArnNotLike: { match: like, negated: true },
  Bool: { match: equalIgnoreCase, negated: false },
  NumericEquals: { match: compare(Number, same), negated: false },
  NumericNotEquals: { match: compare(Number, same), negated: true },
  NumericLessThan: { match: compare(Number, less), negated: false },
  NumericLessThanEquals: { match: compare(Number, (a, b) => a <= b), negated: false },
  NumericGreaterThan: { match: compare(Number, (a, b) => a > b), negated: false },
  NumericGreaterThanEquals: { match: compare(Number, (a, b) => a >= b), negated: false },
  DateEquals: { match: compare(date, same), negated: false },
  DateNotEquals: { match: compare(date, same), negated: true },
  DateLessThan: { match: compare(date, less), negated: false },
  DateLessThanEquals: { match: compare(date, (a, b) => a <= b), negated: false },
  DateGreaterThan: { match: compare(date, (a, b) => a > b), negated: false },
  DateGreaterThanEquals: { match: compare(date, (a, b) => a >= b), negated: false },
}

const FORM = /^(?:(ForAnyValue|ForAllValues):)?([A-Za-z]+?)(IfExists)?$/

/** Whether an operator of a Condition is understood here. */
export function isOperator(name: string): boolean {
  const [, , base = '', ifExists] = FORM.exec(name) ?? []
  return base === 'Null' ? ifExists === undefined : Object.hasOwn(OPERATORS, base)
}

/** Whether every operator, and every key under it, holds; the values of one key are alternatives. */
export function conditionHolds(
  condition: Condition | undefined,
  context: ConditionContext,
): boolean {
  return Object.entries(condition ?? {}).every(([operator, keys]) =>
    Object.entries(keys).every(([key, values]) => keyHolds(operator, key, values, context)),
  )
}

function keyHolds(
  name: string,
  key: string,
  wanted: OneOrMany<string | boolean | number>,
  context: ConditionContext,
): boolean {
  const [, quantifier, base = '', ifExists] = FORM.exec(name) ?? []
  const policyValues = [wanted].flat().map(String)
  const values = context.get(key.toLowerCase())
  if (base === 'Null') {
    return policyValues.some((value) => equalIgnoreCase(value, String(values === undefined)))
  }
  const operator = Object.hasOwn(OPERATORS, base) ? OPERATORS[base] : undefined
  if (operator === undefined) return false
  if (values === undefined || values.length === 0) {
    if (ifExists !== undefined || quantifier === 'ForAllValues') return true
    // A negated operator is true where the key is absent, except with ForAnyValue, which needs one.
    return operator.negated && quantifier === undefined
  }
  const one = (value: string): boolean =>
    policyValues.some((policyValue) => operator.match(value, policyValue)) !== operator.negated
  const all = quantifier === 'ForAllValues' || (quantifier === undefined && operator.negated)
  return all ? values.every(one) : values.some(one)
}
