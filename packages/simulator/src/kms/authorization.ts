import type { Principal, SimulatedAccount } from './account.ts'
import { KmsException } from './exception.ts'
import { grantAllows } from './grant.ts'
import type { KmsKey } from './key.ts'
import { conditionHolds, like, type ConditionContext } from './policy-condition.ts'
import { many, type PolicyDocument, type PolicyStatement } from './policy-document.ts'

/** What someone wants to do. */
export interface AccessRequest {
  readonly principal: Principal
  /** The operation, without `kms:`. */
  readonly operation: string
  /** Absent where an operation has no key, or none yet. */
  readonly key?: KmsKey | undefined
  /** What conditions are evaluated over. */
  readonly context: () => ConditionContext
  readonly encryptionContext?: Readonly<Record<string, string>> | undefined
}

/** How a policy's Principal named the caller. */
type Named = 'directly' | 'account' | undefined

/**
 * Decides as KMS does: an explicit Deny wins; a key policy that names the caller, or a grant,
 * allows; a key policy that names the account leaves it to the caller's identity policy; from
 * another account both are needed.
 *
 * @throws KmsException `AccessDeniedException`.
 */
export function authorize(request: AccessRequest, identity: PolicyDocument | undefined): void {
  const { principal, key } = request
  const identityStatements = identity === undefined ? [] : many(identity.Statement)
  const applying = identityStatements.filter((statement) => applies(statement, request))
  if (applying.some(({ Effect }) => Effect === 'Deny')) {
    throw denied(request, 'with an explicit deny in an identity-based policy')
  }
  const identityAllows = applying.length > 0
  const noIdentity = `because no identity-based policy allows the kms:${request.operation} action`
  if (key === undefined) {
    if (!identityAllows) throw denied(request, noIdentity)
    return
  }
  const named: Named[] = []
  for (const statement of many(key.policy.Statement)) {
    if (!applies(statement, request)) continue
    const how = principalOf(statement, principal)
    if (how === undefined) continue
    if (statement.Effect === 'Deny') {
      throw denied(request, 'with an explicit deny in a resource-based policy')
    }
    named.push(how)
  }
  const { operation, encryptionContext } = request
  if (grantAllows(key.grants, principal, operation, encryptionContext)) return
  const home = principal.accountId === key.accountId
  if (home && named.includes('directly')) return
  if (named.length > 0 && identityAllows) return
  throw denied(
    request,
    named.length === 0
      ? `because no resource-based policy allows the kms:${request.operation} action`
      : noIdentity,
  )
}

/** Whether a caller with every permission of an identity policy could still do `operation` by this policy. */
export function policyAllows(
  policy: PolicyDocument,
  request: AccessRequest,
  account: SimulatedAccount,
): boolean {
  let allowed = false
  for (const statement of many(policy.Statement)) {
    if (!applies(statement, request)) continue
    const how = principalOf(statement, request.principal)
    if (how === undefined) continue
    if (statement.Effect === 'Deny') return false
    const identity = account.identityPolicy(request.principal.principalArn)
    allowed ||=
      how === 'directly' ||
      many(identity?.Statement).some((one) => one.Effect === 'Allow' && applies(one, request))
  }
  return allowed
}

function applies(statement: PolicyStatement, request: AccessRequest): boolean {
  const action = `kms:${request.operation}`
  const actionNamed = (patterns: PolicyStatement['Action']): boolean =>
    many(patterns).some((pattern) => like(action, pattern, true))
  if (statement.Action !== undefined && !actionNamed(statement.Action)) return false
  if (statement.NotAction !== undefined && actionNamed(statement.NotAction)) return false
  const resource = request.key?.arn ?? '*'
  const resourceNamed = (patterns: PolicyStatement['Resource']): boolean =>
    many(patterns).some((pattern) => pattern === '*' || like(resource, pattern))
  if (statement.Resource !== undefined && !resourceNamed(statement.Resource)) return false
  if (statement.NotResource !== undefined && resourceNamed(statement.NotResource)) return false
  return statement.Condition === undefined || conditionHolds(statement.Condition, request.context())
}

function principalOf(statement: PolicyStatement, principal: Principal): Named {
  const { NotPrincipal: spared, Effect } = statement
  if (spared === undefined) return nameIn(statement.Principal, principal)
  const isSpared =
    Effect === 'Deny' ? isWhollyNamed(spared, principal) : nameIn(spared, principal) !== undefined
  return isSpared ? undefined : 'directly'
}

/**
 * AWS looks at the account, then the role, then the session: to be spared from a Deny, all of them
 * have to be named.
 */
function isWhollyNamed(
  names: NonNullable<PolicyStatement['NotPrincipal']>,
  principal: Principal,
): boolean {
  if (names === '*') return true
  const arns = many(names['AWS'])
  const { principalArn, sessionArn } = principal
  return (
    arns.includes('*') ||
    (nameIn({ AWS: arns.filter((one) => !one.includes('/')) }, principal) === 'account' &&
      arns.includes(principalArn) &&
      arns.includes(sessionArn))
  )
}

function nameIn(names: PolicyStatement['Principal'], principal: Principal): Named {
  if (names === undefined) return undefined
  if (names === '*') return 'directly'
  const arns = many(names['AWS'])
  if (arns.includes('*')) return 'directly'
  if (arns.includes(principal.principalArn) || arns.includes(principal.sessionArn)) {
    return 'directly'
  }
  const { accountId, partition } = principal
  const root = `arn:${partition}:iam::${accountId}:root`
  return arns.includes(accountId) || arns.includes(root) ? 'account' : undefined
}

function denied(request: AccessRequest, reason: string): KmsException {
  const { principal, operation, key } = request
  const resource = key === undefined ? '*' : key.arn
  return new KmsException(
    'AccessDeniedException',
    `User: ${principal.sessionArn} is not authorized to perform: kms:${operation} on resource: ${resource} ${reason}`,
  )
}
