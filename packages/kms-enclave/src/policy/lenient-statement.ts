import { foldCase } from './action.ts'
import type { Json } from './strict-json.ts'

/** Three-valued: what is not understood is unknown, not false. */
type Answer = 'yes' | 'no' | 'unknown'

/** A PCR that is not what a statement wants. */
export interface PcrMismatch {
  readonly pcr: number
  /** Values that would do; none where every value but the actual one would. */
  readonly expected: readonly string[]
  readonly actual: string | undefined
}

/** A call as it is compared with statements. */
export interface LenientRequest {
  readonly action: string
  /** Undefined: no document was sent. */
  readonly pcrs: ReadonlyMap<number, string> | undefined
  readonly roleArn: string | undefined
  /** The role is known by a session, whose ARN does not have the role's path. */
  readonly pathUnknown: boolean
  readonly account: string | undefined
  readonly keyArn: string | undefined
}

/** What one statement says about a call. */
export interface LenientStatement {
  readonly name: string
  readonly effect: 'Allow' | 'Deny' | undefined
  /** Whether it is about the action. */
  readonly action: Answer
  /** Whether it is about the caller. */
  readonly principal: Answer
  /** Whether all of it holds. */
  readonly holds: Answer
  /** It is about the caller's account, so that IAM decides. */
  readonly viaIam: boolean
  readonly principals: readonly string[]
  /** For an Allow, what keeps it from holding; for a Deny, what makes it hold. */
  readonly pcrs: readonly PcrMismatch[]
  readonly notUnderstood: readonly string[]
}

/** Compares a statement of any form with a call. It never throws. */
export function evaluateLeniently(
  json: Json,
  index: number,
  request: LenientRequest,
): LenientStatement {
  const notUnderstood: string[] = []
  const members: ReadonlyMap<string, Json> = json instanceof Map ? json : new Map<string, Json>()
  if (members.size === 0) notUnderstood.push('a statement must be an object')
  const sid = members.get('Sid')
  const given = members.get('Effect')
  const effect = given === 'Allow' || given === 'Deny' ? given : undefined
  if (effect === undefined) notUnderstood.push('Effect is neither Allow nor Deny')
  const action = judgeAction(members, request.action, notUnderstood)
  const who = judgePrincipal(members, request, notUnderstood)
  const elements = judgeElements(members, request, notUnderstood)
  const conditions = judgeConditions(members.get('Condition'), request, effect, notUnderstood)
  return {
    name: typeof sid === 'string' && sid !== '' ? sid : `Statement[${index}]`,
    effect,
    action,
    principal: who.answer,
    holds:
      effect === undefined ? 'unknown' : all([action, who.answer, conditions.answer, elements]),
    viaIam: who.viaIam,
    principals: who.principals,
    pcrs: conditions.pcrs,
    notUnderstood,
  }
}

const KNOWN = ['Sid', 'Effect', 'Principal', 'NotPrincipal', 'Action', 'NotAction', 'Resource']

/** What else there is in a statement: the resource must be this key, and nothing else is known. */
function judgeElements(
  members: ReadonlyMap<string, Json>,
  { keyArn }: LenientRequest,
  notUnderstood: string[],
): Answer {
  const unknown = [...members.keys()].filter((key) => !KNOWN.includes(key) && key !== 'Condition')
  for (const key of unknown) notUnderstood.push(`the element ${JSON.stringify(key)}`)
  const resources = texts(members.get('Resource'))
  if (resources?.some((one) => one === '*' || one === keyArn) !== true) {
    notUnderstood.push('Resource is not this key')
    return 'unknown'
  }
  return unknown.length === 0 ? 'yes' : 'unknown'
}

function all(answers: readonly Answer[]): Answer {
  if (answers.includes('no')) return 'no'
  return answers.includes('unknown') ? 'unknown' : 'yes'
}

function not(answer: Answer): Answer {
  return answer === 'unknown' ? answer : answer === 'yes' ? 'no' : 'yes'
}

function judgeAction(
  members: ReadonlyMap<string, Json>,
  action: string,
  notUnderstood: string[],
): Answer {
  const negated = members.has('NotAction')
  const list = texts(members.get(negated ? 'NotAction' : 'Action'))
  if (list === undefined) {
    notUnderstood.push('Action is neither a text nor a list of texts')
    return 'unknown'
  }
  // Which of them AWS takes for a letter of ASCII, in another case, nobody says.
  const strange = list.filter((pattern) => /[^ -~]/.test(pattern))
  for (const one of strange) notUnderstood.push(`the action ${JSON.stringify(one)}`)
  const fits = list.some(
    (pattern) => !strange.includes(pattern) && matchesPattern(pattern, `kms:${action}`),
  )
  const matches = fits ? 'yes' : strange.length > 0 ? 'unknown' : 'no'
  return negated ? not(matches) : matches
}

