import { isOperator, type Condition, type OneOrMany } from './policy-condition.ts'

/** One statement of a policy, with IAM's own names. */
export interface PolicyStatement {
  readonly Sid?: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: '*' | Readonly<Record<string, OneOrMany<string>>>
  readonly NotPrincipal?: '*' | Readonly<Record<string, OneOrMany<string>>>
  readonly Action?: OneOrMany<string>
  readonly NotAction?: OneOrMany<string>
  readonly Resource?: OneOrMany<string>
  readonly NotResource?: OneOrMany<string>
  readonly Condition?: Condition
}

/** A key policy or an identity policy, as the object that its JSON text holds. */
export interface PolicyDocument {
  readonly Version?: string
  readonly Id?: string
  readonly Statement: OneOrMany<PolicyStatement>
}

/** The identity policy that principals have unless told otherwise. */
export const ALLOW_ALL: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }],
}

/** The key policy that AWS gives a key that is made without one. */
export function defaultKeyPolicy(rootArn: string): PolicyDocument {
  return {
    Version: '2012-10-17',
    Id: 'key-default-1',
    Statement: [
      {
        Sid: 'Enable IAM User Permissions',
        Effect: 'Allow',
        Principal: { AWS: rootArn },
        Action: 'kms:*',
        Resource: '*',
      },
    ],
  }
}

export function many<T>(value: OneOrMany<T> | undefined): readonly T[] {
  if (value === undefined) return []
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]
}

const DOCUMENT_KEYS = new Set(['Version', 'Id', 'Statement'])
const STATEMENT_KEYS = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
])
const PRINCIPAL_KEYS = new Set(['AWS', 'Service', 'Federated', 'CanonicalUser'])
const PRINCIPAL_ARN = /^(?:\*|\d{12}|arn:aws[a-z-]*:(?:iam|sts)::(?:\d{12}|aws):[^*?]+)$/

/**
 * Reads the JSON text of a key policy.
 *
 * @throws Error with what is wrong where it is not one that KMS would take.
 */
export function parseKeyPolicy(text: string): PolicyDocument {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw new Error('This policy contains invalid Json')
  }
  if (!isRecord(document)) throw new Error('Syntax errors in policy.')
  onlyKeys(document, DOCUMENT_KEYS)
  const { Version, Statement } = document
  if (Version !== undefined && Version !== '2012-10-17' && Version !== '2008-10-17') {
    throw new Error('The policy must contain a valid version string')
  }
  const statements = many(Statement as OneOrMany<unknown>)
  if (statements.length === 0) throw new Error('Syntax errors in policy.')
  for (const statement of statements) checkStatement(statement)
  return document as unknown as PolicyDocument
}

function checkStatement(statement: unknown): void {
  if (!isRecord(statement)) throw new Error('Syntax errors in policy.')
  onlyKeys(statement, STATEMENT_KEYS)
  if (statement['Effect'] !== 'Allow' && statement['Effect'] !== 'Deny') {
    throw new Error('Policy statement must contain Effect Allow or Deny.')
  }
  exactlyOne(statement, 'Principal', 'NotPrincipal', 'principals')
  exactlyOne(statement, 'Action', 'NotAction', 'actions')
  exactlyOne(statement, 'Resource', 'NotResource', 'resources')
  checkPrincipal(statement['Principal'] ?? statement['NotPrincipal'])
  for (const key of ['Action', 'NotAction', 'Resource', 'NotResource']) {
    if (statement[key] !== undefined) checkStrings(statement[key])
  }
  for (const action of many((statement['Action'] ?? statement['NotAction']) as string)) {
    if (action !== '*' && !/^[a-z0-9-]+:[\w*?]+$/i.test(action)) {
      throw new Error('Policy statement contains an invalid action.')
    }
  }
  if (statement['Condition'] !== undefined) checkCondition(statement['Condition'])
}

function checkPrincipal(principal: unknown): void {
  if (principal === '*') return
  if (!isRecord(principal)) throw new Error('Policy contains an invalid principal.')
  onlyKeys(principal, PRINCIPAL_KEYS)
  for (const [kind, value] of Object.entries(principal)) {
    checkStrings(value)
    if (kind !== 'AWS') continue
    if (!many(value as OneOrMany<string>).every((one) => PRINCIPAL_ARN.test(one))) {
      throw new Error('Policy contains a statement with one or more invalid principals.')
    }
  }
}

function checkCondition(condition: unknown): void {
  if (!isRecord(condition)) throw new Error('Syntax errors in policy.')
  for (const [operator, keys] of Object.entries(condition)) {
    if (!isOperator(operator)) throw new Error(`Policy contains the invalid condition ${operator}.`)
    if (!isRecord(keys)) throw new Error('Syntax errors in policy.')
    for (const value of Object.values(keys)) {
      const values = many(value as OneOrMany<unknown>)
      if (values.length === 0 || values.some((one) => typeof one === 'object')) {
        throw new Error('Syntax errors in policy.')
      }
    }
  }
}

function exactlyOne(
  statement: Record<string, unknown>,
  name: string,
  negated: string,
  what: string,
): void {
  if ((statement[name] === undefined) === (statement[negated] === undefined)) {
    throw new Error(`Policy statement must contain ${what}.`)
  }
}

function checkStrings(value: unknown): void {
  const values = many(value as OneOrMany<unknown>)
  if (values.length === 0 || values.some((one) => typeof one !== 'string')) {
    throw new Error('Syntax errors in policy.')
  }
}

function onlyKeys(record: Record<string, unknown>, known: ReadonlySet<string>): void {
  const stray = Object.keys(record).find((key) => !known.has(key))
  if (stray !== undefined) throw new Error(`Unknown field ${stray}`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
