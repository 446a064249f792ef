import { parseKeyArn, type KeyArn } from '../key-arn.ts'

/** The parts of the ARN of a role, a user or an account's root. */
export interface PrincipalArn {
  readonly arn: string
  readonly partition: string
  readonly account: string
  readonly kind: 'root' | 'role' | 'user'
}

const PRINCIPAL = /^arn:(aws(?:-[a-z]+)*):iam::(\d{12}):(root|(?:role|user)\/[\w+=,.@/-]{1,576})$/

/** @throws {TypeError} when it is no full ARN of a key: not an alias, not a bare id. */
export function readKeyArn(arn: unknown, name: string): KeyArn {
  const key = typeof arn === 'string' ? parseKeyArn(arn) : undefined
  if (key?.resourceType === 'key') return key
  throw new TypeError(`${name} must be a key's ARN, arn:PARTITION:kms:REGION:ACCOUNT:key/ID`)
}

/** The parts of a principal's ARN; undefined for anything else, sessions and federated users included. */
export function parsePrincipalArn(arn: string): PrincipalArn | undefined {
  const [, partition, account, resource = ''] = PRINCIPAL.exec(arn) ?? []
  if (partition === undefined) return undefined
  const kind = resource.startsWith('role/') ? 'role' : resource === 'root' ? 'root' : 'user'
  return { arn, partition, account: account as string, kind }
}

/**
 * Reads a list of principals.
 *
 * @throws {TypeError} when one is no ARN of the kinds that are allowed, or stands there twice.
 */
export function readPrincipals(
  list: unknown,
  name: string,
  kinds: readonly PrincipalArn['kind'][],
): readonly PrincipalArn[] {
  if (!Array.isArray(list)) throw new TypeError(`${name} must be a list of ARNs`)
  const read = list.map((item: unknown, index) => {
    const principal = typeof item === 'string' ? parsePrincipalArn(item) : undefined
    if (principal !== undefined && kinds.includes(principal.kind)) return principal
    throw new TypeError(`${name}[${index}] must be the ARN of a ${kinds.join(' or ')}`)
  })
  if (new Set(list).size < list.length) throw new TypeError(`${name} names a principal twice`)
  return read
}

/** @throws {TypeError} when it is not twelve digits. */
export function readAccount(account: unknown, name: string): string {
  if (typeof account === 'string' && /^\d{12}$/.test(account)) return account
  throw new TypeError(`${name} must be an account's 12 digits`)
}
