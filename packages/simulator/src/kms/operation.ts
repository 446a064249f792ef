import type { Operation } from './call.ts'
import { deriveSharedSecret, getPublicKey, signMessage } from './operation/asymmetric.ts'
import {
  generateDataKey,
  generateDataKeyPair,
  generateDataKeyPairWithoutPlaintext,
  generateDataKeyWithoutPlaintext,
  generateRandom,
} from './operation/data-key.ts'
import { decrypt, encrypt, reEncrypt } from './operation/encryption.ts'
import { createGrant, listGrants, revokeGrant } from './operation/grants.ts'
import {
  createAlias,
  createKey,
  describeKey,
  disableKey,
  enableKey,
  rotateKeyOnDemand,
  scheduleKeyDeletion,
} from './operation/key-lifecycle.ts'
import { getKeyPolicy, putKeyPolicy } from './operation/key-policy.ts'

/** The operations by the name in X-Amz-Target. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['CreateAlias', createAlias],
  ['CreateGrant', createGrant],
  ['CreateKey', createKey],
  ['Decrypt', decrypt],
  ['DeriveSharedSecret', deriveSharedSecret],
  ['DescribeKey', describeKey],
  ['DisableKey', disableKey],
  ['EnableKey', enableKey],
  ['Encrypt', encrypt],
  ['GenerateDataKey', generateDataKey],
  ['GenerateDataKeyPair', generateDataKeyPair],
  ['GenerateDataKeyPairWithoutPlaintext', generateDataKeyPairWithoutPlaintext],
  ['GenerateDataKeyWithoutPlaintext', generateDataKeyWithoutPlaintext],
  ['GenerateRandom', generateRandom],
  ['GetKeyPolicy', getKeyPolicy],
  ['GetPublicKey', getPublicKey],
  ['ListGrants', listGrants],
  ['PutKeyPolicy', putKeyPolicy],
  ['ReEncrypt', reEncrypt],
  ['RevokeGrant', revokeGrant],
  ['RotateKeyOnDemand', rotateKeyOnDemand],
  ['ScheduleKeyDeletion', scheduleKeyDeletion],
  ['Sign', signMessage],
])

/** Those that take Recipient; the others do not know the member and pass over it. */
export const ATTESTED: ReadonlySet<string> = new Set([
  'Decrypt',
  'DeriveSharedSecret',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateRandom',
])

/** Those that change what a directory keeps. */
export const CHANGING: ReadonlySet<string> = new Set([
  'CreateAlias',
  'CreateGrant',
  'CreateKey',
  'DisableKey',
  'EnableKey',
  'PutKeyPolicy',
  'RevokeGrant',
  'RotateKeyOnDemand',
  'ScheduleKeyDeletion',
])
