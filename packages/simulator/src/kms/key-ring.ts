import { randomBytes, randomUUID, type KeyObject } from 'node:crypto'
import type { SimulatedAccount } from './account.ts'
import { KmsException, notFound, unsupported, validation } from './exception.ts'
import { backingKeyHash, type KmsKey } from './key.ts'
import { generatePrivateKey, KEY_SPECS, type KeyUsageType } from './key-material.ts'
import { defaultKeyPolicy, parseKeyPolicy, type PolicyDocument } from './policy-document.ts'

/** What a new key is to be. */
export interface NewKey {
  readonly account: SimulatedAccount
  readonly keySpec: string
  readonly keyUsage?: string | undefined
  readonly policy?: PolicyDocument | string | undefined
  readonly description?: string | undefined
  readonly multiRegion?: boolean | undefined
  readonly origin?: string | undefined
  readonly createdAt: number
}

/** On-demand rotations that a key can have, as in KMS. */
const MAX_ROTATIONS = 25

/** All keys and aliases of the simulated KMS in one region, of all its accounts. */
export class KeyRing {
  readonly region: string
  readonly #keys = new Map<string, KmsKey>()
  /** Account and alias name to the id of a key. */
  readonly #aliases = new Map<string, string>()
  readonly #byMaterial = new Map<string, { key: KmsKey; material: Uint8Array }>()

  constructor(region: string) {
    this.region = region
  }

  get keys(): readonly KmsKey[] {
    return [...this.#keys.values()]
  }

  get aliases(): ReadonlyMap<string, string> {
    return this.#aliases
  }

  /** Takes in a key that was made or loaded. */
  add(key: KmsKey): void {
    this.#keys.set(key.keyId, key)
    for (const material of key.materials) this.#index(key, material)
  }

  /** A key that is in the ring only once `add` has taken it in. */
  async create(input: NewKey): Promise<KmsKey> {
    const { account, keySpec, keyUsage, multiRegion = false, origin = 'AWS_KMS' } = input
    const spec = Object.hasOwn(KEY_SPECS, keySpec) ? KEY_SPECS[keySpec] : undefined
    if (spec === undefined) throw unsupported(`The simulator makes no keys of spec ${keySpec}.`)
    const usage = keyUsage ?? (keySpec === 'SYMMETRIC_DEFAULT' ? 'ENCRYPT_DECRYPT' : undefined)
    if (usage === undefined) {
      throw validation(`You must specify a KeyUsage value for keys of spec ${keySpec}.`)
    }
    if (!spec.usages.some((one) => one === usage)) {
      throw validation(`KeyUsage ${usage} is not compatible with KeySpec ${keySpec}`)
    }
    const policyText = textOf(input.policy ?? defaultKeyPolicy(account.rootArn))
    const policy = readPolicy(policyText)
    let privateKey: KeyObject | undefined
    if (keySpec !== 'SYMMETRIC_DEFAULT') privateKey = await generatePrivateKey(keySpec)
    const keyId = multiRegion ? `mrk-${randomBytes(16).toString('hex')}` : randomUUID()
    return {
      keyId,
      accountId: account.accountId,
      arn: `arn:${account.partition}:kms:${this.region}:${account.accountId}:key/${keyId}`,
      keySpec,
      keyUsage: usage as KeyUsageType,
      origin,
      multiRegion,
      description: input.description ?? '',
      createdAt: input.createdAt,
      state: 'Enabled',
      deletionDate: undefined,
      policy,
      policyText,
      grants: [],
      materials: privateKey === undefined ? [new Uint8Array(randomBytes(32))] : [],
      privateKey,
    }
  }

  /** New material for a symmetric key; what the old made can still be decrypted. */
  rotate(key: KmsKey): void {
    if (key.materials.length === 0) {
      throw unsupported(`${key.arn} key spec is ${key.keySpec} which is not valid for rotation.`)
    }
    if (key.materials.length > MAX_ROTATIONS) {
      throw new KmsException(
        'LimitExceededException',
        'On-demand rotations of this key are used up.',
      )
    }
    const material = new Uint8Array(randomBytes(32))
    key.materials.push(material)
    this.#index(key, material)
  }

  setAlias(accountId: string, name: string, key: KmsKey): void {
    this.#aliases.set(`${accountId} ${name}`, key.keyId)
  }

  hasAlias(accountId: string, name: string): boolean {
    return this.#aliases.has(`${accountId} ${name}`)
  }

  /** Takes in aliases that were saved. */
  restoreAliases(aliases: Iterable<readonly [string, string]>): void {
    for (const [name, keyId] of aliases) this.#aliases.set(name, keyId)
  }

  /** The key whose backing key a ciphertext names, and that backing key. */
  byMaterial(hash: Uint8Array): { key: KmsKey; material: Uint8Array } | undefined {
    return this.#byMaterial.get(Buffer.from(hash).toString('hex'))
  }

  /**
   * The key that a KeyId names for a caller of an account: a key id, a key ARN, an alias name or an
   * alias ARN. Bare names are looked up in the caller's own account.
   */
  resolve(keyId: string, accountId: string): KmsKey {
    const [, region, account, resource] =
      /^arn:aws[a-z-]*:kms:([^:]*):([^:]*):(.+)$/.exec(keyId) ?? []
    if (resource === undefined) {
      if (keyId.startsWith('arn:')) throw notFound(`Invalid arn ${keyId.slice(0, 128)}`)
      return this.#find(keyId, accountId, undefined)
    }
    if (region !== this.region) throw notFound(`Invalid arn ${region}`)
    const name = resource.startsWith('key/') ? resource.slice(4) : resource
    return this.#find(name, account ?? '', keyId)
  }

  #find(name: string, accountId: string, arn: string | undefined): KmsKey {
    const isAlias = name.startsWith('alias/')
    const prefix = `arn:aws:kms:${this.region}:${accountId}:`
    const keyId = isAlias ? this.#aliases.get(`${accountId} ${name}`) : name
    const key = keyId === undefined ? undefined : this.#keys.get(keyId)
    if (key !== undefined && key.accountId === accountId && (isAlias || !arn || arn === key.arn)) {
      return key
    }
    if (isAlias) throw notFound(`Alias ${arn ?? prefix + name} is not found.`)
    const isId = /^(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.test(name)
    if (!isId) throw notFound(`Invalid keyId '${name.slice(0, 128)}'`)
    throw notFound(`Key '${arn ?? `${prefix}key/${name}`}' does not exist`)
  }

  #index(key: KmsKey, material: Uint8Array): void {
    const hash = Buffer.from(backingKeyHash(material)).toString('hex')
    this.#byMaterial.set(hash, { key, material })
  }
}

/** @throws KmsException `MalformedPolicyDocumentException`. */
export function readPolicy(text: string): PolicyDocument {
  try {
    return parseKeyPolicy(text)
  } catch (cause) {
    throw new KmsException(
      'MalformedPolicyDocumentException',
      cause instanceof Error ? cause.message : 'Syntax errors in policy.',
    )
  }
}

export function textOf(policy: PolicyDocument | string): string {
  return typeof policy === 'string' ? policy : JSON.stringify(policy)
}
