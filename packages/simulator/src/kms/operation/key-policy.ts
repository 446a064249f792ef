import type { Call, Outcome } from '../call.ts'
import { KmsException, notFound } from '../exception.ts'
import type { KmsKey } from '../key.ts'
import { readPolicy } from '../key-ring.ts'
import type { PolicyDocument } from '../policy-document.ts'

export function getKeyPolicy(call: Call): Outcome {
  const key = call.key()
  requireDefault(call)
  call.authorize('GetKeyPolicy', key)
  return { body: { Policy: key.policyText, PolicyName: 'default' } }
}

/** PutKeyPolicy, with KMS's check that the caller does not lock itself out. */
export function putKeyPolicy(call: Call): Outcome {
  const { input } = call
  const key = call.key()
  requireDefault(call)
  const policyText = input.string('Policy', 131_072)
  const bypass = input.boolean('BypassPolicyLockoutSafetyCheck')
  call.authorize('PutKeyPolicy', key, {
    conditions: { 'kms:BypassPolicyLockoutSafetyCheck': String(bypass) },
  })
  call.requireNotDeleted(key)
  const policy = readPolicy(policyText)
  if (!bypass) refuseLockout(call, key, policy)
  key.policy = policy
  key.policyText = policyText
  return { body: {} }
}

/** @throws KmsException `MalformedPolicyDocumentException` where the caller could not change the policy again. */
export function refuseLockout(call: Call, key: KmsKey, policy: PolicyDocument): void {
  if (call.couldPutPolicy(key, policy)) return
  throw new KmsException(
    'MalformedPolicyDocumentException',
    'The new key policy will not allow you to update the key policy in the future.',
  )
}

function requireDefault(call: Call): void {
  const name = call.input.optionalString('PolicyName', 128) ?? 'default'
  if (name !== 'default') throw notFound('No such policy exists')
}
