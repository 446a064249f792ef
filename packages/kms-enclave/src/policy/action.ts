/**
 * What an action on a key can do to what the key protects.
 *
 * - `attested`: yields plaintext or key material, and takes a `Recipient`: conditions on PCRs can hold it.
 * - `open`: yields nothing that is secret: encrypting, reading about the key. Or it has no key at all.
 * - `administrative`: can end or hinder the use of the key, not open it.
 * - `policy`: replaces the policy.
 * - `escape`: gives somebody plaintext, or access to it, and no document is asked for.
 */
type ActionKind = 'attested' | 'open' | 'administrative' | 'policy' | 'escape'

const KINDS: Readonly<Record<ActionKind, readonly string[]>> = {
  attested: ['Decrypt', 'DeriveSharedSecret', 'GenerateDataKey', 'GenerateDataKeyPair'],
  open: [
    ...['Encrypt', 'ReEncryptTo', 'Encapsulate', 'Verify', 'VerifyMac'],
    ...['GenerateDataKeyWithoutPlaintext', 'GenerateDataKeyPairWithoutPlaintext'],
    ...['DescribeKey', 'GetPublicKey', 'GetKeyPolicy', 'GetKeyRotationStatus', 'GetKeyLastUsage'],
    ...['ListGrants', 'ListKeyPolicies', 'ListKeyRotations', 'ListResourceTags'],
    ...['GenerateRandom', 'ListAliases', 'ListKeys', 'ListRetirableGrants'],
  ],
  administrative: [
    ...['CancelKeyDeletion', 'ScheduleKeyDeletion', 'DisableKey', 'EnableKey'],
    ...['DisableKeyRotation', 'EnableKeyRotation', 'RotateKeyOnDemand'],
    ...['CreateAlias', 'DeleteAlias', 'UpdateAlias', 'UpdateKeyDescription'],
    ...['TagResource', 'UntagResource', 'RetireGrant', 'RevokeGrant'],
    ...['DeleteImportedKeyMaterial', 'GetParametersForImport'],
  ],
  policy: ['PutKeyPolicy'],
  escape: [
    ...['CreateGrant', 'ReEncryptFrom', 'ReplicateKey', 'ImportKeyMaterial', 'Decapsulate'],
    ...['SynchronizeMultiRegionKey', 'UpdatePrimaryRegion', 'Sign', 'GenerateMac'],
  ],
}

const KIND_OF: ReadonlyMap<string, ActionKind> = new Map(
  (Object.keys(KINDS) as ActionKind[]).flatMap((kind) => KINDS[kind].map((name) => [name, kind])),
)
const NAME_OF: ReadonlyMap<string, string> = new Map(
  [...KIND_OF.keys()].map((name) => [`kms:${foldCase(name)}`, name]),
)

/** The kind of an action, by its name without `kms:`. */
export function kindOf(action: string): ActionKind {
  return KIND_OF.get(action) ?? 'escape'
}

/** What an action is written with. Without more than ASCII, letter case is the same to everyone: U+212A is no `K` to AWS. */
const ACTION = /^[A-Za-z:*]+$/

/**
 * The actions that an `Action` of a policy names, without `kms:`; case does not matter there. A star is understood at the
 * end alone, and stands for the actions known here.
 *
 * @returns undefined for an action that is not known here.
 */
export function expandAction(action: string): readonly string[] | undefined {
  if (!ACTION.test(action)) return undefined
  const pattern = foldCase(action)
  if (pattern === '*' || pattern === 'kms:*') return [...KIND_OF.keys()]
  const exact = NAME_OF.get(pattern)
  if (exact !== undefined) return [exact]
  const prefix = /^(kms:[a-z]+)\*$/.exec(pattern)?.[1]
  if (prefix === undefined) return undefined
  const names = [...NAME_OF].flatMap(([key, name]) => (key.startsWith(prefix) ? [name] : []))
  return names.length === 0 ? undefined : names
}

/** Lower case of A to Z alone: `toLowerCase` makes ASCII letters of others, such as U+212A. */
export function foldCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
