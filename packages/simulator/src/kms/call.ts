import type { Principal, SimulatedAccount } from './account.ts'
import type { VerifiedAttestation } from './attestation.ts'
import { authorize, policyAllows, type AccessRequest } from './authorization.ts'
import { KmsException } from './exception.ts'
import type { Input } from './input.ts'
import { keyMaterialId, type KmsKey } from './key.ts'
import type { KeyRing } from './key-ring.ts'
import type { ConditionContext } from './policy-condition.ts'
import type { PolicyDocument } from './policy-document.ts'

/** What an operation gives: the members of the answer, and what Recipient would hide. */
export interface Outcome {
  readonly body: Readonly<Record<string, unknown>>
  readonly secret?: Secret | undefined
}

/** Octets that go out under their member's name, or into CiphertextForRecipient. */
interface Secret {
  readonly member: 'Plaintext' | 'PrivateKeyPlaintext' | 'SharedSecret'
  readonly octets: Uint8Array
}

export type Operation = (call: Call) => Outcome | Promise<Outcome>

/** What one authorization adds to the conditions that every call has. */
export interface AuthorizationDetails {
  readonly encryptionContext?: Readonly<Record<string, string>> | undefined
  readonly conditions?: Readonly<Record<string, string | readonly string[] | undefined>> | undefined
}

export interface CallInput {
  readonly input: Input
  readonly principal: Principal
  readonly account: SimulatedAccount
  readonly ring: KeyRing
  readonly now: Date
  readonly recipient: VerifiedAttestation | undefined
}

/** One authenticated request with what operations need to answer it. */
export class Call {
  readonly input: Input
  readonly principal: Principal
  readonly account: SimulatedAccount
  readonly ring: KeyRing
  readonly now: Date
  readonly #recipient: VerifiedAttestation | undefined

  constructor(fields: CallInput) {
    this.input = fields.input
    this.principal = fields.principal
    this.account = fields.account
    this.ring = fields.ring
    this.now = fields.now
    this.#recipient = fields.recipient
  }

  /** The key that a member names, for this caller. */
  key(member = 'KeyId'): KmsKey {
    return this.ring.resolve(this.input.string(member), this.principal.accountId)
  }

  encryptionContext(member = 'EncryptionContext'): Readonly<Record<string, string>> {
    return this.input.stringMap(member) ?? {}
  }

  /** @throws KmsException `AccessDeniedException`, `InvalidGrantTokenException`. */
  authorize(operation: string, key?: KmsKey, details: AuthorizationDetails = {}): void {
    const tokens = this.input.stringList('GrantTokens', 10)
    const isKnown = (token: string): boolean =>
      this.ring.keys.some(({ grants }) => grants.some(({ grantToken }) => grantToken === token))
    if (!tokens.every(isKnown)) {
      throw new KmsException('InvalidGrantTokenException', 'The grant token is not valid.')
    }
    const identity = this.account.identityPolicy(this.principal.principalArn)
    authorize(this.#request(operation, key, details), identity)
  }

  /** Whether this caller could put another policy in place of `policy`. */
  couldPutPolicy(key: KmsKey, policy: PolicyDocument): boolean {
    return policyAllows(policy, this.#request('PutKeyPolicy', key, {}), this.account)
  }

  /** @throws KmsException where the key cannot be used now. */
  requireEnabled(key: KmsKey): void {
    if (key.state === 'Disabled') {
      throw new KmsException('DisabledException', `${key.arn} is disabled.`)
    }
    this.requireNotDeleted(key)
  }

  requireNotDeleted(key: KmsKey): void {
    if (key.state === 'PendingDeletion') {
      throw new KmsException('KMSInvalidStateException', `${key.arn} is pending deletion.`)
    }
  }

  /** @throws KmsException `DryRunOperationException` where nothing but a trial was asked for. */
  endDryRun(): void {
    if (!this.input.boolean('DryRun')) return
    throw new KmsException(
      'DryRunOperationException',
      'The request would have succeeded, but the DryRun option is set.',
      412,
    )
  }

  #request(
    operation: string,
    key: KmsKey | undefined,
    details: AuthorizationDetails,
  ): AccessRequest {
    const { encryptionContext } = details
    const keyId = this.input.has('KeyId') ? this.input.string('KeyId') : ''
    let made: ConditionContext | undefined
    const context = (): ConditionContext => (made ??= this.#context(key, keyId, details))
    return { principal: this.principal, operation, key, context, encryptionContext }
  }

  #context(
    key: KmsKey | undefined,
    keyId: string,
    details: AuthorizationDetails,
  ): ConditionContext {
    const { encryptionContext, conditions = {} } = details
    const context = new Map<string, readonly string[]>()
    const put = (name: string, value: string | readonly string[] | undefined): void => {
      if (value === undefined || value.length === 0) return
      context.set(name.toLowerCase(), typeof value === 'string' ? [value] : value)
    }
    const { principalArn, accountId, type } = this.principal
    put('aws:PrincipalArn', principalArn)
    put('aws:PrincipalAccount', accountId)
    put('aws:PrincipalType', type)
    put('aws:SecureTransport', 'true')
    put('aws:RequestedRegion', this.ring.region)
    put('aws:CurrentTime', this.now.toISOString())
    put('aws:EpochTime', String(Math.floor(this.now.getTime() / 1000)))
    put('kms:CallerAccount', accountId)
    put('kms:EncryptionContextKeys', Object.keys(encryptionContext ?? {}))
    for (const [name, value] of Object.entries(encryptionContext ?? {})) {
      put(`kms:EncryptionContext:${name}`, [value])
    }
    for (const [index, value] of this.#recipient?.pcrs ?? []) {
      put(`kms:RecipientAttestation:PCR${index}`, value)
    }
    put('kms:RecipientAttestation:ImageSha384', this.#recipient?.pcrs.get(0))
    if (key !== undefined) {
      put('kms:KeySpec', key.keySpec)
      put('kms:KeyUsage', key.keyUsage)
      put('kms:KeyOrigin', key.origin)
      put('kms:MultiRegion', String(key.multiRegion))
    }
    const [alias] = /alias\/.+$/.exec(keyId) ?? []
    put('kms:RequestAlias', alias)
    for (const [name, value] of Object.entries(conditions)) put(name, value)
    return context
  }
}

export function base64(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('base64')
}

/** `KeyMaterialId` as a member, for keys that have one. */
export function materialMember(material: Uint8Array | undefined): { KeyMaterialId?: string } {
  return material === undefined ? {} : { KeyMaterialId: keyMaterialId(material) }
}
