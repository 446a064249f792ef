import { randomBytes } from 'node:crypto'
import type { Call, Outcome } from '../call.ts'
import { KmsException, validation } from '../exception.ts'
import { GRANT_OPERATIONS, type Grant, type GrantConstraints } from '../grant.ts'
import type { Input } from '../input.ts'
import type { KmsKey } from '../key.ts'

const PRINCIPAL = /^arn:aws[a-z-]*:(?:iam|sts)::\d{12}:.+$/

/** CreateGrant; it counts at once, with its token or without. */
export function createGrant(call: Call): Outcome {
  const { input, now } = call
  const key = call.key()
  const granteePrincipal = principal(input.string('GranteePrincipal', 256))
  const retiring = input.optionalString('RetiringPrincipal', 256)
  const operations = input.stringList('Operations', GRANT_OPERATIONS.length)
  if (operations.length === 0 || operations.some((one) => !GRANT_OPERATIONS.includes(one))) {
    throw validation(
      `1 validation error detected: Value at 'operations' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [${GRANT_OPERATIONS.join(', ')}]]`,
    )
  }
  const constraints = readConstraints(input.structure('Constraints'))
  const types = Object.keys(constraints ?? {})
  call.authorize('CreateGrant', key, {
    conditions: {
      'kms:GranteePrincipal': granteePrincipal,
      'kms:RetiringPrincipal': retiring,
      'kms:GrantOperations': operations,
      'kms:GrantIsForAWSResource': 'false',
      'kms:GrantConstraintType': types,
    },
  })
  call.requireEnabled(key)
  call.endDryRun()
  const grant: Grant = {
    grantId: randomBytes(32).toString('hex'),
    grantToken: randomBytes(96).toString('base64url'),
    name: input.optionalString('Name', 256),
    granteePrincipal,
    retiringPrincipal: retiring === undefined ? undefined : principal(retiring),
    issuingAccount: call.account.rootArn,
    operations,
    constraints,
    createdAt: now.getTime(),
  }
  key.grants.push(grant)
  return { body: { GrantId: grant.grantId, GrantToken: grant.grantToken } }
}

/** ListGrants, with Limit and Marker. */
export function listGrants(call: Call): Outcome {
  const { input } = call
  const key = call.key()
  const limit = input.optionalInteger('Limit', 1, 100) ?? 50
  const marker = input.optionalString('Marker', 1024)
  const grantId = input.optionalString('GrantId', 128)
  const grantee = input.optionalString('GranteePrincipal', 256)
  call.authorize('ListGrants', key)
  call.requireNotDeleted(key)
  const matching = key.grants.filter(
    (grant) =>
      (grantId === undefined || grant.grantId === grantId) &&
      (grantee === undefined || grant.granteePrincipal === grantee),
  )
  const start = marker === undefined ? 0 : matching.findIndex((one) => one.grantId === marker)
  if (start < 0) throw new KmsException('InvalidMarkerException', 'Could not deserialize marker')
  const next = matching[start + limit]
  return {
    body: {
      Grants: matching.slice(start, start + limit).map((grant) => listed(grant, key)),
      ...(next === undefined ? {} : { NextMarker: next.grantId }),
      Truncated: next !== undefined,
    },
  }
}

export function revokeGrant(call: Call): Outcome {
  const key = call.key()
  const grantId = call.input.string('GrantId', 128)
  call.authorize('RevokeGrant', key)
  call.requireNotDeleted(key)
  if (!key.grants.some((grant) => grant.grantId === grantId)) {
    throw new KmsException('NotFoundException', `Grant ID ${grantId} not found`)
  }
  call.endDryRun()
  key.grants = key.grants.filter((grant) => grant.grantId !== grantId)
  return { body: {} }
}

function listed(grant: Grant, key: KmsKey): Record<string, unknown> {
  return {
    KeyId: key.arn,
    GrantId: grant.grantId,
    Name: grant.name ?? '',
    CreationDate: grant.createdAt / 1000,
    GranteePrincipal: grant.granteePrincipal,
    RetiringPrincipal: grant.retiringPrincipal,
    IssuingAccount: grant.issuingAccount,
    Operations: grant.operations,
    Constraints: grant.constraints,
  }
}

function readConstraints(input: Input | undefined): GrantConstraints | undefined {
  if (input === undefined) return undefined
  const equals = input.stringMap('EncryptionContextEquals')
  const subset = input.stringMap('EncryptionContextSubset')
  return {
    ...(equals === undefined ? {} : { EncryptionContextEquals: equals }),
    ...(subset === undefined ? {} : { EncryptionContextSubset: subset }),
  }
}

function principal(arn: string): string {
  if (PRINCIPAL.test(arn)) return arn
  throw new KmsException('InvalidArnException', 'ARN does not refer to a valid principal.')
}
