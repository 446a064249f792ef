import type { Call, Outcome } from '../call.ts'
import { KmsException, unsupported, validation } from '../exception.ts'
import { keyMetadata, type KmsKey } from '../key.ts'
import { refuseLockout } from './key-policy.ts'

const DAY = 86_400_000
const USAGES = ['SIGN_VERIFY', 'ENCRYPT_DECRYPT', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT']
const ORIGINS = ['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE']

/** CreateKey: the key belongs to the caller's account. */
export async function createKey(call: Call): Promise<Outcome> {
  const { input } = call
  const keySpec = input.optionalString('KeySpec') ?? input.optionalString('CustomerMasterKeySpec')
  const origin = input.optionalOneOf('Origin', ORIGINS) ?? 'AWS_KMS'
  if (origin !== 'AWS_KMS') throw unsupported(`The simulator makes no keys of origin ${origin}.`)
  const bypass = input.boolean('BypassPolicyLockoutSafetyCheck')
  const multiRegion = input.boolean('MultiRegion')
  call.authorize('CreateKey', undefined, {
    conditions: {
      'kms:BypassPolicyLockoutSafetyCheck': String(bypass),
      'kms:KeySpec': keySpec ?? 'SYMMETRIC_DEFAULT',
      'kms:KeyUsage': input.optionalOneOf('KeyUsage', USAGES) ?? 'ENCRYPT_DECRYPT',
      'kms:KeyOrigin': origin,
      'kms:MultiRegion': String(multiRegion),
    },
  })
  const key = await call.ring.create({
    account: call.account,
    keySpec: keySpec ?? 'SYMMETRIC_DEFAULT',
    keyUsage: input.optionalOneOf('KeyUsage', USAGES),
    policy: input.optionalString('Policy', 131_072),
    description: input.text('Description', 8192),
    multiRegion,
    createdAt: call.now.getTime(),
  })
  if (!bypass) refuseLockout(call, key, key.policy)
  call.ring.add(key)
  return { body: { KeyMetadata: keyMetadata(key) } }
}

export function describeKey(call: Call): Outcome {
  const key = call.key()
  call.authorize('DescribeKey', key)
  return { body: { KeyMetadata: keyMetadata(key) } }
}

export function enableKey(call: Call): Outcome {
  const key = authorized(call, 'EnableKey')
  call.requireNotDeleted(key)
  key.state = 'Enabled'
  return { body: {} }
}

export function disableKey(call: Call): Outcome {
  const key = authorized(call, 'DisableKey')
  call.requireNotDeleted(key)
  key.state = 'Disabled'
  return { body: {} }
}

export function scheduleKeyDeletion(call: Call): Outcome {
  const days = call.input.optionalInteger('PendingWindowInDays', 7, 30) ?? 30
  const key = authorized(call, 'ScheduleKeyDeletion')
  call.requireNotDeleted(key)
  key.state = 'PendingDeletion'
  key.deletionDate = call.now.getTime() + days * DAY
  return {
    body: {
      DeletionDate: key.deletionDate / 1000,
      KeyId: key.arn,
      KeyState: key.state,
      PendingWindowInDays: days,
    },
  }
}

/** RotateKeyOnDemand: new material; what the old made can still be decrypted. */
export function rotateKeyOnDemand(call: Call): Outcome {
  const key = authorized(call, 'RotateKeyOnDemand')
  call.requireEnabled(key)
  call.ring.rotate(key)
  return { body: { KeyId: key.keyId } }
}

export function createAlias(call: Call): Outcome {
  const name = call.input.string('AliasName', 256)
  const key = call.key('TargetKeyId')
  if (!/^alias\/[a-zA-Z0-9/_-]+$/.test(name) || name.startsWith('alias/aws/')) {
    throw validation(
      'Alias must start with the prefix "alias/" and must not start with "alias/aws/"',
    )
  }
  call.authorize('CreateAlias', key)
  if (call.ring.hasAlias(call.principal.accountId, name)) {
    throw new KmsException(
      'AlreadyExistsException',
      `An alias with the name ${name} already exists`,
    )
  }
  call.ring.setAlias(call.principal.accountId, name, key)
  return { body: {} }
}

function authorized(call: Call, operation: string): KmsKey {
  const key = call.key()
  call.authorize(operation, key)
  return key
}
