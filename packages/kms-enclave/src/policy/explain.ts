import type { KeyArn } from '../key-arn.ts'
import { foldCase } from './action.ts'
import { parsePrincipalArn, readKeyArn } from './arn.ts'
import { evaluateLeniently, type LenientStatement, type PcrMismatch } from './lenient-statement.ts'
import { readPcr, ZERO_PCR } from './reference-values.ts'
import { parseStrictJson, type Json } from './strict-json.ts'

/** Options of {@link explain}. Whatever is left out is not compared. */
export interface ExplainOptions {
  /** `Policy` of GetKeyPolicy. */
  readonly policy: string
  /** The action that was denied: `Decrypt`, or `kms:Decrypt`. */
  readonly action: string
  /**
   * PCRs of the document that was sent, hex or bytes; a PCR that was not locked is not in a document. Left out: the call
   * had no document.
   */
  readonly pcrs?:
    | ReadonlyMap<number, string | Uint8Array>
    | Readonly<Record<number | `PCR${number}`, string | Uint8Array>>
  /** ARN of the caller's role, or of its session (`arn:…:sts::…:assumed-role/…`). */
  readonly roleArn?: string
  /** Account of the caller. Default: that of `roleArn`. */
  readonly account?: string
  /** Region that the call was sent to. */
  readonly region?: string
  /** ARN of the key that was meant. */
  readonly keyArn?: string
}

/** One thing that keeps a call from being allowed. Statements go by Sid, or `Statement[n]`. */
export type Mismatch =
  /** A Deny or an unfulfilled Allow: the PCR is not what the statement wants. `actual` undefined: not in the document. */
  | {
      readonly kind: 'pcr'
      readonly statement: string
      readonly effect: 'Allow' | 'Deny'
      readonly pcr: number
      readonly expected: readonly string[]
      readonly actual: string | undefined
    }
  /** A Deny without a condition on PCRs. */
  | { readonly kind: 'denied'; readonly statement: string }
  /** An Allow for somebody else. */
  | {
      readonly kind: 'principal'
      readonly statement: string
      readonly expected: readonly string[]
      readonly actual: string
    }
  /** No Allow names the action. */
  | { readonly kind: 'action'; readonly action: string }
  /** The caller's account is not the key's: an IAM policy there must allow the call too. */
  | { readonly kind: 'account'; readonly expected: string; readonly actual: string }
  /** The call went to a Region where the key is not. */
  | { readonly kind: 'region'; readonly expected: string; readonly actual: string }
  /** An Allow for an account: the caller's IAM policy decides. */
  | { readonly kind: 'iam'; readonly statement: string }
  /** Something that is not understood; it may decide. `statement` undefined: the policy as a whole, or an option. */
  | {
      readonly kind: 'not-understood'
      readonly statement: string | undefined
      readonly what: string
    }

/** What {@link explain} finds. */
export interface Explanation {
  /** What the key policy alone says; `unknown` where something that is not understood, or IAM, decides. */
  readonly verdict: 'allowed' | 'denied' | 'unknown'
  /** Denies first, then the Allow that came closest, then the rest. */
  readonly mismatches: readonly Mismatch[]
  /** The same for people, one sentence each. */
  readonly sentences: readonly string[]
}

/**
 * Says why a key policy denies a call: KMS itself answers AccessDenied and no more. It never throws, whatever the policy
 * is, and says what it did not understand. It explains and proves nothing: use `verifyKeyPolicy` to judge a policy.
 *
 * ```ts
 * import { explain } from '@enclavejs/kms-enclave/policy'
 *
 * export function why(policy: string, pcrs: Map<number, Uint8Array>): string {
 *   const roleArn = 'arn:aws:iam::123456789012:role/enclave'
 *   return explain({ policy, action: 'Decrypt', pcrs, roleArn }).sentences.join('\n')
 * }
 * ```
 */
export function explain(options: ExplainOptions): Explanation {
  const found: Mismatch[] = []
  try {
    const verdict = judge(options, found)
    return { verdict, mismatches: found, sentences: found.map((one) => sentence(one, options)) }
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    const mismatch: Mismatch = { kind: 'not-understood', statement: undefined, what }
    return { verdict: 'unknown', mismatches: [mismatch], sentences: [sentence(mismatch)] }
  }
}

