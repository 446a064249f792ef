import { createPublicKey, type KeyObject } from 'node:crypto'
import { issueCertificate, type CertificateRecipe } from './certificate.ts'
import { authorityKeyIdentifier, subjectKeyIdentifier, type Extension } from './extension.ts'
import { levels, nitroRecipe, type Level, type NitroRecipe } from './nitro-profile.ts'

/** One certificate of a path, with what it was made from. */
export interface PathMember {
  readonly level: Level
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
  readonly recipe: NitroRecipe
}

/** Root, regional, zonal, instance and leaf, in this order. */
export type CertificationPath = Readonly<Record<Level, PathMember>>

/** What a document carries and is signed with. */
export interface Leaf {
  /** The enclave's certificate. */
  readonly certificate: Uint8Array
  /** The CA certificates, root first. */
  readonly cabundle: readonly Uint8Array[]
  readonly privateKey: KeyObject
  /** The last instant of the enclave's certificate. */
  readonly notAfter: Date
}

/** The part of a path that a document needs. */
export function leafOf(path: CertificationPath): Leaf {
  return {
    certificate: path.leaf.certificate.slice(),
    cabundle: levels
      .filter((level) => level !== 'leaf')
      .map((level) => path[level].certificate.slice()),
    privateKey: path.leaf.privateKey,
    notAfter: path.leaf.recipe.notAfter,
  }
}

/** Issues one member by the profile of its level. */
export function issueMember(
  level: Level,
  input: {
    readonly region: string
    readonly moduleId: string
    readonly at: Date
    readonly key: KeyObject
    readonly issuer?: PathMember | undefined
  },
): PathMember {
  const issuer = input.issuer && {
    subject: input.issuer.recipe.subject,
    key: input.issuer.privateKey,
  }
  const recipe = nitroRecipe(level, { ...input, issuer })
  return { level, certificate: issueCertificate(recipe), privateKey: input.key, recipe }
}

/** What to change in a path: a recipe before its certificate is signed again, or a whole key. */
export interface PathChanges {
  readonly recipes?: Readonly<Partial<Record<Level, (recipe: NitroRecipe) => CertificateRecipe>>>
  /**
   * Another key for a level, on any curve. Its certificate carries it, the certificate below is
   * signed with it, and the key identifiers of both follow.
   */
  readonly keys?: Readonly<Partial<Record<Level, KeyObject>>>
}

/**
 * A path that differs from a good one in exactly what `changes` says: the certificates that are
 * touched are signed again with the same issuers' keys, all others keep their very bytes.
 * Names are not followed: a changed subject leaves the issuer of the next certificate as it was.
 */
export function changePath(path: CertificationPath, changes: PathChanges): CertificationPath {
  let issuerKey: KeyObject | undefined
  const changed = levels.map((level): readonly [Level, PathMember] => {
    const member = path[level]
    const key = changes.keys?.[level]
    const change = changes.recipes?.[level]
    let recipe = member.recipe
    if (issuerKey !== undefined) recipe = signedBy(recipe, issuerKey)
    issuerKey = key
    if (key !== undefined) recipe = withKey(recipe, key, level === 'root')
    if (recipe === member.recipe && change === undefined) return [level, member]
    const certificate = issueCertificate(change?.(recipe) ?? recipe)
    return [level, { level, certificate, privateKey: key ?? member.privateKey, recipe }]
  })
  return Object.fromEntries(changed) as Record<Level, PathMember>
}

/** The extensions with the one of the same `oid` replaced in its place, or added at the end. */
export function withExtension(
  extensions: readonly Extension[],
  extension: Extension,
): readonly Extension[] {
  const known = extensions.some(({ oid }) => oid === extension.oid)
  if (!known) return [...extensions, extension]
  return extensions.map((one) => (one.oid === extension.oid ? extension : one))
}

/** The extensions without the one of `oid`. */
export function withoutExtension(extensions: readonly Extension[], oid: string): Extension[] {
  return extensions.filter((one) => one.oid !== oid)
}

function signedBy(recipe: NitroRecipe, signingKey: KeyObject): NitroRecipe {
  const identifier = authorityKeyIdentifier(createPublicKey(signingKey))
  return { ...recipe, signingKey, extensions: renewed(recipe.extensions, identifier) }
}

function withKey(recipe: NitroRecipe, key: KeyObject, selfSigned: boolean): NitroRecipe {
  const publicKey = createPublicKey(key)
  return {
    ...recipe,
    publicKey,
    ...(selfSigned ? { signingKey: key } : {}),
    extensions: renewed(recipe.extensions, subjectKeyIdentifier(publicKey)),
  }
}

function renewed(extensions: readonly Extension[], extension: Extension): readonly Extension[] {
  return extensions.map((one) => (one.oid === extension.oid ? extension : one))
}
