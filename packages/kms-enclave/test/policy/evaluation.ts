// How AWS decides, written from its documentation and from nothing else, for the tests to judge by: "Policy evaluation
// logic", "Conditions with multiple context keys or values" and "Condition operators" of the IAM user guide, "Key
// policies" of the KMS developer guide. It knows more than the policies under test use (NotAction, NotPrincipal, IfExists,
// wildcards), so that a mutation into any of these is judged for what it is.

/** A call to KMS. */
export interface Call {
  /** `kms:Decrypt`. */
  readonly action: string
  /** ARN of the calling role or user. */
  readonly principal: string
  /** ARN of the key. */
  readonly key: string
  /** Condition keys of the call; a key that is not there is absent. */
  readonly context: Readonly<Record<string, string>>
}

type Document = { Statement: Statement | Statement[] }
type Statement = Readonly<Record<string, unknown>>

/**
 * Whether a key policy, together with the widest IAM policies that a caller could have, allows a call.
 *
 * An explicit Deny wins; else an Allow for the caller allows; else one for the caller's account allows where an IAM policy
 * does too, which is taken for granted: an attacker with an administrator's rights writes it.
 */
export function isAllowed(policy: unknown, call: Call): boolean {
  const { Statement } = policy as Document
  const statements = Array.isArray(Statement) ? Statement : [Statement]
  const applying = statements.filter((one) => applies(one, call))
  if (applying.some(({ Effect }) => Effect === 'Deny')) return false
  return applying.some(({ Effect }) => Effect === 'Allow')
}

function applies(statement: Statement, call: Call): boolean {
  return (
    actionApplies(statement, call) &&
    principalApplies(statement, call) &&
    resourceApplies(statement, call) &&
    conditionsHold(statement['Condition'], call.context)
  )
}

function principalApplies(statement: Statement, { principal }: Call): boolean {
  const negated = 'NotPrincipal' in statement
  const element = statement[negated ? 'NotPrincipal' : 'Principal']
  if (element === undefined) return false
  if (element === '*') return !negated
  const account = principal.split(':')[4] as string
  const listed = list((element as Record<string, unknown>)['AWS']).some(
    (one) =>
      one === '*' ||
      one === principal ||
      one === account ||
      (one.endsWith(':root') && one.includes(`::${account}:`)),
  )
  return listed !== negated
}

function actionApplies(statement: Statement, { action }: Call): boolean {
  const negated = 'NotAction' in statement
  const patterns = list(statement[negated ? 'NotAction' : 'Action'])
  if (patterns.length === 0) return false
  // Of letters alone, and of ASCII: U+212A in lower case is a k, and no action's.
  const folded = patterns.filter((pattern) => /^[ -~]*$/.test(pattern))
  return folded.some((pattern) => like(pattern.toLowerCase(), action.toLowerCase())) !== negated
}

/** In a key policy the resource is the key. */
function resourceApplies(statement: Statement, { key }: Call): boolean {
  return list(statement['Resource']).some((one) => one === '*' || one === key)
}

function conditionsHold(condition: unknown, context: Readonly<Record<string, string>>): boolean {
  if (condition === undefined) return true
  const present = lowerCased(context)
  return Object.entries((condition ?? {}) as Record<string, Record<string, unknown>>).every(
    ([operator, keys]) =>
      Object.entries(keys).every(([key, values]) =>
        holds(operator, present.get(key.toLowerCase()), list(values)),
      ),
  )
}

function holds(operator: string, actual: string | undefined, values: readonly string[]): boolean {
  const { set, base, ifExists } = partsOf(operator)
  if (base === 'Null') return values.includes('true') === (actual === undefined)
  if (actual === undefined && ifExists) return true
  if (actual === undefined && set === 'ForAllValues:') return true
  if (actual === undefined && set === 'ForAnyValue:') return false
  // A negated operator also holds where the key is absent.
  const negated = base.includes('Not')
  if (actual === undefined) return negated
  const matches = values.some((value) => compare(base.replace('Not', ''), value, actual))
  return matches !== negated
}

interface OperatorParts {
  readonly set: string | undefined
  readonly base: string
  readonly ifExists: boolean
}

const operators = new Map<string, OperatorParts>()

function partsOf(operator: string): OperatorParts {
  const known = operators.get(operator)
  if (known !== undefined) return known
  const [, set, base = '', ifExists] =
    /^(ForAnyValue:|ForAllValues:)?(\w+?)(IfExists)?$/.exec(operator) ?? []
  const parts = { set, base, ifExists: ifExists !== undefined }
  operators.set(operator, parts)
  return parts
}

const contexts = new WeakMap<object, ReadonlyMap<string, string>>()

/** Condition keys are told apart without regard to case. */
function lowerCased(context: Call['context']): ReadonlyMap<string, string> {
  const known = contexts.get(context)
  if (known !== undefined) return known
  const map = new Map(Object.entries(context).map(([key, value]) => [key.toLowerCase(), value]))
  contexts.set(context, map)
  return map
}

function compare(operator: string, value: string, actual: string): boolean {
  switch (operator) {
    case 'StringEquals':
      return value === actual
    case 'StringEqualsIgnoreCase':
      return value.toLowerCase() === actual.toLowerCase()
    case 'StringLike':
      return like(value, actual)
    default:
      throw new Error(`${operator} is not known to this evaluation`)
  }
}

function like(pattern: string, text: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === text
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 's').test(text)
}

function list(value: unknown): readonly string[] {
  if (value === undefined) return []
  return Array.isArray(value) ? (value as string[]) : [value as string]
}