function judge(options: ExplainOptions, found: Mismatch[]): Explanation['verdict'] {
  const action = String(options.action).replace(/^kms:/i, '')
  const caller = readCaller(options, found)
  comparePlace(options, caller.account, found)
  const pcrs = readPcrs(options.pcrs, found)
  const statements = readPolicy(options.policy, found)
  const request = { action, pcrs, keyArn: options.keyArn, ...caller }
  const judged = statements.map((one, index) => evaluateLeniently(one, index, request))

  const applying = judged.filter(({ action }) => action !== 'no')
  for (const one of applying) {
    for (const what of one.notUnderstood) {
      found.push({ kind: 'not-understood', statement: one.name, what })
    }
  }
  const denies = applying.filter(({ effect, holds }) => effect === 'Deny' && holds !== 'no')
  const denied = denies.filter(({ holds }) => holds === 'yes')
  for (const one of denied) found.push(...denial(one))
  const allows = applying.filter(({ effect }) => effect === 'Allow')
  const allowed = allows.filter(({ holds }) => holds === 'yes')
  if (allowed.length === 0) found.push(...closest(allows, action, caller))
  const byIam = allowed.length > 0 && allowed.every(({ viaIam }) => viaIam)
  if (byIam) found.push({ kind: 'iam', statement: (allowed[0] as LenientStatement).name })

  found.sort((a, b) => rank(a) - rank(b))
  if (denied.length > 0) return 'denied'
  const doubtful = denies.length > 0 || found.some(({ kind }) => kind === 'region')
  if (allowed.length > 0) return doubtful || byIam ? 'unknown' : 'allowed'
  const perhaps = allows.some(({ holds }) => holds === 'unknown')
  const whole = found.some((one) => one.kind === 'not-understood' && one.statement === undefined)
  return perhaps || whole ? 'unknown' : 'denied'
}

const ORDER: readonly Mismatch['kind'][] = [
  ...(['region', 'denied', 'pcr', 'principal', 'action', 'iam', 'account'] as const),
  'not-understood',
]

function rank(one: Mismatch): number {
  return ORDER.indexOf(one.kind) - (one.kind === 'pcr' && one.effect === 'Deny' ? 0.5 : 0)
}

function denial({ name, pcrs }: LenientStatement): readonly Mismatch[] {
  if (pcrs.length === 0) return [{ kind: 'denied', statement: name }]
  return pcrs.map((one) => ({ kind: 'pcr', statement: name, effect: 'Deny', ...one }))
}

/** Of the Allows for this action, the one with the right principal and the fewest PCRs that differ. */
function closest(
  allows: readonly LenientStatement[],
  action: string,
  caller: Caller,
): readonly Mismatch[] {
  if (allows.length === 0) return [{ kind: 'action', action }]
  const fitting = allows.filter(({ principal }) => principal !== 'no')
  const [best] = fitting.toSorted((a, b) => a.pcrs.length - b.pcrs.length)
  if (best !== undefined) {
    const statement = best.name
    return best.pcrs.map((one) => ({ kind: 'pcr', statement, effect: 'Allow', ...one }))
  }
  return allows.map(({ name, principals }) => ({
    kind: 'principal',
    statement: name,
    expected: principals,
    actual: caller.roleArn ?? 'nobody',
  }))
}

interface Caller {
  readonly roleArn: string | undefined
  readonly account: string | undefined
  readonly pathUnknown: boolean
}

/** A session's ARN has the role's name without its path. */
const SESSION = /^arn:(aws[a-z-]*):sts::(\d{12}):assumed-role\/([^/]+)\/[^/]+$/

function readCaller({ roleArn, account }: ExplainOptions, found: Mismatch[]): Caller {
  if (roleArn === undefined) return { roleArn, account, pathUnknown: false }
  const [, partition, owner, role] = SESSION.exec(roleArn) ?? []
  const arn = partition === undefined ? roleArn : `arn:${partition}:iam::${owner}:role/${role}`
  const parsed = parsePrincipalArn(arn)
  if (parsed === undefined) {
    const what = `roleArn ${JSON.stringify(roleArn)} is no ARN of a role`
    found.push({ kind: 'not-understood', statement: undefined, what })
    return { roleArn: undefined, account, pathUnknown: false }
  }
  if (account !== undefined && account !== parsed.account) {
    const what = `account ${account} is not that of ${roleArn}`
    found.push({ kind: 'not-understood', statement: undefined, what })
  }
  return { roleArn: arn, account: parsed.account, pathUnknown: arn !== roleArn }
}

