import { expandAction } from './action.ts'
import type { KeyArn } from '../key-arn.ts'
import { parsePrincipalArn } from './arn.ts'
import { KeyPolicyError } from './key-policy-error.ts'
import { readPcr } from './reference-values.ts'
import { parseStrictJson, type Json } from './strict-json.ts'

/** One PCR compared with some values. */
export interface Condition {
  /** True: holds where the PCR is none of the values, or is absent. */
  readonly negated: boolean
  readonly pcr: number
  readonly values: ReadonlySet<string>
}

/** A statement that is understood in full. */
export interface Statement {
  /** Its Sid, or `Statement[n]`. */
  readonly name: string
  readonly effect: 'Allow' | 'Deny'
  /** ARNs; undefined: everyone. */
  readonly principals: readonly string[] | undefined
  /** Names without `kms:`. */
  readonly actions: ReadonlySet<string>
  /** All must hold. */
  readonly conditions: readonly Condition[]
}

const ELEMENTS = ['Sid', 'Effect', 'Principal', 'Action', 'Resource', 'Condition']
const OPERATORS: ReadonlyMap<string, boolean> = new Map([
  ['StringEquals', false],
  ['StringEqualsIgnoreCase', false],
  ['StringNotEquals', true],
  ['StringNotEqualsIgnoreCase', true],
])
const PCR_KEY = /^kms:RecipientAttestation:(?:PCR(0|[12]?[1-9]|[123]0|31)|(ImageSha384))$/

/**
 * Reads a key policy and refuses whatever is not understood in it, in a Deny as well: what is not understood cannot be
 * relied on, and a reader should not have to know which half was.
 *
 * @throws {KeyPolicyError} `ERR_KMS_POLICY_…`: SIZE, JSON, DUPLICATE_KEY, VERSION, ELEMENT, PRINCIPAL, ACTION, RESOURCE,
 *   CONDITION.
 */
export function readStatements(policy: string, key: KeyArn): readonly Statement[] {
  const document = parseStrictJson(policy)
  if (!(document instanceof Map)) throw element('the key policy must be an object')
  const members = document as ReadonlyMap<string, Json>
  for (const name of members.keys()) {
    if (!['Version', 'Id', 'Statement'].includes(name)) {
      throw element(`the key policy has the element ${JSON.stringify(name)}`)
    }
  }
  if (members.get('Version') !== '2012-10-17') {
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_VERSION',
      `the key policy's Version must be 2012-10-17, ${JSON.stringify(members.get('Version'))} seen`,
    )
  }
  if (typeof (members.get('Id') ?? '') !== 'string') throw element('Id must be a text')
  const list = members.get('Statement')
  const statements = list instanceof Map ? [list as Json] : list
  if (!Array.isArray(statements)) throw element('Statement must be a list')
  return statements.map((one: Json, index) => readStatement(one, index, key))
}

function readStatement(json: Json, index: number, key: KeyArn): Statement {
  if (!(json instanceof Map)) throw element('must be an object', `Statement[${index}]`)
  const members = json as ReadonlyMap<string, Json>
  const sid = members.get('Sid')
  const name = typeof sid === 'string' && sid !== '' ? sid : `Statement[${index}]`
  for (const one of members.keys()) {
    if (!ELEMENTS.includes(one)) {
      throw element(`the element ${JSON.stringify(one)} is not understood`, name)
    }
  }
  if (sid !== undefined && typeof sid !== 'string') throw element('Sid must be a text', name)
  const effect = members.get('Effect')
  if (effect !== 'Allow' && effect !== 'Deny') throw element('Effect must be Allow or Deny', name)
  const principals = readPrincipal(members.get('Principal'), name, key)
  if (principals === undefined && effect === 'Allow') {
    throw new KeyPolicyError('ERR_KMS_POLICY_PRINCIPAL', 'allows everyone, of any account', name)
  }
  const actions = readActions(members.get('Action'), effect, name)
  for (const resource of readTexts(members.get('Resource'), 'Resource', name)) {
    if (resource === '*' || resource === key.arn) continue
    throw new KeyPolicyError(
      'ERR_KMS_POLICY_RESOURCE',
      `Resource must be * or ${key.arn}, ${JSON.stringify(resource)} seen`,
      name,
    )
  }
  const conditions = readConditions(members.get('Condition'), name)
  return { name, effect, principals, actions, conditions }
}

