import { ENCLAVE, FOREIGN, image, KEEPER, pcr, ROOT, WRITER, type LoosePolicy } from './fixture.ts'

/** A policy that differs from a created one in one place. */
export interface Mutation {
  readonly name: string
  readonly policy: LoosePolicy
}

type Statement = Record<string, unknown>
type Change = readonly [name: string, change: (statement: Statement) => void]

const ACTIONS = [
  ...['kms:Decrypt', 'kms:DeriveSharedSecret', 'kms:GenerateDataKey', 'kms:GenerateDataKeyPair'],
  ...['kms:CreateGrant', 'kms:ReEncryptFrom', 'kms:ReplicateKey', 'kms:PutKeyPolicy', 'kms:Sign'],
  ...['kms:ImportKeyMaterial', 'kms:Encrypt', 'kms:DescribeKey', 'kms:ScheduleKeyDeletion'],
  ...[
    '*',
    'kms:*',
    'kms:Gen*',
    'kms:Re*',
    'kms:P?tKeyPolicy',
    'kms:*Grant',
    'KMS:decrypt',
    'kms:New',
  ],
]
const PRINCIPALS: readonly unknown[] = [
  ...['*', { AWS: '*' }, { AWS: [ENCLAVE, '*'] }, { AWS: ROOT }, { AWS: FOREIGN }, { AWS: KEEPER }],
  ...[{ AWS: WRITER }, { AWS: '123456789012' }, { AWS: `${ENCLAVE}*` }, { AWS: 'AIDAEXAMPLE' }],
  ...[{ Service: 'ec2.amazonaws.com' }, { AWS: ENCLAVE, Service: 'ec2.amazonaws.com' }],
]
const OPERATORS = [
  ...['StringEquals', 'StringNotEquals', 'StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase'],
  ...['StringLike', 'StringNotLike', 'StringEqualsIgnoreCaseIfExists', 'Null'],
  ...['StringNotEqualsIgnoreCaseIfExists', 'ForAnyValue:StringEqualsIgnoreCase'],
  ...['ForAnyValue:StringNotEqualsIgnoreCase', 'ForAllValues:StringEqualsIgnoreCase'],
]
const KEYS = ['PCR0', 'PCR1', 'PCR5', 'PCR16', 'ImageSha384', 'NitroTPMPCR4'].map(
  (name) => `kms:RecipientAttestation:${name}`,
)
const VALUES: readonly unknown[] = [
  ...[pcr(999), '0'.repeat(96), '*', '', pcr(65).toUpperCase()],
  ...[image(2).pcrs[0], image(2).pcrs[1], [], ['*'], 'true'],
]

const asList = (value: unknown): unknown[] =>
  Array.isArray(value) ? (value as unknown[]) : [value]

function rename(object: Record<string, unknown>, from: string, to: string): void {
  if (!Object.hasOwn(object, from) || from === to) return
  object[to] = object[from]
  delete object[from]
}

/** Changes of one statement. */
function* changesOf(statement: Statement): Generator<Change> {
  yield ['Effect turned', (one) => (one['Effect'] = one['Effect'] === 'Allow' ? 'Deny' : 'Allow')]
  for (const element of Object.keys(statement)) {
    yield [`without ${element}`, (one) => delete one[element]]
    yield [`Not${element}`, (one) => rename(one, element, `Not${element}`)]
    yield [
      `${element.toLowerCase()} in lower case`,
      (one) => rename(one, element, element.toLowerCase()),
    ]
  }
  for (const principal of PRINCIPALS) {
    yield [`Principal ${JSON.stringify(principal)}`, (one) => (one['Principal'] = principal)]
  }
  for (const action of ACTIONS) {
    yield [`Action ${action}`, (one) => (one['Action'] = action)]
    yield [`also ${action}`, (one) => (one['Action'] = [...asList(one['Action']), action])]
  }
  for (const action of asList(statement['Action'])) {
    const rest = (one: Statement): unknown[] => asList(one['Action']).filter((it) => it !== action)
    yield [`Action without ${String(action)}`, (one) => (one['Action'] = rest(one))]
  }
  for (const resource of ['arn:aws:kms:eu-west-1:123456789012:key/other', 'arn:aws:s3:::x']) {
    yield [`Resource ${resource}`, (one) => (one['Resource'] = resource)]
  }
  yield* conditionChangesOf(statement)
}

type Conditions = Record<string, Record<string, unknown>>

function* conditionChangesOf(statement: Statement): Generator<Change> {
  const conditions = (statement['Condition'] ?? {}) as Conditions
  const of = (one: Statement): Conditions => one['Condition'] as Conditions
  yield ['Condition {}', (one) => (one['Condition'] = {})]
  yield [
    'Condition on time',
    (one) => (one['Condition'] = { Bool: { 'aws:SecureTransport': 'x' } }),
  ]
  for (const [operator, keys] of Object.entries(conditions)) {
    for (const other of OPERATORS) {
      yield [`${operator} is ${other}`, (one) => rename(of(one), operator, other)]
    }
    for (const key of Object.keys(keys)) {
      const inside = (one: Statement): Record<string, unknown> =>
        of(one)[operator] as Record<string, unknown>
      yield [`without ${key}`, (one) => delete inside(one)[key]]
      for (const other of KEYS) {
        yield [`${key} is ${other}`, (one) => rename(inside(one), key, other)]
        yield [`and ${other}`, (one) => (inside(one)[other] = pcr(999))]
      }
      for (const value of VALUES) {
        yield [`${key} ${JSON.stringify(value)}`, (one) => (inside(one)[key] = value)]
        yield [
          `${key} or ${JSON.stringify(value)}`,
          (one) => (inside(one)[key] = [...asList(inside(one)[key]), value].flat()),
        ]
      }
    }
  }
}

/** Every policy that differs from this one in one place, of the places that are thought of here. */
export function* mutationsOf(policy: LoosePolicy): Generator<Mutation> {
  const copy = (): LoosePolicy => structuredClone(policy)
  for (const [index, statement] of policy.Statement.entries()) {
    const sid = String(statement['Sid'])
    const without = copy()
    without.Statement.splice(index, 1)
    yield { name: `${sid}: taken out`, policy: without }
    for (const [name, change] of changesOf(statement)) {
      const changed = copy()
      change(changed.Statement[index] as Statement)
      yield { name: `${sid}: ${name}`, policy: changed }
    }
  }
  for (const principal of PRINCIPALS) {
    for (const action of ACTIONS) {
      const added = copy()
      added.Statement.push({ Effect: 'Allow', Principal: principal, Action: action, Resource: '*' })
      yield { name: `Allow ${JSON.stringify(principal)} ${action}`, policy: added }
    }
  }
}