/** `*` stands for any text, `?` for any character; case does not matter. */
function matchesPattern(pattern: string, text: string): boolean {
  const parts = foldCase(pattern).split('*')
  const fits = (part: string, at: number): boolean =>
    [...part].every((character, index) => character === '?' || character === rest[at + index])
  const rest = foldCase(text)
  let offset = 0
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1
    if (index === 0) {
      if (part.length > rest.length || !fits(part, 0)) return false
      offset = part.length
      if (last) return offset === rest.length
    } else if (last) {
      const at = rest.length - part.length
      return at >= offset && fits(part, at)
    } else {
      while (offset + part.length <= rest.length && !fits(part, offset)) offset++
      if (offset + part.length > rest.length) return false
      offset += part.length
    }
  }
  return true
}

function judgePrincipal(
  members: ReadonlyMap<string, Json>,
  { roleArn, account, pathUnknown }: LenientRequest,
  notUnderstood: string[],
): { answer: Answer; viaIam: boolean; principals: readonly string[] } {
  if (members.has('NotPrincipal')) {
    notUnderstood.push('NotPrincipal')
    return { answer: 'unknown', viaIam: false, principals: [] }
  }
  const json = members.get('Principal')
  const list =
    json === '*' ? ['*'] : json instanceof Map ? texts(json.get('AWS') as Json) : undefined
  if (list === undefined) {
    notUnderstood.push('Principal is neither * nor { "AWS": … }')
    return { answer: 'unknown', viaIam: false, principals: [] }
  }
  const exact = list.some(
    (one) => one === '*' || one === roleArn || (pathUnknown && sameRole(one, roleArn)),
  )
  const byAccount = list.some((one) => one === account || rootOf(one) === account)
  if (exact) return { answer: 'yes', viaIam: false, principals: list }
  if (account !== undefined && byAccount) return { answer: 'yes', viaIam: true, principals: list }
  if (roleArn !== undefined) return { answer: 'no', viaIam: false, principals: list }
  // A caller that was left out is not compared: an Allow is taken to be for it, and a Deny may be.
  if (members.get('Effect') === 'Allow') return { answer: 'yes', viaIam: false, principals: list }
  notUnderstood.push(`whether the caller is one of ${list.join(', ')}, without roleArn`)
  return { answer: 'unknown', viaIam: false, principals: list }
}

function rootOf(arn: string): string | undefined {
  return /^arn:aws[a-z-]*:iam::(\d{12}):root$/.exec(arn)?.[1]
}

/** The same account and name, whatever the path. */
function sameRole(one: string, roleArn: string | undefined): boolean {
  const session = /^(arn:[^/]*:role)\/([^/]+)$/.exec(roleArn ?? '')
  return session !== null && one.startsWith(`${session[1]}/`) && one.endsWith(`/${session[2]}`)
}

const OPERATOR = /^(?:String(Not)?Equals(IgnoreCase)?(IfExists)?|(Null))$/

function judgeConditions(
  json: Json | undefined,
  { pcrs }: LenientRequest,
  effect: LenientStatement['effect'],
  notUnderstood: string[],
): { answer: Answer; pcrs: readonly PcrMismatch[] } {
  if (json === undefined) return { answer: 'yes', pcrs: [] }
  if (!(json instanceof Map)) {
    notUnderstood.push('Condition is no object')
    return { answer: 'unknown', pcrs: [] }
  }
  const answers: Answer[] = []
  const differing: PcrMismatch[] = []
  for (const [operator, keys] of json as ReadonlyMap<string, Json>) {
    const [known, negated, ignoreCase, ifExists, isNull] = OPERATOR.exec(operator) ?? []
    if (known === undefined || !(keys instanceof Map)) {
      notUnderstood.push(`the condition operator ${JSON.stringify(operator)}`)
      answers.push('unknown')
      continue
    }
    for (const [key, value] of keys as ReadonlyMap<string, Json>) {
      const index = /^kms:RecipientAttestation:(?:PCR(\d{1,2})|ImageSha384)$/i.exec(key)
      const list = texts(value)
      if (index === null || list === undefined) {
        notUnderstood.push(`the condition key ${JSON.stringify(key)}`)
        answers.push('unknown')
        continue
      }
      const pcr = Number(index[1] ?? 0)
      const actual = pcrs?.get(pcr)
      const values = list.map((text) => (ignoreCase === undefined ? text : foldCase(text)))
      const equal = actual !== undefined && values.includes(actual)
      const absent = actual === undefined && ifExists !== undefined
      const compared = absent || (negated === undefined ? equal : !equal)
      const missing = list.includes('true') === (actual === undefined)
      const holds = isNull === undefined ? compared : missing
      answers.push(holds ? 'yes' : 'no')
      if (holds === (effect === 'Deny')) {
        differing.push({ pcr, expected: equal || isNull !== undefined ? [] : values, actual })
      }
    }
  }
  const answer = all(answers)
  return { answer, pcrs: effect === 'Deny' && answer !== 'yes' ? [] : differing }
}

function texts(json: Json | undefined): readonly string[] | undefined {
  if (typeof json === 'string') return [json]
  return Array.isArray(json) && json.every((item) => typeof item === 'string') ? json : undefined
}