/** @returns undefined for everyone. */
function readPrincipal(
  json: Json | undefined,
  name: string,
  key: KeyArn,
): readonly string[] | undefined {
  if (json === '*') return undefined
  if (!(json instanceof Map) || json.size === 0) {
    throw element('Principal must be * or { "AWS": … }', name)
  }
  const members = json as ReadonlyMap<string, Json>
  const other = [...members.keys()].find((one) => one !== 'AWS')
  if (other !== undefined) {
    throw principal(`a principal of the kind ${JSON.stringify(other)} is not understood`, name)
  }
  const texts = readTexts(members.get('AWS'), 'Principal', name)
  if (texts.includes('*')) return undefined
  return texts.map((text) => {
    const arn = /^\d{12}$/.test(text) ? `arn:${key.partition}:iam::${text}:root` : text
    if (parsePrincipalArn(arn) !== undefined) return arn
    throw principal(
      `${JSON.stringify(text)} is not the ARN of a role, a user or a root (KMS shows a bare id where a principal was deleted)`,
      name,
    )
  })
}

function readActions(
  json: Json | undefined,
  effect: Statement['effect'],
  name: string,
): ReadonlySet<string> {
  const names = readTexts(json, 'Action', name).flatMap((text) => {
    const expanded = expandAction(text)
    if (expanded === undefined) {
      throw new KeyPolicyError(
        'ERR_KMS_POLICY_ACTION',
        `the action ${JSON.stringify(text)} is not understood`,
        name,
      )
    }
    if (effect === 'Allow' && text.endsWith('*')) {
      throw new KeyPolicyError(
        'ERR_KMS_POLICY_ACTION',
        `allows ${text}; name each action: a wildcard also opens what KMS does not have yet`,
        name,
      )
    }
    return expanded
  })
  return new Set(names)
}

function readConditions(json: Json | undefined, name: string): readonly Condition[] {
  if (json === undefined) return []
  if (!(json instanceof Map) || json.size === 0) throw condition('an object expected', name)
  return [...(json as ReadonlyMap<string, Json>)].flatMap(([operator, keys]) => {
    const negated = OPERATORS.get(operator)
    if (negated === undefined) {
      throw condition(`the operator ${JSON.stringify(operator)} is not understood`, name)
    }
    if (!(keys instanceof Map) || keys.size === 0) {
      throw condition(`${operator}: an object expected`, name)
    }
    return [...(keys as ReadonlyMap<string, Json>)].map(([key, json]) => {
      const [known, pcr = '0'] = PCR_KEY.exec(key) ?? []
      if (known === undefined) {
        throw condition(`the condition key ${JSON.stringify(key)} is not understood`, name)
      }
      const values = readPcrs(json, key, name)
      if (!operator.endsWith('IgnoreCase')) refuseUpperCase(json, `${operator}: ${key}`, name)
      return { negated, pcr: Number(pcr), values }
    })
  })
}

function readPcrs(json: Json, key: string, name: string): ReadonlySet<string> {
  const items = Array.isArray(json) ? (json as readonly Json[]) : [json]
  const values = items.map((item) => {
    const value = readPcr(item)
    if (value === undefined) throw condition(`${key}: 96 hex digits expected`, name)
    return value
  })
  if (values.length === 0) throw condition(`${key}: a value expected`, name)
  return new Set(values)
}

/**
 * KMS has PCRs in lower case, so an operator that compares case never finds a value with an upper-case digit. Beside the same
 * value in lower case it adds nothing; alone it would say something else than it seems to.
 */
function refuseUpperCase(json: Json, what: string, name: string): void {
  const texts = (Array.isArray(json) ? json : [json]) as readonly string[]
  if (texts.every((text) => texts.includes(text.toLowerCase()))) return
  throw condition(
    `${what}: a value has upper-case digits, and KMS's PCRs have none, so that it is never equal; write it in lower case, or use an operator with IgnoreCase`,
    name,
  )
}

/** One text or a list of at least one. */
function readTexts(json: Json | undefined, what: string, name: string): readonly string[] {
  const items = Array.isArray(json) ? (json as readonly Json[]) : [json]
  if (items.length > 0 && items.every((item) => typeof item === 'string')) return items
  throw element(`${what} must be a text, or a list of texts`, name)
}

function element(message: string, name?: string): KeyPolicyError {
  return new KeyPolicyError('ERR_KMS_POLICY_ELEMENT', message, name)
}

function principal(message: string, name: string): KeyPolicyError {
  return new KeyPolicyError('ERR_KMS_POLICY_PRINCIPAL', message, name)
}

function condition(message: string, name: string): KeyPolicyError {
  return new KeyPolicyError('ERR_KMS_POLICY_CONDITION', message, name)
}
