import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { PathMember } from './certification-path.ts'
import type { Extension } from './extension.ts'
import type { DistinguishedName } from './name.ts'
import type { Level } from './nitro-profile.ts'

/** What an authority consists of; `modules` holds the lower two levels of each module id. */
export interface AuthorityState {
  readonly region: string
  readonly moduleId: string
  readonly root: PathMember
  regional: PathMember
  zonal: PathMember
  readonly modules: Map<string, { readonly instance: PathMember; readonly leaf: PathMember }>
}

const VERSION = 1

interface SavedMember {
  readonly certificate: string
  readonly privateKey: string
  readonly serialNumber: string
  readonly issuer: DistinguishedName
  readonly subject: DistinguishedName
  readonly notBefore: string
  readonly notAfter: string
  readonly extensions: readonly { oid: string; critical: boolean; value: string }[]
}

interface SavedState {
  readonly version: number
  readonly region: string
  readonly moduleId: string
  readonly root: SavedMember
  readonly regional: SavedMember
  readonly zonal: SavedMember
  readonly modules: Readonly<Record<string, { instance: SavedMember; leaf: SavedMember }>>
}

/** The authority as JSON text, private keys included. */
export function encodeAuthority(state: AuthorityState): string {
  const { region, moduleId, root, regional, zonal } = state
  const modules = [...state.modules].map(([name, { instance, leaf }]) => [
    name,
    { instance: saveMember(instance), leaf: saveMember(leaf) },
  ])
  const saved: SavedState = {
    version: VERSION,
    region,
    moduleId,
    root: saveMember(root),
    regional: saveMember(regional),
    zonal: saveMember(zonal),
    modules: Object.fromEntries(modules) as SavedState['modules'],
  }
  return JSON.stringify(saved, undefined, 1)
}

/** The reverse of `encodeAuthority`; throws a `TypeError` on anything else. */
export function decodeAuthority(text: string): AuthorityState {
  try {
    return load(JSON.parse(text) as SavedState)
  } catch (cause) {
    throw new TypeError('text: expected an authority as export() writes it', { cause })
  }
}

function load(saved: SavedState): AuthorityState {
  if (saved.version !== VERSION) throw new Error(`version ${VERSION} was expected`)
  const root = loadMember('root', saved.root)
  const regional = loadMember('regional', saved.regional, root)
  const zonal = loadMember('zonal', saved.zonal, regional)
  const modules: AuthorityState['modules'] = new Map()
  for (const [name, lower] of Object.entries(saved.modules)) {
    const instance = loadMember('instance', lower.instance, zonal)
    modules.set(name, { instance, leaf: loadMember('leaf', lower.leaf, instance) })
  }
  const { region, moduleId } = saved
  return { region, moduleId, root, regional, zonal, modules }
}

function saveMember(member: PathMember): SavedMember {
  const { recipe } = member
  return {
    certificate: base64(member.certificate),
    privateKey: member.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    serialNumber: base64(recipe.serialNumber),
    issuer: recipe.issuer,
    subject: recipe.subject,
    notBefore: recipe.notBefore.toISOString(),
    notAfter: recipe.notAfter.toISOString(),
    extensions: recipe.extensions.map((one: Extension) => ({ ...one, value: base64(one.value) })),
  }
}

function loadMember(level: Level, saved: SavedMember, issuer?: PathMember): PathMember {
  const privateKey: KeyObject = createPrivateKey(saved.privateKey)
  return {
    level,
    certificate: bytes(saved.certificate),
    privateKey,
    recipe: {
      serialNumber: bytes(saved.serialNumber),
      issuer: saved.issuer,
      subject: saved.subject,
      notBefore: new Date(saved.notBefore),
      notAfter: new Date(saved.notAfter),
      publicKey: createPublicKey(privateKey),
      extensions: saved.extensions.map((one) => ({ ...one, value: bytes(one.value) })),
      signingKey: issuer?.privateKey ?? privateKey,
    },
  }
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64')
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}
