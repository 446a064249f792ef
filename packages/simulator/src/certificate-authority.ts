import { generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto'
import {
  holdsAuthority,
  readAuthority,
  restoreRoot,
  writeAuthority,
  writeSigner,
} from './authority-directory.ts'
import { decodeAuthority, encodeAuthority, type AuthorityState } from './authority-state.ts'
import { SimulatorError } from './error.ts'
import {
  issueMember,
  leafOf,
  type CertificationPath,
  type Leaf,
  type PathMember,
} from './certification-path.ts'
import { instanceIdOf, lifetimes, type Level } from './nitro-profile.ts'

/** Options of `createCertificateAuthority`; every one may be left out. */
export interface CertificateAuthorityOptions {
  /** Region in the names of the certificates. Default `us-east-1`. */
  readonly region?: string
  /** The parent instance, `i-` and 8 to 17 hex digits. Default: random. */
  readonly instanceId?: string
  /** The enclave, 16 hex digits. Default: the time in 12 digits and 4 random ones, as on Nitro. */
  readonly enclaveId?: string
  /** The clock. Default: the system's. */
  readonly now?: () => Date
  /** P-384 private keys to use in place of new ones, for the first path. */
  readonly keys?: Readonly<Partial<Record<Level, KeyObject>>>
}

/** A leaf is not handed out in its last half hour: real documents had 38 minutes left at the least. */
const LEAF_RESERVE = 30 * 60_000
/** Leaves kept ready, one for each module id. */
const MAX_LEAVES = 16

/**
 * A PKI in the shape of Nitro's: root, regional, zonal and instance CAs and a leaf for each
 * enclave. Its root is its own, no verifier trusts it unless told to.
 */
export class CertificateAuthority {
  readonly #state: AuthorityState
  readonly #now: () => Date

  /** Use `createCertificateAuthority` or `loadCertificateAuthority`. */
  constructor(state: AuthorityState, now: () => Date) {
    this.#state = state
    this.#now = now
  }

  get region(): string {
    return this.#state.region
  }

  /** The enclave that leaves are issued to unless another is named: `i-…-enc…`. */
  get moduleId(): string {
    return this.#state.moduleId
  }

  /** The authority's clock. */
  now(): Date {
    return this.#now()
  }

  /** The root certificate in DER. */
  get trustAnchor(): Uint8Array {
    return this.#state.root.certificate.slice()
  }

  /** The root certificate in PEM. */
  get trustAnchorPem(): string {
    return new X509Certificate(this.#state.root.certificate).toString()
  }

  /**
   * The enclave's certificate with its key and the CA certificates above it. The same one is
   * returned for up to two and a half hours; then, and whenever a CA above it would end before it,
   * new ones are issued. Synchronous: at most a few milliseconds, when keys are made.
   */
  issueLeaf(moduleId: string = this.moduleId): Leaf {
    return leafOf(this.certificationPath(moduleId))
  }

  /** All five certificates with their private keys and recipes, for `@enclavejs/simulator/forge`. */
  certificationPath(moduleId: string = this.moduleId): CertificationPath {
    const state = this.#state
    const at = this.#now()
    const ready = state.modules.get(moduleId)
    if (ready !== undefined && this.#serves(ready.leaf, at, LEAF_RESERVE)) {
      return { root: state.root, regional: state.regional, zonal: state.zonal, ...ready }
    }
    const input = { region: state.region, moduleId, at }
    if (!this.#serves(state.regional, at, lifetimes.zonal.after)) {
      state.regional = issueMember('regional', { ...input, key: newKey(), issuer: state.root })
      state.modules.clear()
    }
    if (
      state.zonal.recipe.signingKey !== state.regional.privateKey ||
      !this.#serves(state.zonal, at, lifetimes.instance.after)
    ) {
      state.zonal = issueMember('zonal', { ...input, key: newKey(), issuer: state.regional })
      state.modules.clear()
    }
    const current = state.modules.get(moduleId)?.instance
    const instance =
      current !== undefined && this.#serves(current, at, lifetimes.leaf.after)
        ? current
        : issueMember('instance', { ...input, key: newKey(), issuer: state.zonal })
    const leaf = issueMember('leaf', { ...input, key: newKey(), issuer: instance })
    state.modules.delete(moduleId)
    if (state.modules.size >= MAX_LEAVES) {
      const [oldest] = state.modules.keys()
      if (oldest !== undefined) state.modules.delete(oldest)
    }
    state.modules.set(moduleId, { instance, leaf })
    return { root: state.root, regional: state.regional, zonal: state.zonal, instance, leaf }
  }

  #serves(member: PathMember, at: Date, reserve: number): boolean {
    const { notBefore, notAfter } = member.recipe
    return at >= notBefore && at.getTime() + reserve <= notAfter.getTime()
  }

  /**
   * Saves the authority, keys included, so that other processes can load it: `authority.json`
   * (mode 0600) and `root.pem`. An authority that is already there is never replaced: when
   * another process was first, `save` fails with `ERR_SIMULATOR_DIRECTORY`.
   */
  async save(directory: string): Promise<void> {
    if (await writeAuthority(directory, this.export(), this.trustAnchorPem)) return
    throw new SimulatorError(
      'ERR_SIMULATOR_DIRECTORY',
      `${directory} already holds an authority: load it, or save to another directory`,
    )
  }

  /** The authority as text, private keys included, for `importCertificateAuthority`. */
  export(): string {
    this.certificationPath()
    return encodeAuthority(this.#state)
  }

  /**
   * Writes what QEMU's NSM with signing reads as its signer: `ca-0.der` (root) to `ca-3.der`,
   * `leaf.der`, `leaf.key.pem`, `root.pem`. The leaf lives three hours: call it again before.
   */
  async writeSigner(directory: string, moduleId: string = this.moduleId): Promise<void> {
    await writeSigner(directory, this.issueLeaf(moduleId), this.trustAnchorPem)
  }
}

/** Creates an authority with new keys. Nothing is written anywhere. */
export async function createCertificateAuthority(
  options: CertificateAuthorityOptions = {},
): Promise<CertificateAuthority> {
  const { region = 'us-east-1', now = () => new Date(), keys = {} } = options
  if (!/^[a-z0-9-]{1,32}$/.test(region)) {
    throw new TypeError('region: expected up to 32 lower-case letters, digits and hyphens')
  }
  const at = now()
  const instanceId = options.instanceId ?? `i-0${randomBytes(8).toString('hex')}`
  const enclaveId = options.enclaveId ?? enclaveIdAt(at)
  const moduleId = `${instanceId}-enc${enclaveId}`
  instanceIdOf(moduleId)
  const input = { region, moduleId, at }
  const root = issueMember('root', { ...input, key: keys.root ?? newKey() })
  const regional = issueMember('regional', {
    ...input,
    key: keys.regional ?? newKey(),
    issuer: root,
  })
  const zonal = issueMember('zonal', { ...input, key: keys.zonal ?? newKey(), issuer: regional })
  const instance = issueMember('instance', {
    ...input,
    key: keys.instance ?? newKey(),
    issuer: zonal,
  })
  const leaf = issueMember('leaf', { ...input, key: keys.leaf ?? newKey(), issuer: instance })
  const modules = new Map([[moduleId, { instance, leaf }]])
  return new CertificateAuthority({ region, moduleId, root, regional, zonal, modules }, now)
}

/**
 * Loads an authority that `save` wrote. Whatever has expired since then is issued anew under the
 * same root. Fails with `ERR_SIMULATOR_DIRECTORY` where none is.
 */
export async function loadCertificateAuthority(
  directory: string,
  options: Pick<CertificateAuthorityOptions, 'now'> = {},
): Promise<CertificateAuthority> {
  const text = await readAuthority(directory)
  try {
    return importCertificateAuthority(text, options)
  } catch (cause) {
    throw new SimulatorError(
      'ERR_SIMULATOR_DIRECTORY',
      `${directory} holds no authority that this version can read: remove it to begin anew`,
      { cause },
    )
  }
}

/**
 * Loads the authority of a directory, or creates one there. Several processes may do so at once:
 * all get the same. `options` but for `now` matter only to the one that creates it.
 */
export async function openCertificateAuthority(
  directory: string,
  options: CertificateAuthorityOptions = {},
): Promise<CertificateAuthority> {
  if (!(await holdsAuthority(directory))) {
    const created = await createCertificateAuthority(options)
    if (await writeAuthority(directory, created.export(), created.trustAnchorPem)) return created
  }
  const loaded = await loadCertificateAuthority(directory, options)
  await restoreRoot(directory, loaded.trustAnchorPem)
  return loaded
}

/** The reverse of `CertificateAuthority.export`; throws a `TypeError` on anything else. */
export function importCertificateAuthority(
  text: string,
  options: Pick<CertificateAuthorityOptions, 'now'> = {},
): CertificateAuthority {
  const { now = () => new Date() } = options
  return new CertificateAuthority(decodeAuthority(text), now)
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
}

function enclaveIdAt(at: Date): string {
  return at.getTime().toString(16).padStart(12, '0').slice(-12) + randomBytes(2).toString('hex')
}
