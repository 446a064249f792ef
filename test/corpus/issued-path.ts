import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import {
  basicConstraints,
  issueCertificate,
  withExtension,
  withoutExtension,
  extensionOids,
  type DistinguishedName,
  type Extension,
  type Leaf,
} from '@enclavejs/simulator/forge'
import { at, type Row, type Workshop } from './workshop.ts'

/** One certificate of a path of any length. */
export interface Link {
  /** Whose profile it has. Default `zonal`, and for the last one `leaf`. */
  readonly like?: 'zonal' | 'instance' | 'leaf'
  readonly pathLenConstraint?: number
  /** Default a new one on P-384. */
  readonly key?: KeyObject
  /** `issuer` makes it self-issued. */
  readonly subject?: DistinguishedName | 'issuer'
  readonly extensions?: (extensions: readonly Extension[]) => readonly Extension[]
}

/** A path under the good root with these certificates, each with a new key; the last one signs the document. */
export function issuedPath(shop: Workshop, links: readonly Link[]): Row[3] {
  let issuer: { subject: DistinguishedName; privateKey: KeyObject } = {
    subject: shop.path.root.recipe.subject,
    privateKey: shop.path.root.privateKey,
  }
  const certificates = [shop.path.root.certificate]
  for (const [index, link] of links.entries()) {
    const { recipe } = shop.path[link.like ?? (index === links.length - 1 ? 'leaf' : 'zonal')]
    const privateKey = link.key ?? generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    const named: DistinguishedName = [['CN', `${index} of ${links.length}`]]
    const subject = link.subject === 'issuer' ? issuer.subject : (link.subject ?? named)
    const { basicConstraints: basic } = extensionOids
    const isCa = recipe !== shop.path.leaf.recipe
    const { pathLenConstraint } = link
    const extensions = isCa
      ? withExtension(
          withoutExtension(recipe.extensions, basic),
          basicConstraints({ ca: true, pathLenConstraint }),
        )
      : recipe.extensions
    certificates.push(
      issueCertificate({
        ...recipe,
        serialNumber: Uint8Array.of(index + 1),
        issuer: issuer.subject,
        subject,
        publicKey: createPublicKey(privateKey),
        signingKey: issuer.privateKey,
        extensions: link.extensions?.(extensions) ?? extensions,
      }),
    )
    issuer = { subject, privateKey }
  }
  const leaf: Leaf = {
    certificate: certificates.at(-1) as Uint8Array,
    cabundle: certificates.slice(0, -1),
    privateKey: issuer.privateKey,
    notAfter: at(3600),
  }
  return { leaf }
}