function comparePlace(
  { keyArn, region }: ExplainOptions,
  account: string | undefined,
  found: Mismatch[],
): void {
  if (keyArn === undefined) return
  let key: KeyArn
  try {
    key = readKeyArn(keyArn, 'keyArn')
  } catch (error) {
    found.push({
      kind: 'not-understood',
      statement: undefined,
      what: (error as TypeError).message,
    })
    return
  }
  if (region !== undefined && region !== key.region) {
    found.push({ kind: 'region', expected: key.region, actual: region })
  }
  if (account !== undefined && account !== key.accountId) {
    found.push({ kind: 'account', expected: key.accountId, actual: account })
  }
}

function readPcrs(
  pcrs: ExplainOptions['pcrs'],
  found: Mismatch[],
): ReadonlyMap<number, string> | undefined {
  if (pcrs === undefined) return undefined
  const entries = pcrs instanceof Map ? [...pcrs] : Object.entries(pcrs)
  const read = new Map<number, string>()
  for (const [key, value] of entries as readonly [unknown, unknown][]) {
    const index = /^(?:PCR)?(\d{1,2})$/.exec(String(key))?.[1]
    const hex = readPcr(value)
    if (index !== undefined && hex !== undefined) read.set(Number(index), hex)
    else {
      const what = `pcrs: ${String(key)} is not a PCR of 48 bytes`
      found.push({ kind: 'not-understood', statement: undefined, what })
    }
  }
  return read
}

function readPolicy(policy: string, found: Mismatch[]): readonly Json[] {
  let document: Json
  try {
    document = parseStrictJson(policy)
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    found.push({ kind: 'not-understood', statement: undefined, what })
    return []
  }
  const list = document instanceof Map ? (document.get('Statement') as Json | undefined) : undefined
  if (Array.isArray(list)) return list as readonly Json[]
  if (list instanceof Map) return [list as Json]
  found.push({ kind: 'not-understood', statement: undefined, what: 'there is no Statement' })
  return []
}

function sentence(one: Mismatch, options?: ExplainOptions): string {
  const action = String(options?.action)
  switch (one.kind) {
    case 'pcr':
      return `${one.statement} ${one.effect === 'Deny' ? 'denies' : 'does not allow'} ${action}: ${pcrSentence(one, options?.pcrs)}`
    case 'denied':
      return `${one.statement} denies ${action} whatever the PCRs are.`
    case 'principal':
      return `${one.statement} allows ${action} to ${one.expected.join(', ') || 'nobody known here'}; the caller is ${one.actual}.`
    case 'action':
      return `No statement allows ${one.action}.`
    case 'account':
      return `The key belongs to account ${one.expected}, the caller to ${one.actual}: there an IAM policy must allow the call too.`
    case 'region':
      return `The key is in ${one.expected}, the call went to ${one.actual}.`
    case 'iam':
      return `${one.statement} leaves it to the caller's IAM policy, which is not known here.`
    case 'not-understood':
      return `Not understood${one.statement === undefined ? '' : ` in ${one.statement}`}: ${one.what}.`
  }
}

function pcrSentence(one: PcrMismatch, pcrs: ExplainOptions['pcrs']): string {
  const { pcr, expected, actual } = one
  const any = actual === undefined ? 'any value' : 'another value'
  const wanted = expected.length === 0 ? any : expected.join(' or ')
  if (pcrs === undefined) return `PCR${pcr} ${wanted} expected, and no document was sent.`
  if (actual === undefined) {
    return `PCR${pcr} ${wanted} expected, and the document has none: it was not locked.`
  }
  const hint = expected.some((value) => foldCase(value) === actual)
    ? ' Only the case differs: StringEqualsIgnoreCase would take it.'
    : pcr <= 2 && actual === ZERO_PCR
      ? ' Zero: the enclave runs in debug mode.'
      : ''
  return `PCR${pcr} ${wanted} expected, ${actual} seen.${hint}`
}
